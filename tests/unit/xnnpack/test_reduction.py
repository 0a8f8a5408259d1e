"""The Reduce operators that sum against native onnxruntime.

Tolerance: the mean of at most 4096 values around 1, summed in another order: 1e-5. Sums of as many positive numbers (squares,
magnitudes): 4e-6 relative; plain sums may cancel, so 3e-4 absolute.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from onnx import helper

from tests.support import native


@st.composite
def reductions(draw, op_type):
    shape = draw(arrays.array_shapes(min_dims=1, max_dims=8, max_side=4))
    rank = len(shape)
    axes = draw(st.none() | st.sets(st.integers(0, rank - 1)))
    x = np.random.default_rng(draw(st.integers(0, 9))).standard_normal(shape, np.float32)
    opset = draw(st.sampled_from([7, 13, 18, 25]))
    attributes = {"keepdims": draw(st.integers(0, 1))}
    constants = {}
    if axes is not None:
        axes = [axis - rank if draw(st.booleans()) and opset > 10 else axis for axis in axes]
    if opset < (13 if op_type == "ReduceSum" else 18):
        if axes:
            attributes["axes"] = axes
    else:
        attributes["noop_with_empty_axes"] = draw(st.integers(0, 1))
        if axes is not None:
            constants["axes"] = np.array(axes, np.int64)
    node = helper.make_node(op_type, ["x", *constants], ["y"], **attributes)
    dynamic = draw(st.booleans())
    return native.build([node], {"x": x}, ["y"], constants, opset=opset, dynamic=dynamic), {"x": x}


@given(reductions("ReduceMean"))
def test_means(case):
    native.compare(*case, atol=1e-5)


@given(reductions("ReduceSum"))
def test_sums(case):
    native.compare(*case, atol=3e-4)


@pytest.mark.parametrize("op_type", ["ReduceL1", "ReduceL2", "ReduceSumSquare"])
@given(data=st.data())
def test_sums_of_positive(op_type, data):
    native.compare(*data.draw(reductions(op_type)), rtol=4e-6)


@given(reductions("ReduceLogSum"))
def test_logarithms_of_sums(case):
    model, feeds = case
    native.compare(model, {"x": np.abs(feeds["x"]) + np.float32(0.1)}, rtol=4e-6, atol=4e-6)


@pytest.mark.parametrize("keepdims", [0, 1])
@pytest.mark.parametrize("axes", [[0], [1], [2, 3], [0, 2], [3], [1, 2, 3]])
def test_of_channels_last(axes, keepdims):
    random = np.random.default_rng(0)
    x = random.standard_normal((2, 3, 5, 4), np.float32)
    w = random.standard_normal((6, 3, 1, 1), np.float32)
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["h"]),
        helper.make_node("ReduceMean", ["h"], ["y"], axes=axes, keepdims=keepdims),
    ]
    native.compare(native.build(nodes, {"x": x}, ["y"], {"w": w}), {"x": x}, atol=1e-5)


@pytest.mark.parametrize("op_type", ["ReduceL1", "ReduceL2", "ReduceMean", "ReduceSumSquare"])
def test_of_nothing(op_type):
    x = np.ones((2, 0), np.float32)
    node = helper.make_node(op_type, ["x"], ["y"], axes=[1])
    native.compare(native.build([node], {"x": x}, ["y"]), {"x": x})
