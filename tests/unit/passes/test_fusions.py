"""Gelu, LayerNormalization and RMSNormalization out of the nodes that exporters write: where they fuse, where they must not,
and results."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import onnx
import pytest

from pyxnn import passes
from tests.support.onnx_models import build, graph, node, ops
from tests.support.parity import assert_parity

Nodes = list[onnx.NodeProto]
X = np.random.default_rng(1).standard_normal((2, 5, 8), np.float32)
SHAPE: dict[str, Any] = {"x": [2, 5, 8]}


def scalars(**values: float) -> dict[str, np.ndarray]:
    return {name: np.array(value, np.float32) for name, value in values.items()}


NUMBERS = scalars(
    half=0.5,
    one=1,
    root=math.sqrt(2),
    inverse=math.sqrt(0.5),
    three=3,
    cubic=0.044715,
    slope=math.sqrt(2 / math.pi),
)
ERF = [
    node("Div", ["x", "root"], ["d"]),
    node("Erf", ["d"], ["g"]),
    node("Add", ["g", "one"], ["a"]),
]
TANH = [
    node("Pow", ["x", "three"], ["p"]),
    node("Mul", ["p", "cubic"], ["q"]),
    node("Add", ["x", "q"], ["s"]),
    node("Mul", ["s", "slope"], ["t"]),
    node("Tanh", ["t"], ["g"]),
    node("Add", ["one", "g"], ["a"]),
]
FAST_TANH = [
    node("Mul", ["x", "slope"], ["p"]),
    node("Mul", ["x", "cubic"], ["q"]),
    node("Mul", ["q", "x"], ["r"]),
    node("Add", ["r", "one"], ["s"]),
    node("Mul", ["p", "s"], ["t"]),
    node("Tanh", ["t"], ["g"]),
    node("Add", ["g", "one"], ["a"]),
]
HALF_LAST = [node("Mul", ["x", "a"], ["m"]), node("Mul", ["m", "half"], ["y"])]
HALF_FIRST = [node("Mul", ["half", "x"], ["m"]), node("Mul", ["m", "a"], ["y"])]
HALF_GATE = [node("Mul", ["a", "half"], ["m"]), node("Mul", ["x", "m"], ["y"])]
GELUS: dict[str, tuple[Nodes, str]] = {
    "erf, half last": (ERF + HALF_LAST, "none"),
    "erf, half first": (ERF + HALF_FIRST, "none"),
    "erf, half of the gate": (ERF + HALF_GATE, "none"),
    "erf of a product": ([node("Mul", ["inverse", "x"], ["d"]), *ERF[1:], *HALF_LAST], "none"),
    "tanh by a power": (TANH + HALF_FIRST, "tanh"),
    "tanh by products": (FAST_TANH + HALF_FIRST, "tanh"),
    "tanh, half last": (FAST_TANH + HALF_LAST, "tanh"),
}


def after(nodes: Nodes, outputs: list[str], constants: dict[str, np.ndarray], **kwargs: Any):
    """The graph after the passes; its results are the model's, with the passes and without."""
    inputs = kwargs.pop("inputs", SHAPE)
    assert_parity(build(nodes, inputs, outputs, constants, **kwargs), {"x": X})
    result = graph(nodes, inputs, outputs, constants, **kwargs)
    passes.run(result)
    return result


@pytest.mark.parametrize("case", GELUS)
@pytest.mark.parametrize("opset", [9, 17])
def test_gelu(case: str, opset: int) -> None:
    nodes, approximate = GELUS[case]
    result = after(nodes, ["y"], NUMBERS, opset=opset)
    (gelu,) = result.nodes
    assert (gelu.op_type, gelu.since, gelu.inputs) == ("Gelu", 20, ["x"])
    assert gelu.attributes == {"approximate": approximate}


def test_gelu_with_constants_of_float16() -> None:
    """The root of 2 is rounded by a ten thousandth."""
    constants = {name: array.astype(np.float16) for name, array in NUMBERS.items()}
    inputs: Any = {"x": (10, [2, 5, 8])}
    model = graph(ERF + HALF_LAST, inputs, ["y"], constants, output_type=10)
    passes.run(model)
    assert ops(model) == ["Gelu"]


