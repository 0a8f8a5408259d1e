"""Relu and Clip as bounds, addends as biases: where they fuse, where they must not, and what they give."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper

from pyxnn.xnnpack import fusion
from pyxnn.xnnpack.fusion import Bounds
from tests.support import native

X = np.random.default_rng(0).standard_normal((1, 4, 6, 6), np.float32)
W = np.random.default_rng(1).standard_normal((4, 4, 3, 3), np.float32)
CONV = helper.make_node("Conv", ["x", "w"], ["h"])
RELU = helper.make_node("Relu", ["h"], ["y"])


def works(nodes, outputs=("y",), feeds=None, constants=None):
    feeds = {"x": X, **(feeds or {})}
    data = native.build(nodes, feeds, outputs, {"w": W, **(constants or {})})
    native.compare(data, feeds, rtol=1e-5, atol=1e-4)
    graph = native.graph_of(data)
    return [(w.operators, w.bounds) for w in fusion.fuse(graph.nodes, graph.outputs, graph)]


@pytest.mark.parametrize(
    "node",
    [
        CONV,
        helper.make_node("MaxPool", ["x"], ["h"], kernel_shape=[2, 2]),
        helper.make_node("MaxPool", ["x"], ["h"], kernel_shape=[1, 1]),
        helper.make_node("MaxPool", ["x"], ["h"], kernel_shape=[1, 1], strides=[2, 2]),
        helper.make_node("AveragePool", ["x"], ["h"], kernel_shape=[2, 2]),
        helper.make_node(
            "AveragePool", ["x"], ["h"], kernel_shape=[2, 2], pads=[1] * 4, count_include_pad=1
        ),
        helper.make_node("MatMul", ["x", "m"], ["h"]),
        helper.make_node("MatMul", ["x", "x"], ["h"]),
    ],
)
def test_fires(node):
    bounds = Bounds(0, math.inf)
    m = {"m": W[0, 0, :, :1].repeat(2, 0)}
    assert works([node, RELU], constants=m) == [(f"{node.op_type}+Relu", bounds)]


@pytest.mark.parametrize("c", [(5,), (6, 5), (6, 1), None])
def test_fires_on_gemm(c):
    a, b = X[0, 0], X[0, 1, :, :5]
    constants = {"b": np.ascontiguousarray(b)}
    if c is not None:
        constants["c"] = np.ones(c, np.float32)
    gemm = helper.make_node("Gemm", ["a", *constants], ["h"])
    assert works([gemm, RELU], feeds={"a": a}, constants=constants)[0][0] == "Gemm+Relu"


def clip(x, y, low, high):
    return helper.make_node("Clip", [x, low, high], [y])


@given(st.lists(st.sampled_from(["relu", "low", "high", "both"]), min_size=1, max_size=4))
def test_chains_fire(kinds):
    constants = {"lo": np.array(-0.5, np.float32), "hi": np.array(1.5, np.float32)}
    nodes, name = [CONV], "h"
    for index, kind in enumerate(kinds):
        result = "y" if index == len(kinds) - 1 else f"h{index}"
        if kind == "relu":
            nodes.append(helper.make_node("Relu", [name], [result]))
        else:
            low, high = "" if kind == "high" else "lo", "" if kind == "low" else "hi"
            nodes.append(clip(name, result, low, high))
        name = result
    assert len(works(nodes, constants=constants)) == 1


def test_not_when_another_node_uses_the_value():
    add = helper.make_node("Add", ["h", "y"], ["z"])
    assert [op for op, _ in works([CONV, RELU, add], ("z",))] == ["Conv", "Relu", "Add"]


def test_not_when_the_value_is_an_output():
    assert [op for op, _ in works([CONV, RELU], ("h", "y"))] == ["Conv", "Relu"]


def test_not_into_a_step_without_bounds():
    divide = helper.make_node("Div", ["x", "x"], ["h"])
    assert [op for op, _ in works([divide, RELU])] == ["Div", "Relu"]


def test_integers_have_no_bounds():
    x = {"x": X.astype(np.int32)}
    add = helper.make_node("Add", ["x", "x"], ["h"])
    graph = native.graph_of(native.build([add, RELU], x, ["y"], dtype=np.int32))
    assert len(fusion.fuse(graph.nodes, graph.outputs, graph)) == 2


def test_not_when_min_is_above_max():
    constants = {"lo": np.array(2, np.float32), "hi": np.array(1, np.float32)}
    nodes = [CONV, clip("h", "y", "lo", "hi")]
    assert [op for op, _ in works(nodes, constants=constants)] == ["Conv", "Clip"]


def test_not_when_a_bound_is_computed():
    feeds = {"lo": np.array(-1, np.float32)}
    assert [op for op, _ in works([CONV, clip("h", "y", "lo", "")], feeds=feeds)] == [
        "Conv",
        "Clip",
    ]


ADD = helper.make_node("Add", ["h", "b"], ["y"])
MATMUL = helper.make_node("MatMul", ["x", "m"], ["h"])
M = np.random.default_rng(2).standard_normal((6, 5), np.float32)
ROW = np.random.default_rng(3).standard_normal(5, np.float32)


@pytest.mark.parametrize(
    ("m", "b"),
    [(M, ROW), (M, ROW[:1]), (M, ROW[0]), (M[:, :1], ROW[:1]), (M[None, None], ROW[None])],
)
@pytest.mark.parametrize("swapped", [False, True])
def test_addend_becomes_the_bias(m, b, swapped):
    add = helper.make_node("Add", ["b", "h"] if swapped else ["h", "b"], ["y"])
    assert works([MATMUL, add], constants={"m": m, "b": np.asarray(b)})[0][0] == "MatMul+Add"


def test_bounds_after_the_bias():
    nodes = [
        MATMUL,
        helper.make_node("Add", ["h", "b"], ["s"]),
        helper.make_node("Relu", ["s"], ["y"]),
    ]
    fused = works(nodes, constants={"m": M, "b": ROW})
    assert fused == [("MatMul+Add+Relu", Bounds(0, math.inf))]


def test_addends_that_are_no_bias():
    """Rows that differ, more dimensions than the product has, bounds or another addend before it, a computed operand."""
    wide = np.ones((1, 1, 1, 1, 5), np.float32)
    rows = np.ones((6, 1), np.float32)
    for constants in ({"m": M, "b": rows}, {"m": M, "b": wide}, {"m": M[:, :1], "b": ROW}):
        assert [name for name, _ in works([MATMUL, ADD], constants=constants)] == ["MatMul", "Add"]
    nodes = [
        MATMUL,
        helper.make_node("Relu", ["h"], ["r"]),
        helper.make_node("Add", ["r", "b"], ["y"]),
    ]
    assert [w for w, _ in works(nodes, constants={"m": M, "b": ROW})] == ["MatMul+Relu", "Add"]
    nodes = [
        MATMUL,
        helper.make_node("Add", ["h", "b"], ["s"]),
        helper.make_node("Add", ["s", "c"], ["y"]),
    ]
    constants = {"m": M, "b": ROW, "c": rows}
    assert [w for w, _ in works(nodes, constants=constants)] == ["MatMul+Add", "Add"]
    for name, feed in (("m", M), ("b", ROW)):
        constants = {"m": M, "b": ROW}
        del constants[name]
        fused = works([MATMUL, ADD], feeds={name: feed}, constants=constants)
        assert [w for w, _ in fused] == ["MatMul", "Add"]


def test_addend_of_a_product_that_others_use():
    for more, outputs in (([], ["y", "h"]), ([helper.make_node("Relu", ["h"], ["z"])], ["y", "z"])):
        fused = works([MATMUL, ADD, *more], outputs, constants={"m": M, "b": ROW})
        assert [w for w, _ in fused][:2] == ["MatMul", "Add"]
    twice = helper.make_node("Add", ["h", "h"], ["y"])
    assert [w for w, _ in works([MATMUL, twice], constants={"m": M})] == ["MatMul", "Add"]


def test_bias_of_a_product_over_nothing():
    feeds = {"x": np.zeros((2, 0), np.float32)}
    data = native.build([MATMUL, ADD], feeds, ["y"], {"m": np.zeros((0, 5), np.float32), "b": ROW})
    native.compare(data, feeds)
