"""Masks as transformers make them, in one subgraph; and integers that decide shapes, which are computed before it."""

import numpy as np
from onnx import TensorProto, helper

from pyxnn import xnnpack
from pyxnn.partition import CPU, XNNPACK, partition
from tests.support import native

RANDOM = np.random.default_rng(5)
LOWEST = np.array(np.finfo(np.float32).min)


def test_padding_mask_of_token_ids():
    """BERT: Unsqueeze, Cast, Sub, Mul."""
    feeds = {
        "mask": RANDOM.integers(0, 2, (2, 7)),
        "scores": RANDOM.standard_normal((2, 3, 7, 7), np.float32),
    }
    nodes = [
        helper.make_node("Unsqueeze", ["mask", "axes"], ["m"]),
        helper.make_node("Cast", ["m"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("Sub", ["one", "f"], ["opposite"]),
        helper.make_node("Mul", ["opposite", "lowest"], ["far"]),
        helper.make_node("Add", ["scores", "far"], ["masked"]),
        helper.make_node("Softmax", ["masked"], ["y"]),
    ]
    constants = {"axes": np.array([1, 2]), "one": np.array(1, np.float32), "lowest": LOWEST}
    data = native.build(nodes, feeds, ["y"], constants, dynamic=True)
    native.compare(data, feeds, atol=1e-6)


def test_equal_and_where():
    """Token ids compared with the padding's."""
    feeds = {
        "ids": RANDOM.integers(0, 3, (2, 6)),
        "scores": RANDOM.standard_normal((2, 4, 6, 6), np.float32),
    }
    nodes = [
        helper.make_node("Equal", ["ids", "padding"], ["is_padding"]),
        helper.make_node("Unsqueeze", ["is_padding", "axes"], ["mask"]),
        helper.make_node("Where", ["mask", "lowest", "scores"], ["y"]),
        helper.make_node("Not", ["mask"], ["z"]),
        helper.make_node("Cast", ["z"], ["w"], to=TensorProto.FLOAT),
    ]
    constants = {"axes": np.array([1, 2]), "padding": np.array(0), "lowest": LOWEST}
    data = native.build(nodes, feeds, ["y", "w"], constants, dynamic=True)
    native.compare(data, feeds)


def test_causal_mask_is_planned():
    """GPT: Range, Less, Where on the extents of the scores; only the last Where runs."""
    feeds = {"scores": RANDOM.standard_normal((2, 2, 5, 9), np.float32)}
    nodes = [
        helper.make_node("Shape", ["scores"], ["rows"], start=2, end=3),
        helper.make_node("Shape", ["scores"], ["columns"], start=3, end=4),
        helper.make_node("Squeeze", ["rows"], ["n"]),
        helper.make_node("Squeeze", ["columns"], ["m"]),
        helper.make_node("Range", ["zero", "n", "one"], ["i"]),
        helper.make_node("Range", ["zero", "m", "one"], ["j"]),
        helper.make_node("Unsqueeze", ["i", "one_axis"], ["i1"]),
        helper.make_node("GreaterOrEqual", ["i1", "j"], ["mask"]),
        helper.make_node("Where", ["mask", "scores", "lowest"], ["y"]),
    ]
    constants = {
        "zero": np.array(0),
        "one": np.array(1),
        "one_axis": np.array([1]),
        "lowest": LOWEST,
    }
    data = native.build(nodes, feeds, ["y"], constants, dynamic=True)
    native.compare(data, feeds)
    part = native.subgraph(data)
    assert len(native.tasks(part, feeds)) == 1
    part.close()


def test_range_and_constant_of_shape_by_inputs():
    """What decides shapes and is fed is known when the plan is made."""
    for limit in (3, 8):
        feeds = {"limit": np.array(limit)}
        nodes = [
            helper.make_node("Range", ["zero", "limit", "two"], ["y"]),
            helper.make_node("Unsqueeze", ["limit", "zeros"], ["shape"]),
            helper.make_node("ConstantOfShape", ["shape"], ["z"]),
        ]
        constants = {"zero": np.array(0), "two": np.array(2), "zeros": np.array([0])}
        data = native.build(nodes[:1], feeds, ["y"], constants, dtype=np.int64)
        native.compare(data, feeds)
        graph = native.graph_of(native.build(nodes[1:], feeds, ["z"], constants))
        assert {n.op_type: xnnpack.supports(n, graph) for n in graph.nodes} == {
            "Unsqueeze": "plans are made by its result, so it is computed before them",
            "ConstantOfShape": None,
        }


def test_a_length_counted_from_tokens_does_not_decide_by_their_values():
    """The count is the CPU provider's, so that the plan depends on the count and not on each token."""
    feeds = {
        "ids": np.array([[5, 6, 7, 0, 0]]),
        "x": RANDOM.standard_normal((1, 5, 4), np.float32),
    }
    nodes = [
        helper.make_node("Relu", ["x"], ["r"]),
        helper.make_node("Equal", ["ids", "zero"], ["is_padding"]),
        helper.make_node("Not", ["is_padding"], ["is_token"]),
        helper.make_node("Cast", ["is_token"], ["numbers"], to=TensorProto.INT64),
        helper.make_node("ReduceSum", ["numbers", "one"], ["count"], keepdims=0),
        helper.make_node("Slice", ["r", "start", "count", "one"], ["y"]),
    ]
    constants = {"zero": np.array(0), "start": np.array([0]), "one": np.array([1])}
    graph = native.graph_of(native.build(nodes, feeds, ["y"], constants))
    parts = partition(graph, xnnpack.supports)
    homes = {node.op_type: part.provider for part in parts.segments for node in part.nodes}
    assert homes == {
        "Relu": XNNPACK,
        "Slice": XNNPACK,
        **dict.fromkeys(["Equal", "Not", "Cast", "ReduceSum"], CPU),
    }
    assert [part.provider for part in parts.segments].count(XNNPACK) == 1


def test_numbers_of_an_image_that_decide_do_not_split_its_network():
    """A float image is no shape arithmetic, though a shape is made of it in the end."""
    feeds = {"x": RANDOM.standard_normal((2, 3), np.float32)}
    nodes = [
        helper.make_node("Abs", ["x"], ["a"]),
        helper.make_node("ReduceMax", ["a"], ["most"], keepdims=0),
        helper.make_node("Cast", ["most"], ["n"], to=TensorProto.INT64),
        helper.make_node("Range", ["zero", "n", "one"], ["y"]),
    ]
    constants = {"zero": np.array(0), "one": np.array(1)}
    graph = native.graph_of(native.build(nodes, feeds, ["y"], constants, dtype=np.int64))
    parts = partition(graph, xnnpack.supports)
    homes = {node.op_type: part.provider for part in parts.segments for node in part.nodes}
    assert homes["Abs"] == homes["Range"] == XNNPACK
    assert homes["Cast"] == homes["ReduceMax"] == CPU
