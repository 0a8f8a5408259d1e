"""Normalizations against native onnxruntime.

Tolerance: statistics over at most 216 values are sums in another order, and onnxruntime's variance is the difference of two
sums: 1e-4 relative to values around 1.
"""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from onnx import helper

from tests.support import native

shapes = arrays.array_shapes(min_dims=1, max_dims=4, max_side=6)


def random(seed, shape):
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


@given(
    shape=shapes,
    data=st.data(),
    with_bias=st.booleans(),
    epsilon=st.sampled_from([None, 1e-3, 1e-2]),
    dynamic=st.booleans(),
)
def test_layer_normalization(shape, data, with_bias, epsilon, dynamic):
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    x = {"x": random(0, shape)}
    row = shape[axis % len(shape) :]
    constants = {"s": random(1, row)} | ({"b": random(2, row)} if with_bias else {})
    attributes = {"axis": axis} | ({} if epsilon is None else {"epsilon": epsilon})
    node = helper.make_node("LayerNormalization", ["x", *constants], ["y"], **attributes)
    model = native.build([node], x, ["y"], constants, dynamic=dynamic)
    native.compare(model, x, rtol=1e-4, atol=1e-4)


@given(shape=shapes, epsilon=st.sampled_from([1e-5, 1e-2]))
def test_rms_normalization(shape, epsilon):
    x, scale = {"x": random(0, shape)}, {"s": random(1, shape[-1:])}
    node = helper.make_node("RMSNormalization", ["x", "s"], ["y"], epsilon=epsilon)
    native.compare(native.build([node], x, ["y"], scale, opset=23), x, rtol=1e-4, atol=1e-4)


def test_channels_last_values():
    x, w = {"x": random(0, (1, 4, 6, 6))}, random(1, (5, 4, 1, 1))
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["h"]),
        helper.make_node("LayerNormalization", ["h", "s"], ["y"], axis=2),
    ]
    model = native.build(nodes, x, ["y"], {"w": w, "s": random(2, (6, 6))})
    native.compare(model, x, rtol=1e-4, atol=1e-4)


@given(shape=shapes, data=st.data())
def test_statistics_and_computed_parameters(shape, data):
    axis = data.draw(st.integers(0, len(shape) - 1))
    row = shape[axis:]
    x = {"x": random(0, shape), "s": random(1, row), "b": random(2, row[-1:])}
    outputs = ["y", "mean", "deviation"]
    node = helper.make_node("LayerNormalization", [*x], outputs, axis=axis, epsilon=1e-2)
    native.compare(native.build([node], x, outputs), x, rtol=1e-4, atol=1e-4)


def channels_last(op_type, shape, constants, **attributes):
    """A model in which the operator's input lies channels-last, as a Conv leaves it, and a Relu follows."""
    channels = shape[1]
    w = np.eye(channels, dtype=np.float32).reshape(channels, channels, *[1] * (len(shape) - 2))
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["h"]),
        helper.make_node(op_type, ["h", *constants], ["n"], **attributes),
        helper.make_node("Relu", ["n"], ["y"]),
    ]
    return nodes, {**constants, "w": w}


def compare_both_ways(op_type, shape, constants, opset=21, **attributes):
    """The operator alone, on a tensor in ONNX's order, then on one that lies channels-last."""
    x = {"x": random(0, shape)}
    node = helper.make_node(op_type, ["x", *constants], ["y"], **attributes)
    native.compare(native.build([node], x, ["y"], constants, opset=opset), x, rtol=1e-4, atol=1e-4)
    nodes, constants = channels_last(op_type, shape, constants, **attributes)
    native.compare(native.build(nodes, x, ["y"], constants, opset=opset), x, rtol=1e-4, atol=1e-4)


images = st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 7), st.integers(2, 7))


@given(shape=images, epsilon=st.sampled_from([1e-5, 1e-2]))
def test_instance_normalization(shape, epsilon):
    constants = {"s": random(1, shape[1]), "b": random(2, shape[1])}
    compare_both_ways("InstanceNormalization", shape, constants, epsilon=epsilon)


@pytest.mark.parametrize("shape", [(1, 16, 64, 64), (1, 2, 200, 200)])
def test_large_images(shape):
    """Of which each is worth more than one thread."""
    constants = {"s": random(1, shape[1]), "b": random(2, shape[1])}
    compare_both_ways("InstanceNormalization", shape, constants)


