"""Subgraphs: plans for many shapes, shared memory, aliases, failures."""

import sys

import numpy as np
import onnx
import pytest
from onnx import helper

import pyxnn
from pyxnn import engine, errors
from pyxnn.xnnpack.subgraph import MAX_PLANS
from tests.support import native
from tests.support.wasmtime_host import WasmtimeHost


def random(seed, shape):
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


W = random(0, (8, 3, 3, 3))
LEAST = random(1, (8, 1, 1))
NODES = [
    helper.make_node("Conv", ["x", "w"], ["c"], pads=[1] * 4),
    helper.make_node("Max", ["c", "least"], ["d"]),
    helper.make_node("Relu", ["d"], ["y"]),
]
EXACT = {"rtol": 1e-5, "atol": 1e-4}


def conv_max_relu(**options):
    x = random(2, (1, 3, 8, 8))
    return native.build(NODES, {"x": x}, ["y"], {"w": W, "least": LEAST}, **options)


def expected(data, x):
    return native.run_native(data, {"x": x})[0]


def test_alternating_shapes():
    data = conv_max_relu(dynamic=True)
    part = native.subgraph(data)
    for size in (8, 20, 5, 20, 8, 33, 5):
        x = random(size, (1, 3, size, size))
        np.testing.assert_allclose(part.run({"x": x})["y"], expected(data, x), **EXACT)
    part.close()


def test_plans_share_weights_and_constants():
    part = native.subgraph(conv_max_relu(dynamic=True))
    counts = set()
    for size in range(4, 4 + 2 * MAX_PLANS):
        part.run({"x": random(0, (1, 3, size, size))})
        counts.add((len(part.resources.operators), len(part.resources.constants)))
    assert counts == {(4, 1)}  # Transpose, Conv, Max, Relu; the least
    part.close()


def test_only_the_plans_used_last_are_kept():
    part = native.subgraph(conv_max_relu(dynamic=True))
    used = []
    for size in range(4, 4 + 3 * MAX_PLANS):
        part.run({"x": random(0, (1, 3, 40, 40))})
        part.run({"x": random(0, (1, 3, size, 4))})
        used.append(engine.get().memory_used())
    assert max(used[MAX_PLANS:]) < 1.1 * used[MAX_PLANS]
    part.close()


def test_a_growing_sequence():
    """A decoder's steps: each has one row more to attend to, and takes what the one before gave."""
    width = 16
    weights = {name: random(seed, (width, width)) for seed, name in enumerate("qkv")}
    nodes = [
        helper.make_node("MatMul", ["x", "q"], ["query"]),
        helper.make_node("MatMul", ["x", "k"], ["key"]),
        helper.make_node("MatMul", ["x", "v"], ["value"]),
        helper.make_node("Concat", ["past_keys", "key"], ["keys"], axis=1),
        helper.make_node("Concat", ["past_values", "value"], ["values"], axis=1),
        helper.make_node("Transpose", ["keys"], ["turned"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["query", "turned"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["shares"], axis=-1),
        helper.make_node("MatMul", ["shares", "values"], ["y"]),
    ]
    names = ["y", "keys", "values"]
    feeds = {name: random(0, (1, 0, width)) for name in ("past_keys", "past_values")}
    feeds["x"] = random(3, (1, 1, width))
    data = native.build(nodes, feeds, names, weights, dynamic=True)
    part = native.subgraph(data)
    used = []
    for _ in range(3 * MAX_PLANS):
        y, keys, values = part.run(feeds, names).values()
        for got, want in zip((y, keys, values), native.run_native(data, feeds), strict=True):
            np.testing.assert_allclose(got, want, **EXACT)
        feeds = {"past_keys": keys, "past_values": values, "x": y}
        used.append(engine.get().memory_used())
    assert keys.shape == (1, 3 * MAX_PLANS, width)
    # The weights are there once, and only the plans used last.
    assert used[-1] - used[MAX_PLANS] < 2 * MAX_PLANS * 3 * keys.nbytes
    part.close()


def test_known_shapes_are_planned_at_once():
    before = engine.get().memory_used()
    part = native.subgraph(conv_max_relu())
    assert engine.get().memory_used() - before > W.nbytes
    part.close()


def test_weights_are_not_kept_twice():
    x, w = random(0, (1, 64, 9, 9)), random(1, (64, 64, 3, 3))
    node = helper.make_node("Conv", ["x", "w"], ["y"])
    data = native.build([node], {"x": x}, ["y"], {"w": w})
    references = sys.getrefcount(data)
    with pyxnn.InferenceSession(data):
        # Weights are views of the model's bytes, as long as there are any.
        assert sys.getrefcount(data) == references


def test_no_session_keeps_the_bytes_of_its_model():
    """With nodes on either provider and shapes that are dynamic."""
    x, w = random(0, (4, 64)), random(1, (64, 300))
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["h"]),
        helper.make_node("NonZero", ["h"], ["places"]),
        helper.make_node("GatherND", ["table", "rows"], ["y"]),
        helper.make_node("Transpose", ["places"], ["rows"]),
    ]
    nodes = [nodes[0], nodes[1], nodes[3], nodes[2]]
    data = native.build(
        nodes, {"x": x}, ["y"], {"w": w, "table": random(2, (4, 300))}, dynamic=True
    )
    references = sys.getrefcount(data)
    with pyxnn.InferenceSession(data) as session:
        assert len({node.provider for node in session.placement.nodes}) == 2
        session.run(None, {"x": x})
        assert sys.getrefcount(data) == references


