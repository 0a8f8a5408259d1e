"""DFT and STFT against NumPy, and against native onnxruntime.

Tolerance: 2e-6 of the greatest result for each of a few turns, in float32.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper

from tests.support import native


def transformed(x, length, axis, *, inverse, onesided):
    """What NumPy gives, in double precision."""
    numbers = x[..., 0].astype(np.float64)
    if x.shape[-1] == 2:
        numbers = numbers + 1j * x[..., 1]
    if inverse and onesided:  # looks at no imaginary part where there can't be one
        return np.fft.irfft(numbers, length, axis)[..., np.newaxis]
    y = (np.fft.ifft if inverse else np.fft.fft)(numbers, length, axis)
    if onesided:
        y = np.take(y, range(y.shape[axis] // 2 + 1), axis)
    return np.stack([y.real, y.imag], -1)


def check(data, feeds, expected):
    part = native.subgraph(data)
    result = part.run(feeds)["y"]
    part.close()
    assert result.dtype == np.float32 and result.shape == expected.shape
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


@given(st.data())
def test_transforms_of_short_signals(data):
    shape = data.draw(st.lists(st.integers(2, 9), min_size=1, max_size=4))
    inverse, onesided = data.draw(st.booleans()), data.draw(st.booleans())
    is_complex = (inverse and onesided) or (data.draw(st.booleans()) and not onesided)
    x = np.random.default_rng(0).standard_normal((*shape, 1 + is_complex), np.float32)
    axis = data.draw(st.integers(0, len(shape) - 1))
    length = data.draw(st.none() | st.integers(2, 12))
    given_axis = axis - data.draw(st.sampled_from([0, len(shape) + 1]))
    constants = {"axis": np.array(given_axis)}
    if length is not None:
        constants["length"] = np.array(length)
    node = helper.make_node(
        "DFT",
        ["x", "length" if length else "", "axis"],
        ["y"],
        inverse=int(inverse),
        onesided=int(onesided),
    )
    model = native.build([node], {"x": x}, ["y"], constants, opset=20)
    expected = transformed(x, length, axis, inverse=inverse, onesided=onesided)
    check(model, {"x": x}, expected)


@pytest.mark.parametrize(
    ("inverse", "onesided"), [(False, False), (False, True), (True, False), (True, True)]
)
@pytest.mark.parametrize("length", [256, 257, 400, 514, 1009, 1024, 3000])
def test_lengths(length, inverse, onesided):
    """One matrix; a prime; factors, some of which are too long for a matrix."""
    count = length // 2 + 1 if inverse and onesided else length
    x = np.random.default_rng(0).standard_normal((2, count, 3, 1 + inverse), np.float32)
    constants = {"axis": np.array(1), "length": np.array(length)}
    attributes = {"inverse": int(inverse), "onesided": int(onesided)}
    node = helper.make_node("DFT", ["x", "length", "axis"], ["y"], **attributes)
    model = native.build([node], {"x": x}, ["y"], constants, opset=20)
    check(model, {"x": x}, transformed(x, length, 1, inverse=inverse, onesided=onesided))


@pytest.mark.parametrize("onesided", [0, 1])
@pytest.mark.parametrize("opset", [17, 20])
def test_transforms_of_onnxruntime(opset, onesided):
    """Below opset 20 the axis is an attribute, 1 unless given."""
    x = np.random.default_rng(0).standard_normal((2, 32, 4, 1), np.float32)
    for axis in (None, 2):
        attributes = {"onesided": onesided}
        inputs, constants = ["x"], {}
        if axis is not None and opset < 20:
            attributes["axis"] = axis
        elif axis is not None:
            inputs, constants = ["x", "", "axis"], {"axis": np.array(axis)}
        node = helper.make_node("DFT", inputs, ["y"], **attributes)
        model = native.build([node], {"x": x}, ["y"], constants, opset=opset)
        native.compare(model, {"x": x}, atol=2e-5)


@pytest.mark.parametrize("is_windowed", [False, True])
@pytest.mark.parametrize("parts", [1, 2])
@pytest.mark.parametrize(("length", "step"), [(16, 4), (16, 20), (400, 160), (400, 400)])
def test_frames(length, step, parts, is_windowed):
    """Also of a length that onnxruntime gives less exactly."""
    x = np.random.default_rng(0).standard_normal((2, 1000, parts), np.float32)
    window = np.hanning(length).astype(np.float32)
    constants = {"step": np.array(step), "length": np.array(length), "window": window}
    inputs = ["x", "step", "window" if is_windowed else "", "" if is_windowed else "length"]
    node = helper.make_node("STFT", inputs, ["y"], onesided=int(parts == 1))
    model = native.build([node], {"x": x}, ["y"], constants)
    frames = np.lib.stride_tricks.sliding_window_view(x, length, 1)[:, ::step].swapaxes(2, 3)
    frames = frames * window[:, np.newaxis] if is_windowed else frames
    check(model, {"x": x}, transformed(frames, None, 2, inverse=False, onesided=parts == 1))


def test_frames_by_computed_window():
    feeds = {
        "x": np.random.default_rng(0).standard_normal((1, 130, 1), np.float32),
        "window": np.hanning(32).astype(np.float32),
    }
    node = helper.make_node("STFT", ["x", "step", "window"], ["y"])
    native.compare(native.build([node], feeds, ["y"], {"step": np.array(7)}), feeds, atol=2e-5)


def test_refusal():
    x = np.ones((1, 8, 1), np.float64)
    node = helper.make_node("DFT", ["x"], ["y"])
    data = native.build([node], {"x": x}, ["y"], opset=20, dtype=np.float64)
    assert native.refusal(data) == "input 'x' is float64, not a float of 16 or 32 bits"
