"""Pads and products by channel go into the Conv, pool or Gemm beside them: where they may, and not where they must not."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest

from pyxnn import passes
from pyxnn.graph import Graph
from tests.support.onnx_models import build, graph, node, ops
from tests.support.parity import assert_parity

rng = np.random.default_rng(1)
LOWEST = np.finfo(np.float32).min


def normal(*extents: int) -> np.ndarray:
    return rng.standard_normal(extents, np.float32)


X = normal(2, 4, 7, 6)


def after(
    nodes: list[onnx.NodeProto],
    constants: dict[str, Any],
    outputs: tuple[str, ...] = ("y",),
    *,
    x: np.ndarray = X,
    dynamic: bool = False,
    opset: int = 17,
    compared: bool = True,
) -> Graph:
    """The graph after the passes; its results are onnxruntime's, with the passes and without, unless not compared."""
    extents = [f"d{axis}" if dynamic else extent for axis, extent in enumerate(x.shape)]
    inputs: dict[str, Any] = {"x": extents}
    if compared:
        assert_parity(build(nodes, inputs, outputs, constants, opset=opset), {"x": x})
    result = graph(nodes, inputs, outputs, constants, opset=opset)
    passes.run(result)
    return result


# --- Pad

PADS = {"p": np.array([0, 0, 1, 0, 0, 0, 2, 1])}
WEIGHTS = {"w": normal(3, 4, 3, 3)}
PAD = node("Pad", ["x", "p"], ["h"])
CONV = node("Conv", ["h", "w"], ["y"])


def pool(op_type: str, **attributes: Any) -> onnx.NodeProto:
    return node(op_type, ["h"], ["y"], **{"kernel_shape": [4, 4], **attributes})


@pytest.mark.parametrize(
    ("pad", "window", "pads", "constants"),
    [
        (PAD, CONV, [1, 0, 2, 1], {}),
        (PAD, node("Conv", ["h", "w"], ["y"], auto_pad="VALID"), [1, 0, 2, 1], {}),
        (PAD, node("Conv", ["h", "w"], ["y"], pads=[0, 1, 2, 3]), [1, 1, 4, 4], {}),
        (PAD, node("Conv", ["h", "w"], ["y"], strides=[2, 2]), [1, 0, 2, 1], {}),
        (node("Pad", ["x", "p", "v"], ["h"]), CONV, [1, 0, 2, 1], {"v": np.float32(0)}),
        (node("Pad", ["x", "q", "", "a"], ["h"]), CONV, [0, 1, 0, 2], {}),
        (PAD, pool("AveragePool"), [1, 0, 2, 1], {}),
        (PAD, pool("AveragePool", count_include_pad=1, pads=[1] * 4), [2, 1, 3, 2], {}),
        (node("Pad", ["x", "p", "v"], ["h"]), pool("MaxPool"), [1, 0, 2, 1], {"v": LOWEST}),
        (
            node("Pad", ["x", "p", "v"], ["h"]),
            pool("MaxPool", pads=[1] * 4, strides=[2, 1]),
            [2, 1, 3, 2],
            {"v": np.float32(-np.inf)},
        ),
    ],
)
@pytest.mark.parametrize("dynamic", [False, True])
def test_pad_folds(
    pad: onnx.NodeProto, window: onnx.NodeProto, pads: Any, constants: Any, dynamic: bool
) -> None:
    known = {**PADS, **WEIGHTS, "q": np.array([1, 2]), "a": np.array([-1]), **constants}
    opset = 18 if len(pad.input) > 3 else 13
    (folded,) = after([pad, window], known, dynamic=dynamic, opset=opset).nodes
    assert folded.op_type == window.op_type and folded.attributes["pads"] == pads
    assert bool(folded.attribute("count_include_pad")) == (folded.op_type == "AveragePool")


