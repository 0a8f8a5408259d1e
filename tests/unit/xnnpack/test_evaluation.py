"""Values that plans know: evaluated anew where the shapes of a plan change them, and only there."""

import numpy as np
import pytest
from onnx import helper

from pyxnn import errors
from pyxnn.graph import Graph, Node
from pyxnn.xnnpack.evaluation import Evaluator
from tests.support import native

FLOAT32 = np.dtype(np.float32)


def shape_node(output="shape"):
    return Node("Shape", ["x"], [output], since=15)


def test_what_shapes_do_not_change_stays():
    evaluator = Evaluator(Graph([], [], []))
    shape, first = shape_node(), Node("Gather", ["shape", "zero"], ["first"], since=13)
    double = Node("Add", ["first", "first"], ["double"], since=14)
    arrays = []
    for extents in ((2, 3), (2, 5), (4, 5)):
        evaluator.begin({"zero": np.array(0)})
        evaluator.evaluate_shape(shape, extents, FLOAT32)
        for node in (first, double):
            if not evaluator.is_current(node):
                evaluator.evaluate(node, [evaluator.known[name] for name in node.inputs])
        evaluator.end()
        assert evaluator.known["double"] == 2 * extents[0]
        arrays.append(evaluator.known["double"])
    assert arrays[0] is arrays[1] is not arrays[2]


def test_inputs_may_change_in_place():
    evaluator = Evaluator(Graph([], [], []))
    double = Node("Add", ["a", "a"], ["b"], since=14)
    a = np.array([1, 2])
    for number in (3, 4):
        a[0] = number
        evaluator.begin({"a": a})
        assert not evaluator.is_current(double)
        evaluator.evaluate(double, [evaluator.known["a"]] * 2)
        evaluator.end()
        assert evaluator.known["b"].tolist() == [2 * number, 4]


def test_a_plan_that_failed_leaves_nothing_behind():
    """The first node took the new shape in, the second never did."""
    x, y = np.ones((2, 3), np.float32), np.ones((1, 6), np.float32)
    nodes = [
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Add", ["y", "y"], ["h"]),
        helper.make_node("Add", ["x", "z"], ["w"]),
        helper.make_node("ReduceProd", ["shape"], ["size"], keepdims=1),
        helper.make_node("Reshape", ["h", "size"], ["r"]),
    ]
    feeds = {"x": x, "y": y, "z": x}
    data = native.build(nodes, feeds, ["w", "r"], dynamic=True)
    part = native.subgraph(data)
    for extents, fits in (((2, 3), True), ((2, 4), False), ((2, 4), True), ((2, 3), True)):
        size = extents[0] * extents[1]
        feeds = {
            "x": np.ones(extents, np.float32),
            "y": np.ones((1, size), np.float32),
            "z": np.ones(extents if fits else (7, 7), np.float32),
        }
        if fits:
            assert part.run(feeds)["r"].shape == (size,)
        else:
            with pytest.raises(errors.InvalidArgument):
                part.run(feeds)
    part.close()


def test_dequantized_rows_follow_the_shape() -> None:
    """As of an embedding of places on 8 bits: what is gathered is known while planning, and so is what is added to it."""
    nodes = [
        helper.make_node("Shape", ["x"], ["all"]),
        helper.make_node("Slice", ["all", "one", "two"], ["count"]),
        helper.make_node("Slice", ["places", "zero", "count"], ["some"]),
        helper.make_node("Gather", ["table", "some"], ["rows"]),
        helper.make_node("DequantizeLinear", ["rows", "scale", "point"], ["numbers"]),
        helper.make_node("Add", ["numbers", "half"], ["moved"]),
        helper.make_node("Add", ["x", "moved"], ["y"]),
    ]
    random = np.random.default_rng(0)
    constants = {
        "zero": np.int64([0]),
        "one": np.int64([1]),
        "two": np.int64([2]),
        "places": np.arange(9, dtype=np.int64),
        "table": random.integers(0, 255, (9, 80), np.uint8),
        "scale": np.float32(0.25),
        "point": np.uint8(7),
        "half": np.float32(0.5),
    }
    feeds = [{"x": random.standard_normal((1, n, 80), np.float32)} for n in (4, 2, 4, 7)]
    data = native.build(nodes, feeds[0], ["y"], constants, dynamic=True)
    part = native.subgraph(data)
    for feed in feeds:
        (expected,) = native.run_native(data, feed)
        np.testing.assert_array_equal(part.run(feed)["y"], expected)
    part.close()
