"""Each pass fires where it may, does not where it must not, and leaves the results alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest

from pyxnn import passes
from pyxnn.graph import Graph
from tests.support.onnx_models import FLOAT, build, graph, node, ops
from tests.support.parity import assert_parity

rng = np.random.default_rng(1)


def normal(*extents: int) -> np.ndarray:
    return rng.standard_normal(extents, np.float32)


def after(run: Callable[[Graph], bool] | None, *args: Any, **kwargs: Any) -> Graph:
    """The graph of a model after the forms and one pass, or after all passes."""
    result = graph(*args, **kwargs)
    passes.run(result, passes.ALL if run is None else (*passes.FORMS, run))
    return result


# --- BatchNormalization


def statistics(channels: int) -> dict[str, np.ndarray]:
    names = ("s", "b", "m")
    return {name: normal(channels) for name in names} | {"v": abs(normal(channels)) + 0.1}


def batch_norm(x: str = "c", y: str = "y") -> onnx.NodeProto:
    return node("BatchNormalization", [x, "s", "b", "m", "v"], [y], epsilon=1e-3)


FOLDS: dict[str, Any] = {
    "conv": (node("Conv", ["x", "w"], ["c"]), [2, 4, 7, 7], {"w": normal(6, 4, 3, 3)}, 6),
    "conv with bias": (
        node("Conv", ["x", "w", "z"], ["c"]),
        [2, 4, 7, 7],
        {"w": normal(6, 4, 3, 3), "z": normal(6)},
        6,
    ),
    "grouped conv": (
        node("Conv", ["x", "w"], ["c"], group=2),
        [2, 4, 7],
        {"w": normal(6, 2, 3)},
        6,
    ),
    "transposed conv": (
        node("ConvTranspose", ["x", "w"], ["c"]),
        [1, 4, 5, 5],
        {"w": normal(4, 3, 3, 3)},
        3,
    ),
    "grouped transposed conv": (
        node("ConvTranspose", ["x", "w", "z"], ["c"], group=2),
        [1, 4, 5, 5],
        {"w": normal(4, 3, 3, 3), "z": normal(6)},
        6,
    ),
    "gemm": (node("Gemm", ["x", "w"], ["c"]), [3, 4], {"w": normal(4, 6)}, 6),
    "gemm with all": (
        node("Gemm", ["x", "w", "z"], ["c"], alpha=0.5, beta=2.0, transA=1, transB=1),
        [4, 3],
        {"w": normal(6, 4), "z": normal(1, 6)},
        6,
    ),
    "gemm with a scalar": (
        node("Gemm", ["x", "w", "z"], ["c"]),
        [3, 4],
        {"w": normal(4, 6), "z": normal(1)},
        6,
    ),
}


@pytest.mark.parametrize("case", FOLDS)
def test_batch_norm_folds(case: str) -> None:
    before, extents, constants, channels = FOLDS[case]
    constants = constants | statistics(channels)
    nodes = [before, batch_norm()]
    assert ops(after(None, nodes, {"x": extents}, constants=constants)) == [before.op_type]
    assert_parity(build(nodes, {"x": extents}, constants=constants), {"x": normal(*extents)})


CONV = node("Conv", ["x", "w"], ["c"])
WEIGHTS = {"w": normal(6, 4, 3, 3)}
STAYS: dict[str, Any] = {
    "used twice": (
        [CONV, batch_norm(y="d"), node("Add", ["c", "d"], ["y"])],
        ["y"],
        WEIGHTS | statistics(6),
    ),
    "graph output": ([CONV, batch_norm()], ["y", "c"], WEIGHTS | statistics(6)),
    "relu between": (
        [CONV, node("Relu", ["c"], ["r"]), batch_norm("r")],
        ["y"],
        WEIGHTS | statistics(6),
    ),
    "computed weights": (
        [node("Conv", ["x", "a"], ["c"]), node("Identity", ["w2"], ["a"]), batch_norm()],
        ["y"],
        statistics(6),
    ),
}


@pytest.mark.parametrize("case", STAYS)
def test_batch_norm_stays(case: str) -> None:
    nodes, outputs, constants = STAYS[case]
    inputs: dict[str, Any] = {"x": [1, 4, 5, 5]}
    feeds = {"x": normal(1, 4, 5, 5)}
    if case == "computed weights":
        inputs["w2"], feeds["w2"] = [6, 4, 3, 3], normal(6, 4, 3, 3)
    result = after(None, nodes, inputs, outputs, constants)
    assert "BatchNormalization" in ops(result)
    assert_parity(build(nodes, inputs, outputs, constants), feeds)


def test_batch_norm_stays_after_gemm_with_rows() -> None:
    nodes = [node("Gemm", ["x", "w", "z"], ["c"]), batch_norm()]
    constants = {"w": normal(4, 6), "z": normal(3, 1)} | statistics(6)
    assert ops(after(None, nodes, {"x": [3, 4]}, constants=constants)) == [
        "Gemm",
        "BatchNormalization",
    ]
    assert_parity(build(nodes, {"x": [3, 4]}, constants=constants), {"x": normal(3, 4)})


# --- Identity and Dropout


def test_identity_inside_a_graph() -> None:
    nodes = [node("Relu", ["x"], ["a"]), node("Identity", ["a"], ["b"]), node("Neg", ["b"], ["y"])]
    assert ops(after(passes.eliminate_identity.run, nodes, {"x": [2]})) == ["Relu", "Neg"]
    assert_parity(build(nodes, {"x": [2]}), {"x": normal(2)})


def test_identity_before_an_output() -> None:
    nodes = [node("Relu", ["x"], ["a"]), node("Neg", ["a"], ["z"]), node("Identity", ["a"], ["y"])]
    result = after(passes.eliminate_identity.run, nodes, {"x": [2]}, ["y", "z"])
    assert ops(result) == ["Relu", "Neg"] and result.nodes[1].inputs == ["y"]
    assert_parity(build(nodes, {"x": [2]}, ["y", "z"]), {"x": normal(2)})


def test_identity_of_a_constant() -> None:
    nodes = [node("Identity", ["c"], ["y"]), node("Relu", ["x"], ["z"])]
    result = after(None, nodes, {"x": [2]}, ["y", "z"], {"c": normal(3)})
    assert ops(result) == ["Relu"] and "y" in result.initializers
    assert_parity(build(nodes, {"x": [2]}, ["y", "z"], {"c": normal(3)}), {"x": normal(2)})


@pytest.mark.parametrize(
    ("nodes", "outputs"),
    [
        ([node("Identity", ["x"], ["y"])], ["y"]),
        ([node("Relu", ["x"], ["z"]), node("Identity", ["z"], ["y"])], ["y", "z"]),
    ],
)
def test_identity_that_names_an_output_again_stays(
    nodes: list[onnx.NodeProto], outputs: list[str]
) -> None:
    assert "Identity" in ops(after(None, nodes, {"x": [2]}, outputs))
    assert_parity(build(nodes, {"x": [2]}, outputs), {"x": normal(2)})


def branch(name: str, nodes: list[onnx.NodeProto]) -> onnx.GraphProto:
    return onnx.helper.make_graph(
        nodes, name, [], [onnx.helper.make_tensor_value_info(name, FLOAT, None)]
    )


def test_identity_that_a_body_captures_stays() -> None:
    nodes = [
        node("Identity", ["x"], ["a"]),
        node(
            "If",
            ["c"],
            ["y"],
            then_branch=branch("t", [node("Relu", ["a"], ["t"])]),
            else_branch=branch("e", [node("Neg", ["a"], ["e"])]),
        ),
    ]
    inputs: dict[str, Any] = {"x": [2], "c": (onnx.TensorProto.BOOL, [])}
    assert ops(after(None, nodes, inputs)) == ["Identity", "If"]
    for condition in (True, False):
        assert_parity(build(nodes, inputs), {"x": normal(2), "c": np.array(condition)})


@pytest.mark.parametrize("opset", [7, 10, 12, 13, 22])
def test_dropout(opset: int) -> None:
    nodes = [node("Dropout", ["x"], ["a"]), node("Relu", ["a"], ["y"])]
    assert ops(after(None, nodes, {"x": [2]}, opset=opset)) == ["Relu"]
    assert_parity(build(nodes, {"x": [2]}, opset=opset), {"x": normal(2)})


def test_dropout_whose_mask_is_used_stays() -> None:
    nodes = [node("Dropout", ["x"], ["y", "m"]), node("Cast", ["m"], ["z"], to=FLOAT)]
    assert "Dropout" in ops(after(None, nodes, {"x": [2]}, ["y", "z"]))
    assert_parity(build(nodes, {"x": [2]}, ["y", "z"]), {"x": normal(2)})


@pytest.mark.parametrize(("training", "gone"), [(False, True), (True, False)])
def test_dropout_that_trains_stays(training: bool, gone: bool) -> None:
    nodes = [node("Dropout", ["x", "", "t"], ["a"]), node("Relu", ["a"], ["y"])]
    result = after(None, nodes, {"x": [2]}, constants={"t": np.array(training)})
    assert ("Dropout" not in ops(result)) == gone


# --- constants


def test_constants_fold() -> None:
    nodes = [
        node("Add", ["c", "c"], ["d"]),
        node("Sqrt", ["d"], ["e"]),
        node("Mul", ["x", "e"], ["y"]),
    ]
    result = after(None, nodes, {"x": [3]}, constants={"c": abs(normal(3))})
    assert ops(result) == ["Mul"] and list(result.initializers) == ["e"]
    assert_parity(build(nodes, {"x": [3]}, constants={"c": abs(normal(3))}), {"x": normal(3)})


RESHAPE = [
    node("Shape", ["x"], ["s"]),
    node("Gather", ["s", "zero"], ["n"]),
    node("Unsqueeze", ["n", "axes"], ["u"]),
    node("Concat", ["u", "rest"], ["shape"], axis=0),
    node("Reshape", ["x", "shape"], ["y"]),
]
RESHAPE_CONSTANTS = {"zero": np.array(0), "axes": np.array([0]), "rest": np.array([-1])}


@pytest.mark.parametrize(
    ("batch", "left"), [(2, ["Reshape"]), ("n", [node.op_type for node in RESHAPE])]
)
def test_shape_arithmetic_folds_when_the_shape_is_known(batch: int | str, left: list[str]) -> None:
    assert ops(after(None, RESHAPE, {"x": [batch, 3, 4]}, constants=RESHAPE_CONSTANTS)) == left
    assert_parity(
        build(RESHAPE, {"x": [batch, 3, 4]}, constants=RESHAPE_CONSTANTS), {"x": normal(2, 3, 4)}
    )


@pytest.mark.parametrize(
    ("taken", "known"),
    [
        ([node("Gather", ["s", "two"], ["e"])], True),
        ([node("Gather", ["s", "zero"], ["e"])], False),
        ([node("Gather", ["s", "both"], ["e"])], False),
        ([node("Slice", ["s", "one", "all"], ["e"])], True),
        ([node("Slice", ["s", "none", "all"], ["e"])], False),
        ([node("Shape", ["x"], ["e"], start=1)], True),
        ([node("Shape", ["x"], ["e"], end=-1)], False),
        ([node("Shape", ["x"], ["t"], end=2), node("Gather", ["t", "last"], ["e"])], True),
    ],
)
def test_known_extents_of_a_shape_fold(taken: list[onnx.NodeProto], known: bool) -> None:
    """The first extent isn't known, the others are."""
    arrays = {"zero": 0, "two": 2, "both": [0, 1], "one": [1], "none": [0], "all": [9], "last": -1}
    nodes = [
        node("Shape", ["x"], ["s"]),
        *taken,
        node("Cast", ["e"], ["f"], to=FLOAT),
        node("ReduceSum", ["f"], ["g"], keepdims=0),
        node("Mul", ["x", "g"], ["y"]),
    ]
    used = {name for one in nodes for name in one.input}
    constants = {name: np.array(value) for name, value in arrays.items() if name in used}
    extents = ["n", 3, 4]
    assert (ops(after(None, nodes, {"x": extents}, constants=constants)) == ["Mul"]) == known
    assert_parity(build(nodes, {"x": extents}, constants=constants), {"x": normal(2, 3, 4)})