@pytest.mark.parametrize(
    ("pad", "window", "constants"),
    [
        (node("Pad", ["x", "p"], ["h"], mode="edge"), CONV, {}),
        (node("Pad", ["x", "p", "v"], ["h"]), CONV, {"v": np.float32(1)}),
        (PAD, CONV, {"p": np.array([0, 0, -1, 0, 0, 0, 0, 0])}),
        (PAD, CONV, {"p": np.array([1, 0, 0, 0, 0, 0, 0, 0])}),
        (PAD, CONV, {"p": np.array([0, 1, 0, 0, 0, 0, 0, 0]), "w": normal(3, 5, 3, 3)}),
        (PAD, node("Conv", ["h", "w"], ["y"], auto_pad="SAME_UPPER"), {}),
        (PAD, pool("AveragePool", pads=[1] * 4), {}),
        (PAD, pool("AveragePool", ceil_mode=1), {}),
        (PAD, pool("AveragePool", kernel_shape=[2, 2]), {}),
        (PAD, pool("MaxPool"), {}),
        (
            node("Pad", ["x", "p", "v"], ["h"]),
            pool("MaxPool", dilations=[2, 1], kernel_shape=[3, 3]),
            {"v": LOWEST},
        ),
    ],
)
def test_pad_stays(pad: onnx.NodeProto, window: onnx.NodeProto, constants: Any) -> None:
    known = {**PADS, **WEIGHTS, **constants}
    is_cut = known["p"].min() < 0  # which onnx.reference can't do
    result = after([pad, window], known, compared=not is_cut)
    assert ops(result) == ["Pad", window.op_type]


def test_pad_stays_when_its_amounts_or_value_are_computed() -> None:
    amounts = node("Cast", ["f"], ["p"], to=onnx.TensorProto.INT64)
    inputs: dict[str, Any] = {"x": list(X.shape), "f": [8]}
    for nodes in ([amounts, PAD, CONV], [node("Pad", ["x", "q", "f"], ["h"]), CONV]):
        constants = {**WEIGHTS, "q": PADS["p"]}
        result = graph(nodes, inputs | {"f": [8] if len(nodes) > 2 else []}, ["y"], constants)
        passes.run(result)
        assert ops(result)[-2:] == ["Pad", "Conv"]


def test_pad_stays_when_others_use_it() -> None:
    assert ops(after([PAD, CONV], PADS | WEIGHTS, ("y", "h"))) == ["Pad", "Conv"]
    nodes = [PAD, CONV, node("Neg", ["h"], ["z"])]
    assert "Pad" in ops(after(nodes, PADS | WEIGHTS, ("y", "z")))


# --- products and sums by channel

OPERATORS: dict[
    str, tuple[onnx.NodeProto, tuple[int, ...], dict[str, np.ndarray], tuple[int, ...]]
] = {
    "conv": (node("Conv", ["x", "w"], ["h"]), (2, 4, 7, 7), {"w": normal(6, 4, 3, 3)}, (6, 1, 1)),
    "conv with bias": (
        node("Conv", ["x", "w", "z"], ["h"], group=2),
        (2, 4, 7),
        {"w": normal(6, 2, 3), "z": normal(6)},
        (1, 6, 1),
    ),
    "transposed conv": (
        node("ConvTranspose", ["x", "w", "z"], ["h"], group=2),
        (1, 4, 5, 5),
        {"w": normal(4, 3, 3, 3), "z": normal(6)},
        (6, 1, 1),
    ),
    "gemm": (node("Gemm", ["x", "w"], ["h"]), (3, 4), {"w": normal(4, 6)}, (6,)),
    "gemm with all": (
        node("Gemm", ["x", "w", "z"], ["h"], alpha=0.5, beta=2.0, transA=1, transB=1),
        (4, 3),
        {"w": normal(6, 4), "z": normal(1, 6)},
        (1, 6),
    ),
}
SUMS = ["Add", "Sub", "Sub from", "Mul", "Div"]


def applied(operation: str, swapped: bool = False) -> onnx.NodeProto:
    inputs = ["c", "h"] if swapped or operation == "Sub from" else ["h", "c"]
    return node(operation.removesuffix(" from"), inputs, ["y"])


@pytest.mark.parametrize("operation", SUMS)
@pytest.mark.parametrize("case", OPERATORS)
@pytest.mark.parametrize("number", [False, True])
def test_channels_fold(case: str, operation: str, number: bool) -> None:
    before, extents, constants, shape = OPERATORS[case]
    constants = constants | {"c": np.abs(normal(*(() if number else shape))) + 0.5}
    (folded,) = after([before, applied(operation)], constants, x=normal(*extents)).nodes
    assert folded.op_type == before.op_type
    assert len(folded.inputs) == (
        2 if operation in ("Mul", "Div") and len(before.input) == 2 else 3
    )


