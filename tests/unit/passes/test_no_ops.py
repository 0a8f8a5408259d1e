"""Nodes that do nothing, do again what was done, or could be one: they go where they may, stay where they must."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest

from pyxnn import passes
from pyxnn.graph import Graph
from tests.support.onnx_models import FLOAT, build, graph, node, ops
from tests.support.parity import assert_parity

X = np.random.default_rng(1).standard_normal((2, 3, 4, 5), np.float32)
INT = onnx.TensorProto.INT64


def f32(*values: float) -> np.ndarray:
    return np.array(values if len(values) > 1 else values[0], np.float32)


def after(
    nodes: list[onnx.NodeProto],
    constants: dict[str, Any] | None = None,
    outputs: tuple[str, ...] = ("y",),
    *,
    x: list[int | str] | None = None,
    compared: bool = True,
    **kwargs: Any,
) -> Graph:
    """The graph after the passes; its results are onnxruntime's, with the passes and without, unless not compared."""
    inputs: dict[str, Any] = {"x": x or list(X.shape)}
    if compared:
        assert_parity(build(nodes, inputs, outputs, constants, **kwargs), {"x": X})
    result = graph(nodes, inputs, outputs, constants, **kwargs)
    passes.run(result)
    return result


# --- nodes that do nothing

NO_OPS: dict[str, tuple[onnx.NodeProto, dict[str, Any]]] = {
    "Concat": (node("Concat", ["h"], ["z"], axis=1), {}),
    "Sum": (node("Sum", ["h"], ["z"]), {}),
    "Max": (node("Max", ["h"], ["z"]), {}),
    "Split": (node("Split", ["h"], ["z"], num_outputs=1), {}),
    "Cast": (node("Cast", ["h"], ["z"], to=FLOAT), {}),
    "CastLike": (node("CastLike", ["h", "c"], ["z"]), {"c": f32(1)}),
    "Transpose": (node("Transpose", ["h"], ["z"], perm=[0, 1, 2, 3]), {}),
    "Expand": (node("Expand", ["h", "c"], ["z"]), {"c": np.array([1, 5])}),
    "Reshape": (node("Reshape", ["h", "c"], ["z"]), {"c": np.array([0, 3, -1, 5])}),
    "Tile": (node("Tile", ["h", "c"], ["z"]), {"c": np.array([1, 1, 1, 1])}),
    "Pad": (node("Pad", ["h", "c"], ["z"], mode="reflect"), {"c": np.zeros(8, np.int64)}),
    "Slice to the end": (
        node("Slice", ["h", "s", "e", "a"], ["z"]),
        {"s": np.array([0]), "e": np.array([np.iinfo(np.int64).max]), "a": np.array([-1])},
    ),
    "Slice of all": (
        node("Slice", ["h", "s", "e", "a", "t"], ["z"]),
        {"s": np.array([-9]), "e": np.array([5]), "a": np.array([3]), "t": np.array([1])},
    ),
    "Clip": (node("Clip", ["h"], ["z"]), {}),
    "Resize by scales": (
        node("Resize", ["h", "", "c"], ["z"], mode="linear"),
        {"c": f32(1, 1, 1, 1)},
    ),
    "Resize to sizes": (
        node("Resize", ["h", "", "", "c"], ["z"], mode="cubic"),
        {"c": np.array(X.shape)},
    ),
    "Add": (node("Add", ["h", "c"], ["z"]), {"c": f32(0)}),
    "Add, the other way": (node("Add", ["c", "h"], ["z"]), {"c": np.zeros((3, 1, 1), np.float32)}),
    "Sub": (node("Sub", ["h", "c"], ["z"]), {"c": f32(0)}),
    "Mul": (node("Mul", ["c", "h"], ["z"]), {"c": f32(1)}),
    "Div": (node("Div", ["h", "c"], ["z"]), {"c": np.ones((1, 1), np.float32)}),
    "Pow": (node("Pow", ["h", "c"], ["z"]), {"c": np.array(1)}),
}
BEFORE, BEHIND = node("Neg", ["x"], ["h"]), node("Exp", ["z"], ["y"])


@pytest.mark.parametrize("case", NO_OPS)
def test_no_op(case: str) -> None:
    nothing, constants = NO_OPS[case]
    assert ops(after([BEFORE, nothing, BEHIND], constants, opset=18)) == ["Neg", "Exp"]


@pytest.mark.parametrize("case", ["Reshape", "Mul", "Slice to the end", "Cast", "Transpose"])
def test_no_op_of_unknown_extents(case: str) -> None:
    nothing, constants = NO_OPS[case]
    graph = after([BEFORE, nothing, BEHIND], constants, x=["n", 3, 4, 5], opset=18)
    assert ops(graph) == ["Neg", "Exp"]