def test_random_numbers_do_not_fold() -> None:
    nodes = [node("RandomNormal", [], ["r"], shape=[3]), node("Add", ["x", "r"], ["y"])]
    assert ops(after(None, nodes, {"x": [3]})) == ["RandomNormal", "Add"]


def test_what_fails_does_not_fold() -> None:
    nodes = [node("Reshape", ["c", "s"], ["d"]), node("Add", ["x", "d"], ["y"])]
    constants = {"c": normal(3), "s": np.array([2, 2])}
    before = graph(nodes, {"x": [3]}, constants=constants | {"s": np.array([3])})
    before.initializers["s"] = constants["s"]
    assert not passes.fold_constants.run(before)


# --- dead code


def test_dead_code() -> None:
    nodes = [node("Relu", ["x"], ["y"]), node("Neg", ["x"], ["a"]), node("Add", ["a", "c"], ["b"])]
    result = after(None, nodes, {"x": [3]}, constants={"c": normal(3)})
    assert ops(result) == ["Relu"] and not result.initializers


def test_what_a_body_captures_is_alive() -> None:
    body = branch("t", [node("Add", ["a", "w"], ["t"])])
    nodes = [
        node("Neg", ["x"], ["a"]),
        node("If", ["c"], ["y"], then_branch=body, else_branch=body),
    ]
    inputs: dict[str, Any] = {"x": [2], "c": (onnx.TensorProto.BOOL, [])}
    result = after(None, nodes, inputs, constants={"w": normal(2)})
    assert ops(result) == ["Neg", "If"] and "w" in result.initializers
    assert_parity(
        build(nodes, inputs, constants={"w": normal(2)}), {"x": normal(2), "c": np.array(True)}
    )


