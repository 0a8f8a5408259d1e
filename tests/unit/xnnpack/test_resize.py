"""Resize against native onnxruntime.

Tolerance: nearest is exact. Bilinear takes each weight from a coordinate below 40 that was rounded two or three times, an error of
up to 40 * 2**-23, times differences of neighbours of up to 5, in two directions: 5e-5. Most are 20 times smaller.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper

from tests.support import native

PLACES = ["half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric"]


def images(draw):
    shape = [draw(st.integers(1, 2)), draw(st.integers(1, 9))]
    shape += [draw(st.integers(1, 12)), draw(st.integers(1, 12))]
    return np.random.default_rng(draw(st.integers(0, 9))).standard_normal(shape, np.float32)


@st.composite
def bilinear(draw):
    x = images(draw)
    pixels = [draw(st.integers(1, 40)), draw(st.integers(1, 40))]
    constants, names, opset = {}, ["x", "", ""], draw(st.sampled_from([11, 13, 18, 19]))
    attributes = {}
    if draw(st.booleans()):
        constants["sizes"] = np.array([*x.shape[:2], *pixels], np.int64)
        names.append("sizes")
    else:
        pixels = [draw(st.sampled_from([1, 2, 3])) * extent for extent in x.shape[2:]]
        if opset >= 18 and draw(st.booleans()):
            factors = [pixels[1] / x.shape[3], pixels[0] / x.shape[2]]
            attributes["axes"] = [3, 2]
        else:
            factors = [1, 1, pixels[0] / x.shape[2], pixels[1] / x.shape[3]]
        constants["scales"] = np.array(factors, np.float32)
        names[2] = "scales"
    if opset == 11:
        constants["roi"] = np.array([], np.float32)
        names[1] = "roi"
        if not names[2]:
            constants["scales"] = np.array([], np.float32)
            names[2] = "scales"
    attributes["coordinate_transformation_mode"] = draw(st.sampled_from(PLACES))
    node = helper.make_node("Resize", names, ["y"], mode="linear", **attributes)
    return native.build([node], {"x": x}, ["y"], constants, opset=opset), {"x": x}


@given(bilinear())
def test_bilinear(case):
    native.compare(*case, atol=5e-5)


@pytest.mark.parametrize("scale", [0.5, 0.25, 1.5])
@pytest.mark.parametrize("place", PLACES)
def test_fractions_that_make_whole_pixels(scale, place):
    x = np.random.default_rng(0).standard_normal((1, 3, 8, 12), np.float32)
    constants = {"scales": np.array([1, 1, scale, scale], np.float32)}
    attributes = {"mode": "linear", "coordinate_transformation_mode": place}
    node = helper.make_node("Resize", ["x", "", "scales"], ["y"], **attributes)
    native.compare(native.build([node], {"x": x}, ["y"], constants), {"x": x}, atol=5e-5)


@st.composite
def nearest(draw):
    x = images(draw)
    factors = [draw(st.integers(1, 4)), draw(st.integers(1, 4))]
    place = draw(st.sampled_from(["asymmetric", "half_pixel", "pytorch_half_pixel"]))
    rounding = "floor"
    if place != "asymmetric":
        rounding = draw(st.sampled_from(["round_prefer_floor", "round_prefer_ceil"]))
    constants, names = {}, ["x", "", ""]
    if draw(st.booleans()):
        pixels = [extent * factor for extent, factor in zip(x.shape[2:], factors, strict=True)]
        constants["sizes"] = np.array([*x.shape[:2], *pixels], np.int64)
        names.append("sizes")
    else:
        constants["scales"] = np.array([1, 1, *factors], np.float32)
        names[2] = "scales"
    attributes = {"coordinate_transformation_mode": place, "nearest_mode": rounding}
    node = helper.make_node("Resize", names, ["y"], mode="nearest", **attributes)
    return native.build([node], {"x": x}, ["y"], constants), {"x": x}


@given(nearest())
def test_nearest(case):
    native.compare(*case)


@pytest.mark.parametrize("opset", [7, 9])
@pytest.mark.parametrize(("mode", "tolerance"), [("nearest", 0), ("linear", 5e-5)])
def test_upsample(opset, mode, tolerance):
    x = np.random.default_rng(0).standard_normal((1, 3, 4, 5), np.float32)
    scales = [1.0, 1.0, 2.0, 3.0]
    constants = {"scales": np.array(scales, np.float32)} if opset == 9 else {}
    attributes = {} if opset == 9 else {"scales": scales}
    node = helper.make_node("Upsample", ["x", *constants], ["y"], mode=mode, **attributes)
    data = native.build([node], {"x": x}, ["y"], constants, opset=opset)
    native.compare(data, {"x": x}, atol=tolerance)


def test_sizes_from_shapes():
    """To the size of another tensor, as feature pyramids do."""
    random = np.random.default_rng(0)
    feeds = {n: random.standard_normal((1, 3, s, s), np.float32) for n, s in (("a", 4), ("b", 7))}
    nodes = [
        helper.make_node("Shape", ["b"], ["size"]),
        helper.make_node("Resize", ["a", "", "", "size"], ["y"], mode="linear"),
    ]
    native.compare(native.build(nodes, feeds, ["y"], dynamic=True), feeds, atol=5e-5)


def test_refusals():
    def reason(scales, dynamic=False, computed=False, shape=(1, 3, 7, 5), **attributes):
        x = np.ones(shape, np.float32)
        constants = {"scales": np.array(scales, np.float32)}
        feeds = {"x": x, **(constants if computed else {})}
        node = helper.make_node("Resize", ["x", "", "scales"], ["y"], **attributes)
        constants = {} if computed else constants
        data = native.build([node], feeds, ["y"], constants, dynamic=dynamic, opset=18)
        return native.refusal(data)

    linear = {"mode": "linear"}
    assert reason([1, 1, 2, 2], **linear) is None
    assert reason([1, 1, 2, 2], mode="cubic") == "its mode is 'cubic', not 'linear' or 'nearest'"
    assert reason([1, 2, 2, 2], **linear) == "scales change axis 1"
    assert reason([1, 1, 2, 2], antialias=1, **linear) == "antialias is set"
    assert reason([1, 1, 2, 2], computed=True) == "input 'scales' is computed, not constant"
    assert reason([1, 2, 2], shape=(1, 3, 7)) == "input 'x' has rank 3, not 4"
    whole = "scales don't make a whole number of pixels along axis 2"
    assert reason([1, 1, 0.5, 1], **linear) == whole
    assert reason([1, 1, 0.5, 1], dynamic=True, **linear) == whole
    assert reason([1, 1, 1.5, 1]) == "scales don't multiply axis 2 by a whole number"
    place = {"coordinate_transformation_mode": "tf_crop_and_resize"}
    named = "its coordinate_transformation_mode is 'tf_crop_and_resize'"
    assert reason([1, 1, 2, 2], **linear, **place) == named
    place = {"coordinate_transformation_mode": "align_corners"}
    rounded = "it takes the nearest pixel by 'align_corners' and 'round_prefer_floor'"
    assert reason([1, 1, 2, 2], **place) == rounded