def packing(op_type, x, weights, **attributes):
    """A node that has the engine pack its weights, the shapes of its input, and its constants by name."""
    names = {"w": random(1, weights), "b": random(2, weights[:1])}
    return [helper.make_node(op_type, ["x", *names], ["y"], **attributes)], x, names


PACKING = {
    "convolution": packing(
        "Conv", (2, 8, 9, 9), (64, 8, 3, 3), auto_pad="SAME_UPPER", strides=[2, 2]
    ),
    "minimal": packing("Conv", (2, 32, 9, 9), (64, 32, 3, 3), auto_pad="SAME_UPPER"),
    "pixels": packing("Conv", (2, 64, 9, 9), (64, 64, 1, 1)),
    "depthwise": packing("Conv", (2, 64, 9, 9), (64, 1, 3, 3), group=64, auto_pad="SAME_LOWER"),
    "volumes": packing("Conv", (2, 8, 5, 4, 6), (32, 8, 3, 3, 3), pads=[1] * 6),
    "transposed": packing("ConvTranspose", (2, 32, 5, 5), (32, 32, 3, 3), auto_pad="SAME_UPPER"),
    "Gemm": packing("Gemm", (7, 64), (64, 64), transB=1),
    "scaled": packing("Gemm", (7, 64), (64, 64), alpha=0.5, beta=2.0),
    "MatMul": (
        [
            helper.make_node("MatMul", ["x", "w"], ["h"]),
            helper.make_node("Add", ["h", "b"], ["y"]),
        ],
        (2, 7, 64),
        {"w": random(1, (64, 64)), "b": random(2, (64,))},
    ),
    "integers": (
        [
            helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "scale", "zero"]),
            helper.make_node("MatMulInteger", ["q", "w", "zero"], ["h"]),
            helper.make_node("Cast", ["h"], ["f"], to=onnx.TensorProto.FLOAT),
            helper.make_node("Mul", ["f", "scale"], ["y"]),
        ],
        (7, 64),
        {"w": np.random.default_rng(1).integers(-128, 128, (64, 64), np.int8)},
    ),
    "recurrent": (
        [helper.make_node("LSTM", ["x", "w", "r"], ["y"], hidden_size=20)],
        (5, 2, 16),
        {"w": random(1, (1, 80, 16)), "r": random(2, (1, 80, 20))},
    ),
    "halves": (
        [
            helper.make_node("Cast", ["x"], ["half"], to=onnx.TensorProto.FLOAT16),
            helper.make_node("MatMul", ["half", "w"], ["h"]),
            helper.make_node("Cast", ["h"], ["y"], to=onnx.TensorProto.FLOAT),
        ],
        (7, 64),
        {"w": random(1, (64, 64)).astype(np.float16)},
    ),
}


