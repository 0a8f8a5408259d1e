"""RoiAlign, MaxRoiPool and DeformConv against native onnxruntime.

Tolerance: a mean of up to 300 products of numbers around 1 whose weights are differences of coordinates below 20: 1e-4 absolute.
A maximum of pixels is exact.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper

from pyxnn import errors
from tests.support import native

TOLERANCE = {"rtol": 1e-4, "atol": 1e-4}


def regions_of(random, count):
    """Corners in and around an image of ten pixels, some in the wrong order."""
    return np.concatenate(
        [random.uniform(-4, 12, (count, 2)), random.uniform(-2, 20, (count, 2))], 1
    )


@given(st.data())
def test_roi_align(data):
    random = np.random.default_rng(data.draw(st.integers(0, 99)))
    channels, count = data.draw(st.sampled_from([1, 3, 4, 21])), data.draw(st.integers(1, 4))
    feeds = {
        "x": random.standard_normal((2, channels, 10, 8), np.float32),
        "rois": regions_of(random, count).astype(np.float32),
        "images": random.integers(0, 2, count),
    }
    opset = data.draw(st.sampled_from([10, 16]))
    attributes = {
        "mode": data.draw(st.sampled_from(["avg", "max"])),
        "output_height": data.draw(st.integers(1, 4)),
        "output_width": data.draw(st.integers(1, 4)),
        "sampling_ratio": data.draw(st.integers(0, 5)),
        "spatial_scale": data.draw(st.sampled_from([1.0, 0.5, 0.6])),
    }
    if opset >= 16:
        modes = ["half_pixel", "output_half_pixel"]
        attributes["coordinate_transformation_mode"] = data.draw(st.sampled_from(modes))
    node = helper.make_node("RoiAlign", [*feeds], ["y"], **attributes)
    dynamic = data.draw(st.booleans())
    model = native.build([node], feeds, ["y"], opset=opset, dynamic=dynamic)
    native.compare(model, feeds, **TOLERANCE)


@given(st.data())
def test_max_roi_pool(data):
    random = np.random.default_rng(data.draw(st.integers(0, 99)))
    count = data.draw(st.integers(1, 4))
    images = random.integers(0, 2, (count, 1))
    feeds = {
        "x": random.standard_normal(
            (2, data.draw(st.sampled_from([1, 3, 4, 21])), 10, 8), np.float32
        ),
        "rois": np.concatenate([images, regions_of(random, count)], 1).astype(np.float32),
    }
    attributes = {
        "pooled_shape": data.draw(st.lists(st.integers(1, 4), min_size=2, max_size=2)),
        "spatial_scale": data.draw(st.sampled_from([1.0, 0.5])),
    }
    node = helper.make_node("MaxRoiPool", [*feeds], ["y"], **attributes)
    native.compare(native.build([node], feeds, ["y"]), feeds)


@pytest.mark.parametrize("op_type", ["RoiAlign", "MaxRoiPool"])
def test_regions_of_no_image(op_type):
    feeds = {"x": np.ones((1, 1, 4, 4), np.float32)}
    if op_type == "RoiAlign":
        feeds |= {"rois": np.ones((1, 4), np.float32), "images": np.array([1])}
        node = helper.make_node(op_type, [*feeds], ["y"])
    else:
        feeds |= {"rois": np.ones((1, 5), np.float32)}
        node = helper.make_node(op_type, [*feeds], ["y"], pooled_shape=[1, 1])
    part = native.subgraph(native.build([node], feeds, ["y"]))
    with pytest.raises(errors.InvalidArgument, match="out of bounds"):
        part.run(feeds)
    part.close()


@given(st.data())
def test_deform_conv(data):
    draw = data.draw
    random = np.random.default_rng(draw(st.integers(0, 99)))
    groups, parts = draw(st.sampled_from([1, 2])), draw(st.sampled_from([1, 2]))
    kernel, strides, dilations = (
        draw(st.lists(st.integers(1, most), min_size=2, max_size=2)) for most in (3, 2, 2)
    )
    pads = draw(st.lists(st.integers(0, 2), min_size=4, max_size=4))
    image = 7, 8
    out = [
        (image[i] + pads[i] + pads[i + 2] - dilations[i] * (kernel[i] - 1) - 1) // strides[i] + 1
        for i in (0, 1)
    ]
    channels, taps, batch = draw(st.sampled_from([2, 4, 20])), kernel[0] * kernel[1], 2
    feeds = {
        "x": random.standard_normal((batch, channels, *image), np.float32),
        "offset": random.uniform(-2, 2, (batch, parts * taps * 2, *out)).astype(np.float32),
    }
    constants = {
        "w": random.standard_normal((6, channels // groups, *kernel), np.float32),
        "b": random.standard_normal(6, np.float32),
    }
    inputs = ["x", "w", "offset", draw(st.sampled_from(["", "b"]))]
    if draw(st.booleans()):
        feeds["mask"] = random.uniform(0, 1, (batch, parts * taps, *out)).astype(np.float32)
        inputs.append("mask")
    if draw(st.booleans()):
        feeds["w"] = constants.pop("w")
    attributes = {
        "kernel_shape": kernel,
        "strides": strides,
        "dilations": dilations,
        "pads": pads,
        "group": groups,
        "offset_group": parts,
    }
    nodes = [
        helper.make_node("DeformConv", inputs, ["h"], **attributes),
        helper.make_node("Relu", ["h"], ["y"]),
    ]
    model = native.build(nodes, feeds, ["y"], constants, opset=19, dynamic=draw(st.booleans()))
    native.compare(model, feeds, **TOLERANCE)


def test_refusals():
    x = np.ones((1, 1, 4, 4), np.float32)

    def reason(op_type, feeds, constants=None, **attributes):
        node = helper.make_node(op_type, [*feeds, *(constants or {})], ["y"], **attributes)
        return native.refusal(native.build([node], feeds, ["y"], constants, opset=19))

    rois = {"x": x, "rois": np.ones((1, 4), np.float32), "images": np.zeros(1, np.int64)}
    assert reason("RoiAlign", rois) is None
    assert reason("RoiAlign", rois, mode="median") == "its mode is 'median'"