# --- shapes of Reshape, and Gemm between two of them


def extent(x: str, axis: str, name: str) -> list[onnx.NodeProto]:
    """One extent of a value, as exporters write it."""
    return [
        node("Shape", [x], [f"{name}_shape"]),
        node("Gather", [f"{name}_shape", axis], [f"{name}_number"], axis=0),
        node("Unsqueeze", [f"{name}_number", "axes"], [name]),
    ]


PLACES = {"first": np.array(0), "second": np.array(1), "axes": np.array([0])}
OUTER = [*extent("x", "first", "batch"), *extent("x", "second", "tokens")]
HEADS = [
    *OUTER,
    node("Concat", ["batch", "tokens", "heads", "size"], ["four"], axis=0),
    node("Reshape", ["x", "four"], ["h"]),
    node("Transpose", ["h"], ["y"], perm=[0, 2, 1, 3]),
]
SIZES = PLACES | {"heads": np.array([2]), "size": np.array([3])}


def test_a_reshape_that_keeps_extents_has_a_constant_shape() -> None:
    inputs: dict[str, Any] = {"x": ["batch", "tokens", 6]}
    result = after(None, HEADS, inputs, constants=SIZES)
    assert ops(result) == ["Reshape", "Transpose"]
    assert result.initializers[result.nodes[0].input(1)].tolist() == [0, 0, 2, 3]
    for extents in ((2, 5, 6), (3, 1, 6)):
        assert_parity(build(HEADS, inputs, constants=SIZES), {"x": normal(*extents)})