def test_weights_stay_while_nothing_has_packed_them():
    """A batch of none leaves its steps out; the next plan packs."""
    nodes, shape, constants = packing("Conv", (1, 4, 9, 9), (8, 4, 3, 3))
    x = random(0, shape)
    data = native.build(nodes, {"x": x}, ["y"], constants, dynamic=True)
    part = native.subgraph(data)
    assert part.run({"x": x[:0]})["y"].shape == (0, 8, 7, 7)
    np.testing.assert_allclose(
        part.run({"x": x})["y"], native.run_native(data, {"x": x})[0], atol=1e-4
    )
    part.close()


@pytest.mark.parametrize("name", PACKING)
def test_weights_are_let_go_of_when_shapes_are_dynamic(name):
    """Plans for other shapes get on with what the engine has packed, and it is there once."""
    nodes, shape, constants = PACKING[name]
    x = random(0, shape)
    static = native.subgraph(native.build(nodes, {"x": x}, ["y"], constants))
    static.run({"x": x})
    static_size = engine.get().memory_used()
    static.close()
    data = native.build(nodes, {"x": x}, ["y"], constants, dynamic=True)
    references = sys.getrefcount(data)
    part = native.subgraph(data)
    for index, extent in enumerate((shape[-2], 6, 11, 1, shape[-2])):
        at = 0 if len(shape) == 2 or name == "recurrent" else -2
        shape = list(shape)
        shape[at] = extent
        x = random(extent, shape)
        wanted = native.run_native(data, {"x": x})[0]
        tolerance = 2e-2 if name == "halves" else 1e-4
        np.testing.assert_allclose(part.run({"x": x})["y"], wanted, rtol=1e-5, atol=tolerance)
        if index == 0:
            assert engine.get().memory_used() < static_size + 4096
        assert sys.getrefcount(data) == references
    part.close()


def test_a_table_is_in_the_engine_alone():
    table = random(1, (500, 64))
    node = helper.make_node("Gather", ["table", "indices"], ["y"])
    indices = np.arange(7, dtype=np.int64)
    data = native.build([node], {"indices": indices}, ["y"], {"table": table}, dynamic=True)
    references = sys.getrefcount(data)
    part = native.subgraph(data)
    for count in (7, 3, 400):
        indices = np.arange(count)
        before = engine.get().memory_used()
        np.testing.assert_array_equal(part.run({"indices": indices})["y"], table[:count])
        assert sys.getrefcount(data) == references
        assert engine.get().memory_used() - before < table.nbytes * (1.2 if count == 7 else 0.9)
    part.close()


def test_weights_that_are_looked_at_elsewhere_stay():
    """Here a part of them is planned for each shape."""
    nodes = [
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Slice", ["w", "zero", "shape"], ["part"]),
        helper.make_node("Mul", ["x", "part"], ["h"]),
        helper.make_node("Gemm", ["rows", "w"], ["y"]),
    ]
    w, zero = random(1, (16, 16)), np.zeros(2, np.int64)
    feeds = {"x": random(2, (16, 16)), "rows": random(3, (4, 16))}
    constants = {"w": w, "zero": zero}
    data = native.build(nodes, feeds, ["h", "y"], constants, dynamic=True)
    part = native.subgraph(data)
    for count in (16, 5, 9):
        feeds["x"] = random(2, (count, count))
        results = part.run(feeds)
        np.testing.assert_array_equal(results["h"], feeds["x"] * w[:count, :count])
        np.testing.assert_allclose(results["y"], feeds["rows"] @ w, **EXACT)
    part.close()


def test_creating_and_closing_leaks_nothing():
    data = conv_max_relu()
    before = engine.get().memory_used()
    for _ in range(20):
        part = native.subgraph(data)
        part.run({"x": random(0, (1, 3, 8, 8))})
        part.close()
        assert engine.get().memory_used() == before


def test_outputs_in_the_middle_and_fan_out():
    x = random(3, (1, 3, 6, 6))
    nodes = [
        *NODES,
        helper.make_node("Mul", ["c", "y"], ["m"]),
        helper.make_node("Sigmoid", ["d"], ["s"]),
    ]
    data = native.build(nodes, {"x": x}, ["c", "m", "d", "s", "y"], {"w": W, "least": LEAST})
    native.compare(data, {"x": x}, **EXACT)