STAY: dict[str, tuple[onnx.NodeProto, dict[str, Any]]] = {
    "two inputs": (node("Concat", ["h", "h"], ["z"], axis=1), {}),
    "another type": (node("Cast", ["h"], ["z"], to=onnx.TensorProto.DOUBLE), {}),
    "axes move": (node("Transpose", ["h"], ["z"], perm=[0, 1, 3, 2]), {}),
    "axes move by default": (node("Transpose", ["h"], ["z"]), {}),
    "a larger shape": (node("Expand", ["h", "c"], ["z"]), {"c": np.array([2, 1, 1, 1, 1])}),
    "another shape": (node("Reshape", ["h", "c"], ["z"]), {"c": np.array([2, 4, 3, 5])}),
    "two tiles": (node("Tile", ["h", "c"], ["z"]), {"c": np.array([1, 2, 1, 1])}),
    "padding": (node("Pad", ["h", "c"], ["z"]), {"c": np.array([0, 1] + [0] * 6)}),
    "a slice backwards": (
        node("Slice", ["h", "s", "e", "a", "t"], ["z"]),
        {"s": np.array([-1]), "e": np.array([-99]), "a": np.array([3]), "t": np.array([-1])},
    ),
    "a part": (
        node("Slice", ["h", "s", "e"], ["z"]),
        {"s": np.array([1]), "e": np.array([np.iinfo(np.int64).max])},
    ),
    "a bound": (node("Clip", ["h", "c"], ["z"]), {"c": f32(0)}),
    "scales that shrink": (node("Resize", ["h", "", "c"], ["z"]), {"c": f32(1, 1, 0.5, 1)}),
    "other sizes": (node("Resize", ["h", "", "", "c"], ["z"]), {"c": np.array([2, 3, 4, 6])}),
    "another addend": (node("Add", ["h", "c"], ["z"]), {"c": f32(0, 0, 0, 0, 1)}),
    "a subtrahend": (node("Sub", ["c", "h"], ["z"]), {"c": f32(0)}),
    "a dimension more": (node("Add", ["h", "c"], ["z"]), {"c": np.zeros((1,) * 5, np.float32)}),
    "a larger product": (
        node("Mul", ["h", "c"], ["z"]),
        {"c": np.ones((4, 1, 1, 1, 1), np.float32)},
    ),
}


@pytest.mark.parametrize("case", STAY)
def test_not_a_no_op(case: str) -> None:
    something, constants = STAY[case]
    behind = node("Neg", ["z"], ["y"])
    output_type = onnx.TensorProto.DOUBLE if case == "another type" else FLOAT
    result = after([BEFORE, something, behind], constants, opset=18, output_type=output_type)
    assert ops(result) == ["Neg", something.op_type, "Neg"]


def test_resize_that_computes_new_pixels_stays() -> None:
    """onnxruntime doesn't interpolate where the sizes stay; ONNX's own rules do."""
    scales = node("Resize", ["h", "", "c"], ["y"], mode="linear")
    crops = {"coordinate_transformation_mode": "tf_crop_and_resize", "mode": "linear"}
    sizes = node("Resize", ["h", "roi", "", "c"], ["y"], **crops)
    constants = {"c": np.array(X.shape), "roi": f32(0, 0, 0.2, 0.2, 1, 1, 0.8, 0.8)}
    for resize, more in ((scales, {"c": f32(1, 1, 1.1, 1.1)}), (sizes, constants)):
        assert ops(after([BEFORE, resize], more, compared=False)) == ["Neg", "Resize"]


def test_not_a_no_op_when_its_shape_is_not_known() -> None:
    nodes = [BEFORE, node("Shape", ["x"], ["s"]), node("Expand", ["h", "s"], ["y"])]
    assert ops(after(nodes, x=["a", "b", "c", "d"])) == ["Neg", "Shape", "Expand"]


# --- two in a row


def test_transposes_merge() -> None:
    nodes = [
        node("Transpose", ["x"], ["a"], perm=[0, 2, 3, 1]),
        node("Transpose", ["a"], ["b"], perm=[1, 0, 2, 3]),
        node("Neg", ["b"], ["y"]),
    ]
    result = after(nodes)
    assert ops(result) == ["Transpose", "Neg"]
    assert result.nodes[0].attributes == {"perm": [2, 0, 3, 1]}


def test_inverse_transposes_cancel() -> None:
    nodes = [
        node("Transpose", ["x"], ["a"]),
        node("Transpose", ["a"], ["b"], perm=[3, 2, 1, 0]),
        node("Neg", ["b"], ["y"]),
    ]
    assert ops(after(nodes)) == ["Neg"]


