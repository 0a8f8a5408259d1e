"""Resize against native onnxruntime, and against onnx.reference where that can do more.

Tolerance: nearest is exact. The others take each weight from a coordinate below 40 that was rounded two or three times, an
error of up to 40 * 2**-23, times differences of neighbours of up to 5, in two or three directions: 5e-5. A cubic has
weights above 1 and four neighbours: 2e-4. Most are 20 times smaller.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper
from onnx.reference import ReferenceEvaluator

from pyxnn.xnnpack import sampling
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


@pytest.mark.parametrize(("mode", "tolerance"), [("linear", 5e-5), ("cubic", 2e-4)])
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    "shape",
    [(2, 3, 5, 8), (1, 2, 3, 12), (1, 2, 9, 13), (1, 1, 5, 16), (1, 1, 7, 30), (1, 5, 120, 230)],
)
def test_twice_as_large(shape, place, mode, tolerance):
    """All columns are made alike, or, of few or of aligned corners, by a table."""
    x = np.random.default_rng(0).standard_normal(shape, np.float32)
    pixels = [2 * extent for extent in shape[2:]]
    attributes = {"mode": mode, "coordinate_transformation_mode": place}
    native.compare(*resize(x, pixels, 13, scales=True, **attributes), atol=tolerance)


def resize(x, pixels, opset=18, scales=False, **attributes):
    """A model with one Resize of an image, and its feeds."""
    if scales:
        factors = np.array([1, 1, *np.divide(pixels, x.shape[2:])], np.float32)
        constants, names = {"scales": factors}, ["x", "", "scales"]
    else:
        constants = {"sizes": np.array([*x.shape[:2], *pixels], np.int64)}
        names = ["x", "", "", "sizes"]
    node = helper.make_node("Resize", names, ["y"], **attributes)
    return native.build([node], {"x": x}, ["y"], constants, opset=opset), {"x": x}


@given(st.data())
def test_nearest(data):
    x = images(data.draw)
    scales = data.draw(st.booleans())
    if scales:
        pixels = [data.draw(st.sampled_from([1, 2, 3, 4])) * extent for extent in x.shape[2:]]
    else:
        pixels = [data.draw(st.integers(1, 30)), data.draw(st.integers(1, 30))]
    mode = data.draw(st.sampled_from(sorted(sampling.ROUNDINGS)))
    places = {"coordinate_transformation_mode": data.draw(st.sampled_from(PLACES))}
    native.compare(*resize(x, pixels, 13, scales, mode="nearest", nearest_mode=mode, **places))


@pytest.mark.parametrize("shape", [(1, 2, 5, 3), (2, 3, 4, 4), (1, 5, 7, 30), (1, 5, 120, 230)])
@pytest.mark.parametrize("factor", [(2, 2), (3, 2), (1, 2), (2, 1), (2, 3)])
def test_nearest_of_whole_factors(shape, factor):
    """Words twice, rows twice at a time where there are few."""
    x = np.random.default_rng(0).standard_normal(shape, np.float32)
    pixels = [extent * by for extent, by in zip(shape[2:], factor, strict=True)]
    native.compare(*resize(x, pixels, 13, scales=True, mode="nearest"))


@pytest.mark.parametrize("dtype", [np.uint8, np.int32])
def test_nearest_of_other_types(dtype):
    x = np.arange(24).reshape(1, 2, 3, 4).astype(dtype)
    constants = {"sizes": np.array([1, 2, 5, 3])}
    node = helper.make_node("Resize", ["x", "", "", "sizes"], ["y"])
    native.compare(native.build([node], {"x": x}, ["y"], constants, dtype=dtype), {"x": x})


@given(st.data())
def test_cubic(data):
    x = images(data.draw)
    pixels = [data.draw(st.integers(1, 30)), data.draw(st.integers(1, 30))]
    attributes = {
        "coordinate_transformation_mode": data.draw(st.sampled_from(PLACES)),
        "cubic_coeff_a": data.draw(st.sampled_from([-0.75, -0.5])),
        "exclude_outside": data.draw(st.integers(0, 1)),
    }
    native.compare(*resize(x, pixels, 13, mode="cubic", **attributes), atol=2e-4)


@given(st.data())
def test_antialias(data):
    x = images(data.draw)
    pixels = [data.draw(st.integers(1, 30)), data.draw(st.integers(1, 30))]
    mode = data.draw(st.sampled_from(["linear", "cubic"]))
    outside = data.draw(st.integers(0, 1))
    case = resize(x, pixels, mode=mode, antialias=1, exclude_outside=outside)
    native.compare(*case, atol=2e-4)


@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
@pytest.mark.parametrize("region", [(0.4, 0.6, 0.6, 0.8), (-0.3, 0.2, 1.1, 1.4), (1, 0, 0, 1)])
def test_crop(mode, region):
    x = np.random.default_rng(0).standard_normal((1, 3, 8, 9), np.float32)
    constants = {
        "roi": np.array([0, 0, *region[:2], 1, 1, *region[2:]], np.float32),
        "sizes": np.array([1, 3, 5, 7]),
    }
    attributes = {"coordinate_transformation_mode": "tf_crop_and_resize", "mode": mode}
    node = helper.make_node(
        "Resize", ["x", "roi", "", "sizes"], ["y"], extrapolation_value=10.0, **attributes
    )
    native.compare(native.build([node], {"x": x}, ["y"], constants), {"x": x}, atol=2e-4)


def test_crop_of_nothing_inside():
    x = np.ones((1, 1, 4, 4), np.float32)
    constants = {
        "roi": np.array([0, 0, 2, 2, 1, 1, 3, 3], np.float32),
        "sizes": np.array([1, 1, 3, 2]),
    }
    attributes = {"coordinate_transformation_mode": "tf_crop_and_resize", "mode": "linear"}
    node = helper.make_node(
        "Resize", ["x", "roi", "", "sizes"], ["y"], extrapolation_value=4.0, **attributes
    )
    native.compare(native.build([node], {"x": x}, ["y"], constants), {"x": x})


@given(st.data())
def test_any_rank(data):
    """Of which onnxruntime takes few."""
    shape = data.draw(st.lists(st.integers(1, 5), min_size=1, max_size=5))
    x = np.random.default_rng(0).standard_normal(shape, np.float32)
    sizes = np.array([data.draw(st.integers(1, 9)) for _ in shape])
    mode = data.draw(st.sampled_from(["nearest", "linear", "cubic"]))
    node = helper.make_node("Resize", ["x", "", "", "sizes"], ["y"], mode=mode)
    model = native.build([node], {"x": x}, ["y"], {"sizes": sizes})
    (expected,) = ReferenceEvaluator(model).run(None, {"x": x})
    part = native.subgraph(model)
    result = part.run({"x": x})["y"]
    part.close()
    np.testing.assert_allclose(result, expected, atol=5e-4)


@pytest.mark.parametrize("channels_last", [False, True])
def test_layouts(channels_last):
    """An image is resampled as it lies."""
    x = np.random.default_rng(0).standard_normal((2, 5, 6, 7), np.float32)
    nodes = [helper.make_node("Resize", ["h" if channels_last else "x", "", "scales"], ["y"])]
    nodes[0].attribute.append(helper.make_attribute("mode", "linear"))
    if channels_last:
        nodes.insert(0, helper.make_node("Transpose", ["x"], ["h"], perm=[0, 3, 1, 2]))
    constants = {"scales": np.array([1, 1, 2, 3], np.float32)}
    model = native.build(nodes, {"x": x}, ["y"], constants)
    native.compare(model, {"x": x}, atol=5e-5)
    part = native.subgraph(model)
    kinds = [task.split()[0] for task in native.tasks(part, {"x": x})]
    part.close()
    assert kinds == ["Resize"] + channels_last * ["Transpose"]


@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_beside_others(mode):
    """As in the neck of a detector: the resized image is written to where Concat wants it."""
    random = np.random.default_rng(0)
    feeds = {
        "x": random.standard_normal((1, 8, 4, 4), np.float32),
        "z": random.standard_normal((1, 8, 8, 8), np.float32),
    }
    constants = {
        "w": random.standard_normal((8, 8, 1, 1), np.float32),
        "scales": np.array([1, 1, 2, 2], np.float32),
    }
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"]),
        helper.make_node("Resize", ["a", "", "scales"], ["b"], mode=mode),
        helper.make_node("Conv", ["z", "w"], ["c"]),
        helper.make_node("Concat", ["b", "c"], ["d"], axis=1),
        helper.make_node("Relu", ["d"], ["y"]),
    ]
    model = native.build(nodes, feeds, ["y"], constants)
    native.compare(model, feeds, atol=1e-4)
    part = native.subgraph(model)
    kinds = [task.split()[0] for task in native.tasks(part, feeds)]
    part.close()
    assert "Concat" not in kinds


@pytest.mark.parametrize("policy", ["not_larger", "not_smaller"])
@pytest.mark.parametrize("sizes", [(7, 8), (3, 9), (20, 5)])
def test_aspect_ratio(policy, sizes):
    x = np.random.default_rng(0).standard_normal((1, 2, 5, 6), np.float32)
    constants = {"sizes": np.array(sizes)}
    attributes = {"keep_aspect_ratio_policy": policy, "axes": [2, 3]}
    node = helper.make_node("Resize", ["x", "", "", "sizes"], ["y"], **attributes)
    native.compare(native.build([node], {"x": x}, ["y"], constants, opset=18), {"x": x})


def test_empty_scales_and_roi():
    """How exporters write sizes at opset 11; onnxruntime's XNNPACK provider takes the empty scales for those to use."""
    x = np.random.default_rng(0).standard_normal((1, 2, 5, 6), np.float32)
    constants = {
        "roi": np.zeros(0, np.float32),
        "scales": np.zeros(0, np.float32),
        "sizes": np.array([1, 2, 10, 3]),
    }
    node = helper.make_node("Resize", ["x", *constants], ["y"], mode="linear")
    native.compare(native.build([node], {"x": x}, ["y"], constants, opset=11), {"x": x}, atol=5e-5)


