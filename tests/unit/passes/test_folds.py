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