def test_transpose_that_others_use_is_left_to_them() -> None:
    nodes = [
        node("Transpose", ["x"], ["a"]),
        node("Transpose", ["a"], ["b"], perm=[3, 2, 1, 0]),
        node("Neg", ["b"], ["y"]),
    ]
    result = after(nodes, outputs=("y", "a"))
    assert sorted(ops(result)) == ["Neg", "Transpose"]


RESHAPES = {"s": np.array([6, 20]), "t": np.array([3, -1]), "axes": np.array([0, 3])}


@pytest.mark.parametrize(
    "first",
    [
        node("Reshape", ["x", "s"], ["a"]),
        node("Flatten", ["x"], ["a"], axis=2),
        node("Unsqueeze", ["x", "axes"], ["a"]),
    ],
)
def test_reshapes_merge(first: onnx.NodeProto) -> None:
    nodes = [first, node("Reshape", ["a", "t"], ["b"]), node("Neg", ["b"], ["y"])]
    result = after(nodes, RESHAPES)
    assert ops(result) == ["Reshape", "Neg"] and result.nodes[0].inputs == ["x", "t"]


def test_squeezes_cancel() -> None:
    first, second = ("Unsqueeze", ["x", "axes"]), ("Squeeze", ["a", "axes"])
    nodes = [node(*first, ["a"]), node(*second, ["b"]), node("Neg", ["b"], ["y"])]
    assert ops(after(nodes, RESHAPES)) == ["Neg"]


def test_reshapes_that_stay() -> None:
    """A shape that keeps an extent of the value between, one that is computed, and other axes."""
    nodes = [
        node("Reshape", ["x", "s"], ["a"]),
        node("Reshape", ["a", "t"], ["b"]),
        node("Neg", ["b"], ["y"]),
    ]
    keeps = RESHAPES | {"t": np.array([0, 4, 5])}
    assert ops(after(nodes, keeps)) == ["Reshape", "Reshape", "Neg"]
    shape = node("Shape", ["x"], ["t"])
    constants = {"s": RESHAPES["s"]}
    result = after([shape, *nodes], constants, x=["a", "b", "c", "d"])
    assert ops(result) == ["Shape", "Reshape", "Reshape", "Neg"]
    nodes = [
        node("Unsqueeze", ["x", "axes"], ["a"]),
        node("Squeeze", ["a", "one"], ["b"]),
        node("Neg", ["b"], ["y"]),
    ]
    constants = {"axes": np.array([0, 1]), "one": np.array([0])}
    assert ops(after(nodes, constants)) == ["Unsqueeze", "Squeeze", "Neg"]


A, B = f32(2), f32(1, -2, 3, 4, 5)


@pytest.mark.parametrize(
    ("first", "second", "one", "value"),
    [
        ("Add", "Add", "Add", A + B),
        ("Add", "Sub", "Add", A - B),
        ("Sub", "Add", "Add", B - A),
        ("Sub", "Sub", "Add", -A - B),
        ("Mul", "Mul", "Mul", A * B),
        ("Mul", "Div", "Mul", A / B),
        ("Div", "Mul", "Mul", B / A),
        ("Div", "Div", "Mul", 1 / (A * B)),
    ],
)
@pytest.mark.parametrize("swapped", [False, True])
def test_constants_merge(first: str, second: str, one: str, value: Any, swapped: bool) -> None:
    a, b = ["x", "a"], ["h", "b"]
    if swapped:
        a, b = (
            a[:: -1 if first in ("Add", "Mul") else 1],
            b[:: -1 if second in ("Add", "Mul") else 1],
        )
    nodes = [node(first, a, ["h"]), node(second, b, ["y"])]
    (merged,) = after(nodes, {"a": A, "b": B}).nodes
    assert merged.op_type == one and merged.input(0) == "x"


def test_numbers_merge() -> None:
    nodes = [node("Mul", ["x", "a"], ["h"]), node("Mul", ["h", "a"], ["y"])]
    (merged,) = after(nodes, {"a": A}).nodes
    assert merged.op_type == "Mul"


def constants_of(graph: Graph) -> list[np.ndarray]:
    return [graph.initializers[node.inputs[1]] for node in graph.nodes if len(node.inputs) > 1]