def test_a_subset_of_the_outputs():
    x = random(3, (2, 5))
    nodes = [helper.make_node("Relu", ["x"], ["y"]), helper.make_node("Tanh", ["x"], ["z"])]
    part = native.subgraph(native.build(nodes, {"x": x}, ["y", "z"]))
    assert list(part.run({"x": x}, ["z"])) == ["z"]
    part.close()


def test_outputs_that_are_views_of_an_input():
    x = random(3, (2, 5))
    nodes = [
        helper.make_node("Flatten", ["x"], ["flat"], axis=0),
        helper.make_node("Unsqueeze", ["x", "one"], ["more"]),
        helper.make_node("Relu", ["x"], ["y"]),
    ]
    data = native.build(nodes, {"x": x}, ["flat", "more", "y"], {"one": np.array([1], np.int64)})
    native.compare(data, {"x": x})


def test_results_are_the_callers_own():
    """A later run doesn't change them, and changing them changes no later run."""
    x = random(3, (2, 5))
    nodes = [
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Relu", ["x"], ["y"]),
    ]
    part = native.subgraph(native.build(nodes, {"x": x}, ["y"]))
    first = part.run({"x": x})["y"]
    kept = first.copy()
    part.run({"x": -x})
    np.testing.assert_array_equal(first, kept)
    first[:] = 7
    np.testing.assert_array_equal(part.run({"x": x})["y"], kept)
    part.close()


def test_inputs_of_any_memory_layout():
    x = random(3, (6, 4))[::2].T
    node = helper.make_node("Relu", ["x"], ["y"])
    native.compare(native.build([node], {"x": x}, ["y"]), {"x": x})


def test_equal_constants_take_memory_once():
    x, big = random(3, (64, 64)), random(4, (64, 64))
    nodes = [
        helper.make_node("Add", ["x", "a"], ["h"]),
        helper.make_node("Mul", ["h", "b"], ["y"]),
    ]
    part = native.subgraph(native.build(nodes, {"x": x}, ["y"], {"a": big, "b": big.copy()}))
    assert len(part.resources.constants) == 1
    part.close()


def test_shapes_that_do_not_fit():
    """The failed run leaves the subgraph as it was."""
    x, y = random(3, (2, 5)), random(4, (2, 5))
    node = helper.make_node("Add", ["x", "y"], ["z"])
    part = native.subgraph(native.build([node], {"x": x, "y": y}, ["z"], dynamic=True))
    used = engine.get().memory_used()
    with pytest.raises(errors.InvalidArgument, match=r"Add node of 'z'.*broadcast"):
        part.run({"x": x, "y": random(4, (2, 4))})
    assert engine.get().memory_used() == used
    np.testing.assert_array_equal(part.run({"x": x, "y": y})["z"], x + y)
    part.close()


def test_out_of_memory():
    """Too large a run raises; the subgraph goes on with what fits."""
    data = conv_max_relu(dynamic=True)
    small = engine.Engine(WasmtimeHost(max_pages=1024))
    used = small.memory_used()
    part = native.subgraph(data, small)
    x = random(0, (1, 3, 8, 8))
    before = part.run({"x": x})["y"]
    with pytest.raises(errors.RuntimeException, match="out of memory"):
        part.run({"x": random(0, (1, 3, 1500, 1500))})
    np.testing.assert_array_equal(part.run({"x": x})["y"], before)
    part.close()
    assert small.memory_used() == used


def test_profile_names_every_step():
    part = native.subgraph(conv_max_relu())
    assert native.tasks(part, {"x": random(0, (1, 3, 8, 8))}) == [
        "Transpose before c",
        "Conv c",
        "Max d",
        "Relu y",
        "Transpose before output y",
    ]
    part.close()


def test_profile_gives_results_and_shapes():
    x = random(0, (1, 3, 8, 8))
    part = native.subgraph(conv_max_relu())
    results, steps = part.profile({"x": x})
    np.testing.assert_array_equal(results["y"], part.run({"x": x})["y"])
    assert [step.shape for step in steps] == [(1, 3, 8, 8), *[(1, 8, 8, 8)] * 4]
    assert {step.provider for step in steps} == {"XnnpackExecutionProvider"}
    part.close()
