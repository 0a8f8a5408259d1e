"""Our depthwise kernel against XNNPACK's convolution: same sums, other order, so within a few roundings."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyxnn import errors
from pyxnn.engine import Kind
from tests.support.steps import run_step

INFINITY = float("inf")
PADS = [1, 1, 1, 1]


@given(
    kernel_w=st.sampled_from([3, 5]),
    kernel_h=st.integers(1, 5),
    stride_w=st.sampled_from([1, 2]),
    stride_h=st.integers(1, 3),
    pads=st.tuples(*[st.integers(0, 4)] * 4),
    channels=st.integers(1, 140),
    batch=st.integers(1, 2),
    size=st.tuples(st.integers(1, 12), st.integers(1, 14)),
    clamped=st.booleans(),
    with_bias=st.booleans(),
)
def test_equals_xnnpack(
    engine, kernel_w, kernel_h, stride_w, stride_h, pads, channels, batch, size, clamped, with_bias
):
    top, right, bottom, left = pads
    height = max(size[0], kernel_h - top - bottom)
    width = max(size[1], kernel_w - left - right)
    random = np.random.default_rng(channels)
    image = random.standard_normal((batch, height, width, channels), np.float32)
    kernel = random.standard_normal((channels, kernel_h, kernel_w), np.float32)
    bias = random.standard_normal(channels, np.float32) if with_bias else None
    out_height = (height + top + bottom - kernel_h) // stride_h + 1
    out_width = (width + left + right - kernel_w) // stride_w + 1
    out_shape = (batch, out_height, out_width, channels)
    limits = [-0.5, 1.0] if clamped else [-INFINITY, INFINITY]
    window = [kernel_h, kernel_w, stride_h, stride_w]
    dims = [batch, height, width, *pads, channels, channels]
    params = [*window, channels, *limits]
    ours = run_step(engine, Kind.DEPTHWISE, params, dims, [image], out_shape, kernel, bias)
    params = [*window, 1, 1, channels, 1, 1, 1, *limits]
    theirs = run_step(engine, Kind.CONVOLUTION, params, dims, [image], out_shape, kernel, bias)
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


def test_nan_stays_nan(engine):
    image = np.full((1, 4, 4, 4), np.nan, np.float32)
    kernel = np.ones((4, 3, 3), np.float32)
    params = [3, 3, 1, 1, 4, -INFINITY, INFINITY]
    out = run_step(
        engine, Kind.DEPTHWISE, params, [1, 4, 4, *PADS, 4, 4], [image], (1, 4, 4, 4), kernel
    )
    assert np.isnan(out).all()


def test_pixels_that_lie_apart(engine):
    """Channels of wider images; what is around the output stays as it was."""
    random = np.random.default_rng(0)
    wide = random.standard_normal((1, 6, 7, 20), np.float32)
    kernel = random.standard_normal((10, 3, 3), np.float32)
    params = [3, 3, 1, 1, 10, -INFINITY, INFINITY]
    image = np.ascontiguousarray(wide[..., :10])
    expected = run_step(
        engine, Kind.DEPTHWISE, params, [1, 6, 7, *PADS, 10, 10], [image], image.shape, kernel
    )
    out = run_step(
        engine, Kind.DEPTHWISE, params, [1, 6, 7, *PADS, 20, 13], [wide], (1, 6, 7, 13), kernel
    )
    np.testing.assert_array_equal(out[..., :10], expected)
    assert np.isnan(out[:, :, :-1, 10:]).all()


def test_refuses_pixels_that_overlap(engine):
    params = [3, 3, 1, 1, 4, -INFINITY, INFINITY]
    image, kernel = np.ones((1, 4, 4, 4), np.float32), np.ones((4, 3, 3), np.float32)
    for strides in ([3, 4], [4, 3]):
        with pytest.raises(errors.Fail):
            run_step(
                engine,
                Kind.DEPTHWISE,
                params,
                [1, 4, 4, *PADS, *strides],
                [image],
                image.shape,
                kernel,
            )