@pytest.mark.parametrize(
    ("nodes", "extents"),
    [
        (HEADS, [None, None, 6]),
        ([*HEADS[:-1], node("Identity", ["h"], ["y"])], ["batch", "tokens", 6]),
        (
            [
                *OUTER,
                node("Concat", ["tokens", "batch", "heads", "size"], ["four"], axis=0),
                *HEADS[-2:],
            ],
            ["batch", "tokens", 6],
        ),
    ],
    ids=["unknown extents", "an output", "extents that change places"],
)
def test_a_reshape_that_stays(nodes: list[onnx.NodeProto], extents: list[Any]) -> None:
    assert "Concat" in ops(after(None, nodes, {"x": extents}, constants=SIZES))
    assert_parity(build(nodes, {"x": extents}, constants=SIZES), {"x": normal(2, 5, 6)})


LINEAR = [
    *OUTER,
    node("Reshape", ["x", "flat"], ["rows"]),
    node("Gemm", ["rows", "w", "c"], ["p"]),
    node("Concat", ["batch", "tokens", "columns"], ["three"], axis=0),
    node("Reshape", ["p", "three"], ["h"]),
    node("Neg", ["h"], ["y"]),
]
LAYER = PLACES | {
    "flat": np.array([-1, 6]),
    "w": normal(6, 4),
    "c": normal(4),
    "columns": np.array([4]),
}
SEQUENCE: dict[str, Any] = {"x": ["batch", "tokens", 6]}