@pytest.mark.parametrize("operation", ["Add", "Mul"])
def test_channels_fold_with_the_constant_first(operation: str) -> None:
    before, extents, constants, shape = OPERATORS["conv"]
    nodes = [before, applied(operation, swapped=True)]
    assert ops(after(nodes, constants | {"c": normal(*shape)}, x=normal(*extents))) == ["Conv"]


def test_chains_fold() -> None:
    """As exporters write a BatchNormalization of which the statistics are constants."""
    before, extents, constants, shape = OPERATORS["conv"]
    nodes = [
        before,
        node("Sub", ["h", "c"], ["a"]),
        node("Mul", ["a", "d"], ["b"]),
        node("Add", ["b", "e"], ["y"]),
    ]
    constants = constants | {name: normal(*shape) for name in "cde"}
    assert ops(after(nodes, constants, x=normal(*extents))) == ["Conv"]


@pytest.mark.parametrize(
    ("operation", "constant"),
    [
        ("Mul", normal(5)),
        ("Add", normal(5, 1)),
        ("Add", normal(2, 6, 1, 1)),
        ("Add", normal(1, 1, 1, 1, 1)),
        ("Mul", normal(6, 5, 5)),
        ("Div", np.array([1, 2, 0, 3, 4, 5], np.float32).reshape(6, 1, 1)),
        ("Div from", normal(6, 1, 1)),
    ],
)
def test_what_is_not_by_channel_stays(operation: str, constant: np.ndarray) -> None:
    before, extents, constants, _ = OPERATORS["conv"]
    inputs = ["c", "h"] if operation == "Div from" else ["h", "c"]
    behind = node(operation.removesuffix(" from"), inputs, ["y"])
    result = after([before, behind], constants | {"c": constant}, x=normal(*extents))
    assert ops(result) == ["Conv", behind.op_type]


def test_a_channel_that_broadcasts_stays() -> None:
    before, extents, _, shape = OPERATORS["conv"]
    constants = {"w": normal(1, 4, 3, 3), "c": normal(*shape)}
    assert ops(after([before, applied("Mul")], constants, x=normal(*extents))) == ["Conv", "Mul"]


def test_channels_stay_after_gemm_with_rows() -> None:
    before = node("Gemm", ["x", "w", "z"], ["h"])
    constants = {"w": normal(4, 6), "z": normal(3, 1), "c": normal(6)}
    assert ops(after([before, applied("Mul")], constants, x=normal(3, 4))) == ["Gemm", "Mul"]


def test_channels_stay_when_others_use_the_value() -> None:
    before, extents, constants, shape = OPERATORS["conv"]
    constants = constants | {"c": normal(*shape)}
    result = after([before, applied("Mul")], constants, ("y", "h"), x=normal(*extents))
    assert ops(result) == ["Conv", "Mul"]
    nodes = [before, applied("Mul"), node("Neg", ["h"], ["z"])]
    result = after(nodes, constants, ("y", "z"), x=normal(*extents))
    assert ops(result)[:2] == ["Conv", "Mul"]


def test_channels_stay_with_computed_weights_or_addend() -> None:
    conv = node("Conv", ["x", "w"], ["h"])
    inputs: dict[str, Any] = {"x": [2, 4, 7, 7], "w": [6, 4, 3, 3], "c": [6, 1, 1]}
    for name in ("w", "c"):
        constants = {"w": normal(6, 4, 3, 3), "c": normal(6, 1, 1)}
        del constants[name]
        given = {key: value for key, value in inputs.items() if key not in constants}
        result = graph([conv, applied("Mul")], given, ["y"], constants)
        passes.run(result)
        assert ops(result) == ["Conv", "Mul"]


# --- products into weights

ROWS = normal(2, 5, 6)
MATRIX = {"w": normal(6, 3), "a": normal(3), "c": normal(3), "n": np.array(0.7, np.float32)}
MATMUL = node("MatMul", ["x", "w"], ["p"])