def test_computed_scales():
    """They decide the shape, so there is a plan for each."""
    x = np.random.default_rng(0).standard_normal((1, 2, 5, 6), np.float32)
    feeds = {"x": x, "scales": np.array([1, 1, 0.6, 1.5], np.float32)}
    node = helper.make_node("Resize", ["x", "", "scales"], ["y"], mode="linear")
    native.compare(native.build([node], feeds, ["y"]), feeds, atol=5e-5)


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


def test_nothing():
    x = np.ones((0, 2, 3, 3), np.float32)
    data, feeds = resize(x, (5, 5), mode="linear")
    part = native.subgraph(data)
    assert part.run(feeds)["y"].shape == (0, 2, 5, 5)
    part.close()


def test_refusals():
    def reason(x, **attributes):
        return native.refusal(resize(x, (2, 2), **attributes)[0])

    x = np.ones((1, 3, 7, 5), np.float32)
    assert reason(x, mode="linear") is None
    assert reason(x, mode="quadratic") == "its mode is 'quadratic'"
    assert reason(x, nearest_mode="up") == "its nearest_mode is 'up'"
    place = {"coordinate_transformation_mode": "elsewhere"}
    assert reason(x, **place) == "its coordinate_transformation_mode is 'elsewhere'"
    floats = "input 'x' is uint8, not a float of 16 or 32 bits"
    node = helper.make_node("Resize", ["x", "", "scales"], ["y"], mode="linear")
    feeds, constants = {"x": x.astype(np.uint8)}, {"scales": np.array([1, 1, 2, 2], np.float32)}
    data = native.build([node], feeds, ["y"], constants, dtype=np.uint8)
    assert native.refusal(data) == floats