def test_gelu_of_a_sum() -> None:
    """x itself is the result of an Add with a constant, and has other users."""
    add = node("Add", ["z", "one"], ["x"])
    nodes = [node("Relu", ["w"], ["z"]), add, *ERF, *HALF_LAST]
    model = graph(nodes, {"w": [2, 5, 8]}, ["y", "x"], NUMBERS)
    passes.run(model)
    assert ops(model) == ["Relu", "Add", "Gelu"]


@pytest.mark.parametrize("extra", ["d", "g", "a", "m"])
def test_gelu_stays_where_a_value_between_is_needed(extra: str) -> None:
    nodes = ERF + HALF_LAST
    assert "Gelu" not in ops(after(nodes, ["y", extra], NUMBERS))
    again = [*nodes, node("Neg", [extra], ["z"])]
    assert "Gelu" not in ops(after(again, ["y", "z"], NUMBERS))


@pytest.mark.parametrize("name", ["half", "one", "root"])
def test_gelu_stays_with_other_constants(name: str) -> None:
    for value in (np.float32(0.7), np.full(8, NUMBERS[name])):
        constants = NUMBERS | {name: np.asarray(value)}
        assert "Gelu" not in ops(after(ERF + HALF_LAST, ["y"], constants))


def test_gelu_stays_where_a_constant_adds_a_dimension() -> None:
    constants = NUMBERS | {"half": np.full((1, 1, 1, 1), 0.5, np.float32)}
    assert "Gelu" not in ops(after(ERF + HALF_LAST, ["y"], constants))


def test_gelu_stays_with_another_operand() -> None:
    nodes = [*ERF, node("Neg", ["x"], ["n"]), node("Mul", ["n", "a"], ["m"]), HALF_LAST[1]]
    assert "Gelu" not in ops(after(nodes, ["y"], NUMBERS))


# --- LayerNormalization


def layer_norm(
    square: str = "Pow", twice: bool = False, swapped: bool = False, axes: Any = (-1,), **mean: Any
) -> Nodes:
    def operands(a: str, b: str) -> list[str]:
        return [b, a] if swapped else [a, b]

    return [
        node("ReduceMean", ["x"], ["m"], axes=list(axes), **mean),
        node("Sub", ["x", "m"], ["d"]),
        *([node("Sub", ["x", "m"], ["d2"])] if twice else []),
        node(square, ["d", "two" if square == "Pow" else "d"], ["q"]),
        node("ReduceMean", ["q"], ["v"], axes=list(axes), **mean),
        node("Add", operands("v", "epsilon"), ["e"]),
        node("Sqrt", ["e"], ["r"]),
        node("Div", ["d2" if twice else "d", "r"], ["n"]),
        node("Mul", operands("n", "scale"), ["s"]),
        node("Add", operands("s", "bias"), ["y"]),
    ]


