"""GridSample, AffineGrid, CenterCropPad and Col2Im against native onnxruntime or onnx.reference.

Tolerance: a coordinate below 20 is rounded three times, and a cubic has 16 weights above and below 1: 2e-4 absolute.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper
from onnx.reference import ReferenceEvaluator

from tests.support import native


def compare_with_reference(data, feeds, atol=1e-5):
    (expected,) = ReferenceEvaluator(data).run(None, feeds)
    part = native.subgraph(data)
    result = part.run(feeds)["y"]
    part.close()
    np.testing.assert_allclose(result, expected, atol=atol)


@given(st.data())
def test_grid_sample(data):
    rank = data.draw(st.sampled_from([2, 2, 3]))
    random = np.random.default_rng(data.draw(st.integers(0, 9)))
    extents = data.draw(st.lists(st.integers(2, 8), min_size=2 * rank, max_size=2 * rank))
    batch, channels = data.draw(st.integers(1, 2)), data.draw(st.sampled_from([1, 3, 4, 21]))
    grid = random.uniform(-1.6, 1.6, (batch, *extents[rank:], rank)).astype(np.float32)
    x = random.standard_normal((batch, channels, *extents[:rank]), np.float32)
    modes = ["linear", "nearest", "cubic"] if rank == 2 else ["linear", "nearest"]
    attributes = {
        "mode": data.draw(st.sampled_from(modes)),
        "padding_mode": data.draw(st.sampled_from(["zeros", "border", "reflection"])),
        "align_corners": data.draw(st.integers(0, 1)),
    }
    node = helper.make_node("GridSample", ["x", "grid"], ["y"], **attributes)
    feeds = {"x": x, "grid": grid}
    native.compare(native.build([node], feeds, ["y"], opset=20), feeds, atol=2e-4)


def test_grid_that_is_no_number():
    feeds = {
        "x": np.ones((1, 1, 3, 3), np.float32),
        "grid": np.full((1, 1, 2, 2), [np.nan, np.inf], np.float32),
    }
    node = helper.make_node("GridSample", ["x", "grid"], ["y"])
    part = native.subgraph(native.build([node], feeds, ["y"], opset=20))
    assert part.run(feeds)["y"].shape == (1, 1, 1, 2)
    part.close()


@pytest.mark.parametrize("places", [1, 3, 17, 40])
def test_pixels_outside_count_nothing(places):
    """Whatever there is at the border, and where a coordinate is no number."""
    x = np.ones((1, 5, 3, 3), np.float32)
    x[:, :, 0] = x[:, :, :, 0] = np.inf
    grid = np.full((1, 1, places, 2), [-2.5, 1.9], np.float32)
    grid[0, 0, ::2] = [np.nan, 0.5]
    grid[0, 0, -1] = [0.5, 0.5]
    node = helper.make_node("GridSample", ["x", "grid"], ["y"])
    part = native.subgraph(native.build([node], {"x": x, "grid": grid}, ["y"], opset=20))
    result = part.run({"x": x, "grid": grid})["y"]
    part.close()
    assert (result[..., :-1] == 0).all()
    assert (result[..., -1] == 1).all()


@pytest.mark.parametrize("size", [(2, 3, 4, 5), (1, 2, 3, 4, 5)])
@pytest.mark.parametrize("align", [0, 1])
def test_affine_grid(size, align):
    rank = len(size) - 2
    theta = np.random.default_rng(0).standard_normal((size[0], rank, rank + 1), np.float32)
    node = helper.make_node("AffineGrid", ["theta", "size"], ["y"], align_corners=align)
    data = native.build([node], {"theta": theta}, ["y"], {"size": np.array(size)}, opset=20)
    compare_with_reference(data, {"theta": theta})


@pytest.mark.parametrize("shape", [(5, 9), (8, 4), (7, 7)])
def test_center_crop_pad(shape):
    x = np.random.default_rng(0).standard_normal((2, 7, 6), np.float32)
    node = helper.make_node("CenterCropPad", ["x", "shape"], ["y"], axes=[1, -1])
    data = native.build([node], {"x": x}, ["y"], {"shape": np.array(shape)}, opset=18)
    compare_with_reference(data, {"x": x})


@pytest.mark.parametrize("strides", [[1, 1], [2, 3]])
def test_col2im(strides):
    blocks = ((9 - 2) // strides[0] + 1) * ((8 - 3) // strides[1] + 1)
    x = np.random.default_rng(0).standard_normal((2, 4 * 6, blocks), np.float32)
    constants = {"image": np.array([9, 8]), "block": np.array([2, 3])}
    node = helper.make_node("Col2Im", ["x", *constants], ["y"], strides=strides)
    data = native.build([node], {"x": x}, ["y"], constants, opset=18)
    native.compare(data, {"x": x}, atol=1e-5)


def test_refusals():
    feeds = {
        "x": np.ones((1, 1, 3, 3), np.float32),
        "grid": np.zeros((1, 1, 2, 2), np.float32),
    }

    def reason(**attributes):
        node = helper.make_node("GridSample", ["x", "grid"], ["y"], **attributes)
        return native.refusal(native.build([node], feeds, ["y"], opset=20))

    assert reason() is None
    assert reason(mode="quadratic") == "its mode is 'quadratic'"
    assert reason(padding_mode="wrap") == "its padding_mode is 'wrap'"
