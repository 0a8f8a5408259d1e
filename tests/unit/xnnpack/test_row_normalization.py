"""LayerNormalization and RMSNormalization against native onnxruntime.

Tolerance: statistics over at most 216 values are sums in another order, and onnxruntime's variance is the difference of two
sums: 1e-4 relative to values around 1.
"""

import numpy as np
from hypothesis import given
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


def test_refusals():
    x, scale = {"x": random(0, (3, 4))}, {"s": random(1, 4)}
    node = helper.make_node("LayerNormalization", ["x", "s"], ["y"])
    assert native.refusal(native.build([node], {**x, **scale}, ["y"])) == (
        "input 's' is computed, not constant"
    )
    node = helper.make_node("LayerNormalization", ["x", "s"], ["y", "mean"])
    assert native.refusal(native.build([node], x, ["y", "mean"], scale)) == (
        "its output 'mean' is used"
    )
