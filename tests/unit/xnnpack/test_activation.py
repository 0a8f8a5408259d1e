"""Activations and Softmax against native onnxruntime.

Tolerances: clamping is exact. HardSigmoid and HardSwish round three times, so to within 2**-22 relative of terms up to 10.
Sigmoid, tanh and exponential are approximations good to a few units in the last place, and so are
onnxruntime's: 1e-6 on results below 1. LeakyRelu rounds once, as onnxruntime. Elu and its kin are so too below 0, times alpha or
gamma, and Mish and Swish times X up to 12. Softplus adds two terms of up to 12. Softmax adds up to 1296 terms one after the
other: 2e-5 relative.
"""

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from onnx import helper

from tests.support import native

values = arrays.arrays(
    np.float32,
    arrays.array_shapes(min_dims=0, max_dims=7, max_side=6),
    elements=st.floats(-12, 12, width=32),
)


@pytest.mark.parametrize(
    ("op_type", "tolerance", "attributes"),
    [
        ("Relu", 0, {}),
        ("Sigmoid", 1e-6, {}),
        ("Tanh", 1e-6, {}),
        ("HardSwish", 4e-6, {}),
        ("HardSigmoid", 1e-6, {}),
        ("HardSigmoid", 1e-6, {"alpha": 0.3, "beta": 0.4}),
        ("LeakyRelu", 0, {}),
        ("LeakyRelu", 0, {"alpha": -2.5}),
        ("Elu", 1e-6, {}),
        ("Elu", 3e-6, {"alpha": -2.5}),
        ("Selu", 2e-6, {}),
        ("Selu", 2e-6, {"alpha": 0.5, "gamma": 2.0}),
        ("Celu", 1e-6, {}),
        ("Celu", 2e-6, {"alpha": 2.5}),
        ("Celu", 5e-4, {"alpha": -2.5}),
        ("Softplus", 2e-6, {}),
        ("Softsign", 1e-7, {}),
        ("Mish", 4e-6, {}),
        ("Shrink", 0, {}),
        ("Shrink", 0, {"lambd": 2.0, "bias": 1.5}),
        ("ThresholdedRelu", 0, {}),
        ("ThresholdedRelu", 0, {"alpha": -3.0}),
    ],
)
@given(x=values)
def test_unary(op_type, tolerance, attributes, x):
    node = helper.make_node(op_type, ["x"], ["y"], **attributes)
    opset = max(onnx.defs.get_schema(op_type).since_version, native.OPSET)
    data = native.build([node], {"x": x}, ["y"], opset=opset)
    native.compare(data, {"x": x}, atol=tolerance)