@pytest.mark.parametrize(
    ("nodes", "constants", "outputs"),
    [
        ([("Add", "x", "a"), ("Mul", "h", "b")], {"a": A, "b": B}, ("y",)),
        ([("Add", "x", "a"), ("Add", "h", "b")], {"a": A, "b": B}, ("y", "h")),
        ([("Add", "x", "a"), ("Sub", "b", "h")], {"a": A, "b": B}, ("y",)),
        (
            [("Add", "x", "a"), ("Add", "h", "b")],
            {"a": np.ones((4, 1), np.float32), "b": B},
            ("y",),
        ),
        ([("Add", "x", "a"), ("Add", "h", "b")], {"a": f32(2).reshape(1, 1), "b": B}, ("y",)),
        ([("Mul", "x", "a"), ("Mul", "h", "b")], {"a": f32(1e30), "b": f32(1e30)}, ("y",)),
        ([("Mul", "x", "a"), ("Mul", "h", "b")], {"a": f32(1e-30), "b": f32(1e-30)}, ("y",)),
    ],
)
def test_constants_that_stay(nodes: Any, constants: dict[str, Any], outputs: Any) -> None:
    made = [node(op, [a, b], [y]) for (op, a, b), y in zip(nodes, ("h", "y"), strict=True)]
    result = after(made, constants, outputs)
    assert ops(result) == [op for op, *_ in nodes]


def test_integers_do_not_merge() -> None:
    nodes = [
        node("Cast", ["x"], ["i"], to=INT),
        node("Div", ["i", "a"], ["h"]),
        node("Mul", ["h", "b"], ["y"]),
    ]
    result = after(nodes, {"a": np.array(2), "b": np.array(3)}, output_type=INT)
    assert ops(result) == ["Cast", "Div", "Mul"]


# --- the same again


def test_common_subexpressions() -> None:
    nodes = [
        node("Reshape", ["x", "s"], ["a"]),
        node("Reshape", ["x", "t"], ["b"]),
        node("Exp", ["a"], ["c"]),
        node("Exp", ["b"], ["d"]),
        node("Add", ["c", "d"], ["y"]),
    ]
    constants = {"s": np.array([-1, 5]), "t": np.array([-1, 5])}
    result = after(nodes, constants)
    assert ops(result) == ["Reshape", "Exp", "Add"] and result.nodes[2].inputs == ["c", "c"]


def test_other_operators_of_the_same_inputs_stay() -> None:
    """Each operator stands twice, so that both are compared with what came before."""
    nodes = [
        node("Exp", ["x"], ["a"]),
        node("Exp", ["x"], ["b"]),
        node("Sigmoid", ["x"], ["c"]),
        node("Sigmoid", ["x"], ["d"]),
        node("Sum", ["a", "b", "c", "d"], ["y"]),
    ]
    result = after(nodes)
    assert ops(result) == ["Exp", "Sigmoid", "Sum"]
    assert result.nodes[2].inputs == ["a", "a", "c", "c"]


@pytest.mark.parametrize(
    "other",
    [
        node("ReduceSum", ["x"], ["b"], keepdims=0),
        node("ReduceMax", ["x"], ["b"]),
        node("ReduceSum", ["x", "axes"], ["b"]),
    ],
)
def test_what_differs_stays(other: onnx.NodeProto) -> None:
    nodes = [node("ReduceSum", ["x"], ["a"]), other, node("Add", ["a", "b"], ["y"])]
    constants = {"axes": np.array([0])}
    assert ops(after(nodes, constants, opset=17)) == ["ReduceSum", other.op_type, "Add"]


def test_the_same_again_as_an_output_stays() -> None:
    nodes = [node("Exp", ["x"], ["y"]), node("Exp", ["x"], ["z"])]
    assert ops(after(nodes, outputs=("y", "z"))) == ["Exp", "Exp"]


def test_outputs_that_differ_stay() -> None:
    nodes = [
        node("MaxPool", ["x"], ["a"], kernel_shape=[2, 2]),
        node("MaxPool", ["x"], ["b", "i"], kernel_shape=[2, 2]),
        node("Cast", ["i"], ["j"], to=FLOAT),
        node("Sum", ["a", "b", "j"], ["y"]),
    ]
    # onnx.reference's Indices are other than onnxruntime's
    assert ops(after(nodes, compared=False)).count("MaxPool") == 2


def test_random_numbers_are_drawn_each_time() -> None:
    nodes = [
        node("RandomNormalLike", ["x"], ["a"]),
        node("RandomNormalLike", ["x"], ["b"]),
        node("Sub", ["a", "b"], ["y"]),
    ]
    result = graph(nodes, {"x": [3]})
    passes.run(result)
    assert len(result.nodes) == 3


def test_what_a_body_captures_stays() -> None:
    value = onnx.helper.make_tensor_value_info("t", FLOAT, None)
    body = onnx.helper.make_graph([node("Neg", ["b"], ["t"])], "body", [], [value])
    nodes = [
        node("Exp", ["x"], ["a"]),
        node("Exp", ["x"], ["b"]),
        node("If", ["c"], ["i"], then_branch=body, else_branch=body),
        node("Add", ["a", "i"], ["y"]),
    ]
    result = graph(nodes, {"x": [3], "c": (onnx.TensorProto.BOOL, [])})
    passes.run(result)
    assert ops(result) == ["Exp", "Exp", "If", "Add"]