@pytest.mark.parametrize("operation", ["Mul", "Div"])
@pytest.mark.parametrize("factor", ["n", "c"])
@pytest.mark.parametrize("with_sum", [False, True])
def test_a_product_after_a_matmul(operation: str, factor: str, with_sum: bool) -> None:
    add = [node("Add", ["p", "a"], ["s"])] if with_sum else []
    nodes = [MATMUL, *add, node(operation, ["s" if with_sum else "p", factor], ["y"])]
    result = after(nodes, MATRIX, x=ROWS)
    assert ops(result) == ["MatMul", *["Add"] * with_sum]


def test_chains_of_products_and_sums() -> None:
    nodes = [
        node("Mul", ["n", "x"], ["h"]),
        node("MatMul", ["h", "w"], ["p"]),
        node("Div", ["p", "c"], ["d"]),
        node("Add", ["a", "d"], ["s"]),
        node("Mul", ["n", "s"], ["m"]),
        node("Sub", ["m", "c"], ["t"]),
        node("Div", ["t", "n"], ["y"]),
    ]
    assert ops(after(nodes, MATRIX, x=ROWS)) == ["MatMul", "Add"]


@pytest.mark.parametrize("operation", ["Mul", "Div"])
def test_a_number_before_a_matmul(operation: str) -> None:
    nodes = [node(operation, ["x", "n"], ["h"]), node("MatMul", ["h", "w"], ["y"])]
    assert ops(after(nodes, MATRIX, x=ROWS)) == ["MatMul"]
    columns = [node(operation, ["x", "k"], ["h"]), node("MatMul", ["h", "w"], ["y"])]
    assert ops(after(columns, MATRIX | {"k": normal(6)}, x=ROWS)) == [operation, "MatMul"]


def test_products_with_vectors() -> None:
    """A number is folded, but what a column has is none of a vector's elements."""
    nodes = [node("MatMul", ["x", "v"], ["p"]), node("Mul", ["p", "c"], ["y"])]
    vector, x = {"v": normal(6)}, normal(2, 6, 6)
    assert ops(after(nodes, vector | {"c": np.array(0.3, np.float32)}, x=x)) == ["MatMul"]
    assert ops(after(nodes, vector | {"c": normal(6)}, x=x)) == ["MatMul", "Mul"]


def test_a_number_added_by_a_gemm() -> None:
    constants = {"w": normal(6, 3), "a": np.array(0.5, np.float32)}
    gemm = node("Gemm", ["x", "w", "a"], ["y"], beta=-2.0)
    (folded,) = after([gemm], constants, x=ROWS[0]).nodes
    assert folded.attributes == {}


def test_activations_before_a_matmul_stay_whole() -> None:
    """The number is the last part of a Gelu, which fuses; of what doesn't fuse, it stays too."""
    numbers = {"root": 2**0.5, "one": 1, "half": 0.5}
    constants = {name: np.array(value, np.float32) for name, value in numbers.items()}
    nodes = [
        node("Div", ["x", "root"], ["d"]),
        node("Erf", ["d"], ["e"]),
        node("Add", ["e", "one"], ["f"]),
        node("Mul", ["x", "f"], ["g"]),
        node("Mul", ["g", "half"], ["h"]),
        node("MatMul", ["h", "w"], ["y"]),
    ]
    constants["w"] = MATRIX["w"]
    assert ops(after(nodes, constants, x=ROWS)) == ["Gelu", "MatMul"]
    nodes[1] = node("Sin", ["d"], ["e"])
    assert ops(after(nodes, constants, x=ROWS))[-2:] == ["Mul", "MatMul"]


def test_factors_of_a_gemm() -> None:
    constants = {"w": normal(3, 6), "a": normal(3)}
    gemm = node("Gemm", ["x", "w", "a"], ["y"], alpha=0.3, beta=-2.0, transB=1)
    (folded,) = after([gemm], constants, x=ROWS[0]).nodes
    assert folded.attributes == {"transB": 1}