def gemm(**attributes: Any) -> list[onnx.NodeProto]:
    """The layer with another Gemm."""
    return [
        node("Gemm", one.input, one.output, **attributes) if one.op_type == "Gemm" else one
        for one in LINEAR
    ]


@pytest.mark.parametrize("transposed", [0, 1])
def test_a_gemm_between_reshapes(transposed: int) -> None:
    nodes = gemm(transB=transposed)
    constants = LAYER | ({"w": normal(4, 6)} if transposed else {})
    result = after(None, nodes, SEQUENCE, constants=constants)
    assert ops(result) == ["MatMul", "Add", "Neg"]
    assert_parity(build(nodes, SEQUENCE, constants=constants), {"x": normal(2, 5, 6)})


def test_a_gemm_of_joined_heads() -> None:
    inputs: dict[str, Any] = {"x": ["batch", "tokens", 2, 3]}
    result = after(None, LINEAR, inputs, constants=LAYER)
    assert ops(result) == ["Reshape", "MatMul", "Add", "Neg"]
    assert_parity(build(LINEAR, inputs, constants=LAYER), {"x": normal(2, 5, 2, 3)})


@pytest.mark.parametrize(
    ("nodes", "constants", "outputs"),
    [
        (gemm(alpha=0.5, transA=1), {"flat": np.array([6, -1])}, ("y",)),
        (LINEAR, {"c": normal(10, 4)}, ("y",)),
        (LINEAR, {"c": normal(10, 1)}, ("y",)),
        (LINEAR, {}, ("y", "p")),
        (LINEAR, {}, ("y", "h")),
        ([*LINEAR, node("Neg", ["rows"], ["z"])], {}, ("y", "z")),
    ],
    ids=["transposed", "a matrix added", "a column added", "product", "output", "rows"],
)
def test_a_gemm_that_stays(
    nodes: list[onnx.NodeProto], constants: dict[str, Any], outputs: tuple[str, ...]
) -> None:
    result = after(None, nodes, SEQUENCE, outputs, constants=LAYER | constants)
    assert "Gemm" in ops(result)
    if "flat" not in constants:
        model = build(nodes, SEQUENCE, outputs, LAYER | constants)
        assert_parity(model, {"x": normal(2, 5, 6)})