def parameters(*row: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(2)
    return scalars(two=2, epsilon=1e-3) | {
        "scale": random.standard_normal(row, np.float32),
        "bias": random.standard_normal(row, np.float32),
    }


@pytest.mark.parametrize(
    ("nodes", "row", "axis"),
    [
        (layer_norm(), (8,), -1),
        (layer_norm("Mul"), (8,), -1),
        (layer_norm(twice=True), (8,), -1),
        (layer_norm(swapped=True), (8,), -1),
        (layer_norm(axes=(2,)), (8,), -1),
        (layer_norm(axes=(2, 1)), (5, 8), -2),
    ],
)
@pytest.mark.parametrize("opset", [7, 16])
def test_layer_norm(nodes: Nodes, row: tuple[int, ...], axis: int, opset: int) -> None:
    (fused,) = after(nodes, ["y"], parameters(*row), opset=opset).nodes
    assert (fused.op_type, fused.since) == ("LayerNormalization", 17)
    assert fused.inputs == ["x", "scale", "bias"]
    assert fused.attributes == {"axis": axis, "epsilon": pytest.approx(1e-3)}


@pytest.mark.parametrize("extra", ["m", "d", "v", "r", "n", "s"])
def test_layer_norm_stays_where_a_value_between_is_needed(extra: str) -> None:
    assert "LayerNormalization" not in ops(
        after(layer_norm(), ["y", extra], parameters(8), opset=16)
    )
    nodes = [*layer_norm(), node("Neg", [extra], ["z"])]
    assert "LayerNormalization" not in ops(after(nodes, ["y", "z"], parameters(8), opset=16))


@pytest.mark.parametrize(
    ("nodes", "row"),
    [
        (layer_norm(axes=(1,)), (8,)),
        (layer_norm(axes=(0, 2)), (8,)),
        (layer_norm(), (5, 8)),
        (layer_norm(), (1,)),
        (layer_norm(), ()),
        (layer_norm(), (1, 1, 1, 8)),
    ],
)
def test_layer_norm_stays_with_other_axes_or_parameters(nodes: Nodes, row: tuple[int, ...]) -> None:
    assert "LayerNormalization" not in ops(after(nodes, ["y"], parameters(*row), opset=16))


def test_layer_norm_stays_with_another_power_or_computed_parameters() -> None:
    assert "LayerNormalization" not in ops(
        after(layer_norm(), ["y"], parameters(8) | scalars(two=4), opset=16)
    )
    constants = parameters(8)
    del constants["scale"]
    nodes = [node("ReduceMax", ["x"], ["scale"], axes=[0, 1], keepdims=0), *layer_norm()]
    assert "LayerNormalization" not in ops(after(nodes, ["y"], constants, opset=16))


def test_layer_norm_stays_where_means_differ() -> None:
    nodes = layer_norm()
    nodes[0] = node("ReduceMean", ["x"], ["m"], axes=[1])
    assert "LayerNormalization" not in ops(after(nodes, ["y"], parameters(8), opset=16))
    nodes[0] = node("ReduceMean", ["x"], ["m"])
    assert "LayerNormalization" not in ops(after(nodes, ["y"], parameters(8), opset=16))


# --- RMSNormalization


MEAN = [node("Add", ["v", "epsilon"], ["e"]), node("Sqrt", ["e"], ["r"])]
RATIOS: dict[str, Nodes] = {
    "by the root": [*MEAN, node("Div", ["x", "r"], ["n"])],
    "by 1 over the root": [
        *MEAN,
        node("Div", ["one", "r"], ["i"]),
        node("Mul", ["x", "i"], ["n"]),
    ],
    "by the reciprocal": [
        *MEAN,
        node("Reciprocal", ["r"], ["i"]),
        node("Mul", ["i", "x"], ["n"]),
    ],
    "by a power": [
        node("Add", ["epsilon", "v"], ["e"]),
        node("Pow", ["e", "minus"], ["i"]),
        node("Mul", ["x", "i"], ["n"]),
    ],
}


def rms_norm(ratio: str = "by the root", square: str = "Pow", axes: Any = (-1,)) -> Nodes:
    return [
        node(square, ["x", "two" if square == "Pow" else "x"], ["q"]),
        node("ReduceMean", ["q"], ["v"], axes=list(axes)),
        *RATIOS[ratio],
        node("Mul", ["scale", "n"], ["y"]),
    ]


def rms_parameters(*row: int) -> dict[str, np.ndarray]:
    constants = parameters(*row) | scalars(one=1, minus=-0.5)
    return {name: constants[name] for name in ("two", "one", "minus", "epsilon", "scale")}


@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize("square", ["Pow", "Mul"])
@pytest.mark.parametrize(("axes", "row"), [((-1,), (8,)), ((2, 1), (5, 8))])
def test_rms_norm(ratio: str, square: str, axes: Any, row: tuple[int, ...]) -> None:
    nodes = rms_norm(ratio, square, axes)
    (fused,) = after(nodes, ["y"], rms_parameters(*row), opset=16).nodes
    assert (fused.op_type, fused.since, fused.inputs) == ("RMSNormalization", 23, ["x", "scale"])
    assert fused.attributes == {"axis": -len(row), "epsilon": pytest.approx(1e-3)}


@pytest.mark.parametrize("extra", ["q", "v", "e", "r", "n"])
def test_rms_norm_stays_where_a_value_between_is_needed(extra: str) -> None:
    assert "ReduceMean" in ops(after(rms_norm(), ["y", extra], rms_parameters(8), opset=16))


def test_rms_norm_stays_with_others() -> None:
    other = rms_parameters(8) | scalars(two=4)
    assert "ReduceMean" in ops(after(rms_norm(), ["y"], other, opset=16))
    assert "ReduceMean" in ops(after(rms_norm(axes=(1,)), ["y"], rms_parameters(8), opset=16))
    assert "ReduceMean" in ops(after(rms_norm(), ["y"], rms_parameters(1), opset=16))
    doubled = rms_parameters(8) | scalars(one=2)
    nodes = rms_norm("by 1 over the root")
    assert "ReduceMean" in ops(after(nodes, ["y"], doubled, opset=16))