@pytest.mark.parametrize("alpha", [1.0, 1.702])
@given(x=values)
def test_swish(alpha, x):
    """Against NumPy: onnxruntime has no kernel."""
    node = helper.make_node("Swish", ["x"], ["y"], alpha=alpha)
    part = native.subgraph(native.build([node], {"x": x}, ["y"], opset=24))
    (result,) = part.run({"x": x}).values()
    part.close()
    np.testing.assert_allclose(result, x / (1 + np.exp(-alpha * x)), rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize("op_type", ["Softplus", "Mish"])
def test_far_from_zero(op_type):
    """Small results are right to the last places too."""
    x = np.array([-200, -100, -50, -20, -10, -5, 50, 100, 200], np.float32)
    node = helper.make_node(op_type, ["x"], ["y"])
    part = native.subgraph(native.build([node], {"x": x}, ["y"], opset=22))
    (result,) = part.run({"x": x}).values()
    part.close()
    softplus = np.logaddexp(0, x.astype(np.float64))
    expected = softplus if op_type == "Softplus" else x * np.tanh(softplus)
    np.testing.assert_allclose(result, expected, rtol=1e-6, atol=1e-35)


limits = st.none() | st.floats(-9, 9, width=32)


@given(values, limits, limits, st.booleans())
def test_clip(x, low, high, computed):
    """min and max: absent, constant or computed; min above max makes everything max."""
    given_limits = {n: np.float32(v) for n, v in (("lo", low), ("hi", high)) if v is not None}
    names = ["lo" if low is not None else "", "hi" if high is not None else ""]
    node = helper.make_node("Clip", ["x", *names], ["y"])
    given_limits = {name: np.asarray(value) for name, value in given_limits.items()}
    feeds = {"x": x, **(given_limits if computed else {})}
    native.compare(native.build([node], feeds, ["y"], {} if computed else given_limits), feeds)


@pytest.mark.parametrize("attributes", [{}, {"min": -1.0}, {"max": 1.0}, {"min": -1.0, "max": 2.0}])
def test_clip_by_attributes(attributes):
    x = np.linspace(-5, 5, 33, dtype=np.float32)
    node = helper.make_node("Clip", ["x"], ["y"], **attributes)
    native.compare(native.build([node], {"x": x}, ["y"], opset=7), {"x": x})


logits = arrays.arrays(
    np.float32,
    arrays.array_shapes(min_dims=1, max_dims=4, max_side=6),
    elements=st.floats(-12, 12, width=32),
)
softmax_opsets = st.sampled_from([7, 12, 13, 25])


@given(logits, st.integers(-4, 3), softmax_opsets)
def test_softmax(x, axis, opset):
    axis = axis % x.ndim if opset < 13 else axis % x.ndim - x.ndim
    node = helper.make_node("Softmax", ["x"], ["y"], axis=axis)
    data = native.build([node], {"x": x}, ["y"], opset=opset)
    native.compare(data, {"x": x}, rtol=2e-5, atol=1e-7)


@given(logits, st.integers(-4, 3), softmax_opsets)
def test_log_softmax(x, axis, opset):
    """Differences of numbers up to 24, and logarithms of sums, a few roundings each."""
    axis = axis % x.ndim if opset < 13 else axis % x.ndim - x.ndim
    node = helper.make_node("LogSoftmax", ["x"], ["y"], axis=axis)
    data = native.build([node], {"x": x}, ["y"], opset=opset)
    native.compare(data, {"x": x}, atol=1e-5)


@given(logits, st.integers(-4, 3), softmax_opsets)
def test_hardmax(x, axis, opset):
    x = np.round(x)
    axis = axis % x.ndim if opset < 13 else axis % x.ndim - x.ndim
    node = helper.make_node("Hardmax", ["x"], ["y"], axis=axis)
    native.compare(native.build([node], {"x": x}, ["y"], opset=opset), {"x": x})


@pytest.mark.parametrize("op_type", ["Softmax", "LogSoftmax"])
@pytest.mark.parametrize("shape", [(2, 37, 70), (3, 1, 5), (2, 5, 3), (1, 300, 16), (2, 41, 1)])
def test_softmax_between_axes(op_type, shape):
    x = 4 * np.random.default_rng(0).standard_normal(shape, np.float32)
    node = helper.make_node(op_type, ["x"], ["y"], axis=1)
    data = native.build([node], {"x": x}, ["y"])
    native.compare(data, {"x": x}, rtol=1e-5, atol=1e-6)
    part = native.subgraph(data)
    assert native.tasks(part, {"x": x}) == [f"{op_type} y"]
    part.close()


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("op_type", ["Softmax", "LogSoftmax"])
def test_softmax_of_what_is_masked(op_type, axis):
    """What is -inf counts nothing; rows of nothing else, or with NaN, are NaN."""
    low, nothing = np.float32(-np.inf), np.float32(np.nan)
    x = np.array([[1, low, 2, 3, low], [low] * 5, [1, 2, nothing, 4, 5]], np.float32)
    x = x if axis else x.T.copy()
    node = helper.make_node(op_type, ["x"], ["y"], axis=axis)
    part = native.subgraph(native.build([node], {"x": x}, ["y"]))
    (result,) = part.run({"x": x}).values()
    part.close()
    with np.errstate(all="ignore"):
        distance = x.astype(np.float64) - x.max(axis, keepdims=True)
        powers = np.exp(distance)
        total = powers.sum(axis, keepdims=True)
        expected = powers / total if op_type == "Softmax" else distance - np.log(total)
    if op_type == "Softmax":
        np.testing.assert_allclose(result, expected, rtol=1e-6)
    else:
        np.testing.assert_allclose(result, expected, rtol=1e-6, atol=1e-6)


def test_log_softmax_far_apart():
    x = np.array([[0, 1000, -1000], [-500, -500, 0]], np.float32)
    node = helper.make_node("LogSoftmax", ["x"], ["y"])
    native.compare(native.build([node], {"x": x}, ["y"]), {"x": x}, atol=1e-4)


def test_softmax_over_channels_moves_no_bytes_when_they_are_last():
    x, w = np.ones((1, 4, 6, 6), np.float32), np.ones((5, 4, 1, 1), np.float32)
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["h"]),
        helper.make_node("Softmax", ["h"], ["y"], axis=1),
    ]
    part = native.subgraph(native.build(nodes, {"x": x}, ["y"], {"w": w}))

    assert native.tasks(part, {"x": x}) == [
        "Transpose before h",
        "Conv h",
        "Softmax y",
        "Transpose before output y",
    ]
    part.close()


def test_refusals():
    x = np.ones(3)
    node = helper.make_node("Relu", ["x"], ["y"])
    data = native.build([node], {"x": x}, ["y"], dtype=np.float64)
    assert native.refusal(data) == "input 'x' is float64, not of a type that kernels compute with"


@pytest.mark.parametrize("high", [None, 6])
@pytest.mark.parametrize("before", ["nothing", "Add", "1x1", "3x3", "5x5", "depthwise", "Gemm"])
def test_bounds_let_nan_through(before, high):
    """NaN of either sign, whatever kernel the bounds are fused into."""
    weights = {
        "1x1": np.ones((16, 16, 1, 1)),
        "3x3": np.ones((16, 16, 3, 3)),
        "5x5": np.ones((16, 16, 5, 5)),
        "depthwise": np.ones((16, 1, 3, 3)),
        "Gemm": np.ones((16, 9)),
    }
    x = np.full((1, 16, 9, 9), -1, np.float32)
    x[0, 0, 2, 3], x[0, 5, 7, 8] = np.nan, -np.float32(np.nan)
    constants = {"low": np.float32(0)} | ({} if high is None else {"high": np.float32(high)})
    constants = {name: np.asarray(number) for name, number in constants.items()}
    bounds = helper.make_node("Clip", ["z", *constants], ["y"])
    if before in weights:
        constants["w"] = weights[before].astype(np.float32)
    if before == "Gemm":
        x = x[0, 0]
        nodes = [helper.make_node("Gemm", ["x", "w"], ["z"], transB=1)]
    elif before in weights:
        kernel = weights[before].shape[-1]
        group = 16 // weights[before].shape[1]
        nodes = [
            helper.make_node("Conv", ["x", "w"], ["z"], kernel_shape=[kernel, kernel], group=group)
        ]
    elif before == "Add":
        nodes = [helper.make_node("Add", ["x", "x"], ["z"])]
    else:
        bounds.input[0], nodes = "x", []
    data = native.build([*nodes, bounds], {"x": x}, ["y"], constants)
    native.compare(data, {"x": x}, atol=1e-5)