@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 5), (2, 3, 2, 3, 4)])
def test_instance_normalization_of_other_ranks(shape):
    x, constants = {"x": random(0, shape)}, {"s": random(1, 3), "b": random(2, 3)}
    node = helper.make_node("InstanceNormalization", ["x", "s", "b"], ["y"])
    if len(shape) > 2:
        native.compare(native.build([node], x, ["y"], constants), x, rtol=1e-4, atol=1e-4)
    computed = native.build([node], x | constants, ["y"])
    part = native.subgraph(computed)
    result = part.run(x | constants)["y"]
    part.close()
    axes = tuple(range(2, len(shape)))
    scale, bias = (a.reshape(-1, *[1] * len(axes)) for a in constants.values())
    deviation = np.sqrt(x["x"].var(axes, keepdims=True) + 1e-5)
    expected = (x["x"] - x["x"].mean(axes, keepdims=True)) / deviation * scale + bias
    np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-4)


@given(shape=images, groups=st.integers(1, 4), epsilon=st.sampled_from([1e-5, 1e-2]))
def test_group_normalization(shape, groups, epsilon):
    batch, channels, *pixels = shape
    channels *= groups
    constants = {"s": random(1, channels), "b": random(2, channels)}
    shape = (batch, channels, *pixels)
    compare_both_ways("GroupNormalization", shape, constants, num_groups=groups, epsilon=epsilon)


@given(shape=images, axes=st.sets(st.integers(-4, 3), min_size=1))
def test_mean_variance_normalization(shape, axes):
    # A single value has no deviation: what onnxruntime makes of it is rounding over 1e-9.
    axes = sorted({axis % 4 for axis in axes})
    assume(np.prod([shape[axis] for axis in axes]) > 2)
    compare_both_ways("MeanVarianceNormalization", shape, {}, 17, axes=axes)


@given(shape=images, axis=st.integers(-4, 3), p=st.sampled_from([1, 2]))
def test_lp_normalization(shape, axis, p):
    compare_both_ways("LpNormalization", shape, {}, 17, axis=axis, p=p)


@given(
    shape=images,
    size=st.sampled_from([1, 3, 5, 7]),
    alpha=st.sampled_from([1e-4, 0.5]),
    beta=st.sampled_from([0.5, 0.75, 1.3]),
    bias=st.sampled_from([1.0, 2.0]),
)
def test_lrn(shape, size, alpha, beta, bias):
    shape = (shape[0], shape[1] * 2, *shape[2:])
    compare_both_ways("LRN", shape, {}, 17, size=size, alpha=alpha, beta=beta, bias=bias)


def test_computed_statistics():
    x = {"x": random(0, (2, 3, 4, 5)), "m": random(3, 3), "v": abs(random(4, 3))}
    constants = {"s": random(1, 3), "b": random(2, 3)}
    node = helper.make_node("BatchNormalization", ["x", "s", "b", "m", "v"], ["y"])
    native.compare(native.build([node], x, ["y"], constants), x, rtol=1e-4, atol=1e-4)


def test_style_transfer_moves_no_bytes():
    """Conv, InstanceNormalization and Relu: two steps, channels-last from one to the other."""
    x = {"x": random(0, (1, 4, 6, 6))}
    constants = {"s": random(1, 4), "b": random(2, 4)}
    nodes, constants = channels_last("InstanceNormalization", (1, 4, 6, 6), constants)
    nodes.append(helper.make_node("Conv", ["y", "w"], ["z"]))
    part = native.subgraph(native.build(nodes, x, ["z"], constants))
    assert [task.split()[0] for task in native.tasks(part, x)] == [
        "Transpose",
        "Conv",
        "InstanceNormalization+Relu",
        "Conv",
        "Transpose",
    ]
    part.close()


def test_refusals():
    x, scale = {"x": random(0, (3, 4))}, {"s": random(1, 4)}
    node = helper.make_node("LayerNormalization", ["x", "s"], ["y", "mean"], stash_type=16)
    assert native.refusal(native.build([node], x, ["y"], scale)) == (
        "its statistics are asked for in another type than float32"
    )
    x, four = {"x": random(0, (3, 4))}, {name: abs(random(1, 4)) for name in "sbmv"}
    node = helper.make_node("BatchNormalization", ["x", *four], ["y", "m1", "v1"], training_mode=1)
    assert native.refusal(native.build([node], x, ["y"], four)) == "it is in training mode"