@pytest.mark.parametrize(
    ("nodes", "constants", "outputs"),
    [
        ([MATMUL, node("Mul", ["p", "n"], ["y"])], {}, ("y", "p")),
        ([MATMUL, node("Mul", ["p", "n"], ["q"]), node("Add", ["q", "p"], ["y"])], {}, ("y",)),
        ([MATMUL, node("Mul", ["p", "w5"], ["y"])], {"w5": normal(5, 1)}, ("y",)),
        ([MATMUL, node("Mul", ["p", "more"], ["y"])], {"more": normal(1, 1, 1, 3)}, ("y",)),
        ([MATMUL, node("Div", ["p", "nil"], ["y"])], {"nil": np.zeros((), np.float32)}, ("y",)),
        (
            [MATMUL, node("Mul", ["p", "n"], ["q"]), node("MatMul", ["q", "w2"], ["z"]),
             node("MatMul", ["x", "w"], ["u"]), node("Concat", ["u", "z"], ["y"], axis=-1)],
            {"w2": normal(3, 3)},
            ("y", "q"),
        ),
    ],
    ids=["output", "used twice", "by row", "a dimension more", "by zero", "shared weights"],
)  # fmt: skip
def test_products_that_stay(
    nodes: list[onnx.NodeProto], constants: dict[str, Any], outputs: tuple[str, ...]
) -> None:
    used = {name for one in nodes for name in one.input}
    kept = {name: a for name, a in (MATRIX | constants).items() if name in used}
    finite = "nil" not in used
    result = ops(after(nodes, kept, outputs, x=ROWS, compared=finite))
    assert "Mul" in result or "Div" in result


# --- products of integers

INTEGERS = {
    "w": rng.integers(-128, 128, (6, 3), np.int8),
    "w_scale": np.array(0.02, np.float32),
    **{name: normal(3) for name in "acde"},
}
DYNAMIC = [
    node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"]),
    node("MatMulInteger", ["q", "w", "z"], ["i"]),
    node("Cast", ["i"], ["f"], to=onnx.TensorProto.FLOAT),
    node("Mul", ["s", "w_scale"], ["k"]),
    node("Mul", ["f", "k"], ["p"]),
]


def used(nodes: list[onnx.NodeProto], constants: dict[str, Any]) -> dict[str, Any]:
    names = {name for one in nodes for name in one.input}
    return {name: array for name, array in constants.items() if name in names}


@pytest.mark.parametrize("dynamic", [False, True])
def test_what_scales_a_product_of_integers(dynamic: bool) -> None:
    """MobileBERT's normalization; its last factor joins the others, its addends are one."""
    nodes = [
        *DYNAMIC,
        node("Add", ["a", "p"], ["b"]),
        node("Mul", ["b", "c"], ["m"]),
        node("Add", ["m", "d"], ["n"]),
        node("Mul", ["n", "e"], ["y"]),
    ]
    result = after(nodes, INTEGERS, x=ROWS, dynamic=dynamic)
    assert sorted(ops(result)) == sorted(
        ["DynamicQuantizeLinear", "MatMulInteger", "Cast", "Mul", "Mul", "Add"]
    )


@pytest.mark.parametrize(
    ("more", "constants", "outputs"),
    [
        ([node("Mul", ["p", "c"], ["y"])], {}, ("y", "p")),
        ([node("Add", ["p", "a"], ["b"]), node("Mul", ["b", "c"], ["y"])], {}, ("y", "b")),
        ([node("Add", ["p", "x"], ["b"]), node("Mul", ["b", "n"], ["y"])], {"n": normal(1)}, ("y",)),
        ([node("Mul", ["p", "n"], ["y"])], {"n": normal(1, 1, 1, 3)}, ("y",)),
        ([node("Add", ["p", "n"], ["b"]), node("Mul", ["b", "n"], ["y"])], {"n": np.float32(1e30)}, ("y",)),
    ],
    ids=["output", "output between", "computed addend", "a dimension more", "not finite"],
)  # fmt: skip
def test_scales_of_integers_that_stay(
    more: list[onnx.NodeProto], constants: dict[str, Any], outputs: tuple[str, ...]
) -> None:
    nodes = [*DYNAMIC, *more]
    weights = INTEGERS | {
        "w": rng.integers(-128, 128, (6, 6), np.int8),
        "a": normal(6),
        "c": normal(6),
    }
    if any(node.input[-1] == "n" and constants["n"].size == 3 for node in more):
        weights = INTEGERS
    result = ops(after(nodes, used(nodes, weights | constants), outputs, x=ROWS))
    assert result.count("Mul") == 3
