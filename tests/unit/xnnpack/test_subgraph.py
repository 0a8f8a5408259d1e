"""Subgraphs: plans for many shapes, shared memory, aliases, failures."""

import sys

import numpy as np
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
