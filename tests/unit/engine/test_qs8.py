"""Products of int8 numbers against NumPy's int64: sums are exact, and so is the way back to int8."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view

from pyxnn import errors
from pyxnn.engine import Kind
from tests.support.steps import run_step

zero_points = st.integers(-128, 127)
kernel_zero_points = st.one_of(
    st.just((0, 0)), zero_points.map(lambda x: (x, x)), st.just((-128, 127))
)
"""Those of the weights of channels: two bounds of random numbers."""
bounds = st.sampled_from([(-128, 127), (0, 127), (-128, -7), (-20, 30), (5, 5)])


def words(*numbers: int) -> list[int]:
    return [number & 0xFFFFFFFF for number in numbers]


def int8(random: np.random.Generator, *shape: int) -> np.ndarray:
    """Any int8 numbers, the extremes often."""
    array = random.integers(-128, 128, shape, np.int8)
    extremes = random.choice(np.array([-128, 127], np.int8), shape)
    return np.where(random.random(shape) < 0.2, extremes, array)


def scaling(random: np.random.Generator, channels: int, terms: int) -> tuple[np.ndarray, ...]:
    """A bias and multipliers that spread results over the range and beyond."""
    spread = 128 * 128 * max(terms, 1) ** 0.5
    bias = random.integers(-int(spread), int(spread), channels, np.int32)
    multipliers = (random.uniform(0.2, 3, channels) * 100 / spread).astype(np.float32)
    return bias, multipliers


def packed(bias: np.ndarray, multipliers: np.ndarray, points: np.ndarray) -> np.ndarray:
    return np.concatenate([bias, multipliers.view(np.int32), points.astype(np.int32)])


def points_of(random: np.random.Generator, bounds: tuple[int, int], channels: int) -> np.ndarray:
    return random.integers(bounds[0], bounds[1] + 1, channels)


def reaches(kernel: Sequence[int], dilations: Sequence[int]) -> list[int]:
    """How many pixels a window spans."""
    return [dilation * (extent - 1) + 1 for dilation, extent in zip(dilations, kernel, strict=True)]


def extents(
    size: Sequence[int], kernel: Sequence[int], dilations: Sequence[int], pads: Sequence[int]
) -> tuple[int, int]:
    """Height and width of an image, at least so large that a window fits."""
    top, right, bottom, left = pads
    reach = reaches(kernel, dilations)
    return max(size[0], reach[0] - top - bottom), max(size[1], reach[1] - left - right)


def windows_of(
    image: np.ndarray,
    kernel: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
    pads: Sequence[int],
) -> np.ndarray:
    """[batch, rows, columns, channels, *kernel]: what lies under the windows on an image padded with zeros."""
    top, right, bottom, left = pads
    padded = np.pad(image, [(0, 0), (top, bottom), (left, right), (0, 0)])
    windows = sliding_window_view(padded, reaches(kernel, dilations), (1, 2))
    return windows[:, :: strides[0], :: strides[1], :, :: dilations[0], :: dilations[1]]


def requantized(sums: np.ndarray, multipliers: np.ndarray, zero: int, low: int, high: int):
    scaled = sums.astype(np.int32).astype(np.float32) * multipliers
    return np.clip(np.rint(scaled) + zero, low, high).astype(np.int8)


@given(
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 5)),
    strides=st.tuples(st.integers(1, 2), st.integers(1, 3)),
    dilations=st.tuples(st.integers(1, 2), st.integers(1, 2)),
    pads=st.tuples(*[st.integers(0, 3)] * 4),
    groups=st.integers(1, 3),
    channels=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    batch=st.integers(1, 2),
    size=st.tuples(st.integers(1, 9), st.integers(1, 14)),
    zeros=st.tuples(zero_points, zero_points),
    kernel_zeros=kernel_zero_points,
    bounds=bounds,
)
def test_convolution(
    engine,
    kernel,
    strides,
    dilations,
    pads,
    groups,
    channels,
    batch,
    size,
    zeros,
    kernel_zeros,
    bounds,
):
    height, width = extents(size, kernel, dilations, pads)
    ins, outs = channels
    random = np.random.default_rng(ins * outs)
    image = int8(random, batch, height, width, groups * ins)
    weights = int8(random, groups, outs, *kernel, ins)
    bias, multipliers = scaling(random, groups * outs, ins * kernel[0] * kernel[1])
    points = points_of(random, kernel_zeros, groups * outs)
    centered = weights.astype(np.int64) - points.reshape(groups, outs, 1, 1, 1)

    windows = windows_of(image.astype(np.int64) - zeros[0], kernel, strides, dilations, pads)
    windows = windows.reshape(*windows.shape[:3], groups, ins, *kernel)
    sums = np.einsum("nyxgihw,gohwi->nyxgo", windows, centered)
    sums = sums.reshape(*sums.shape[:3], -1) + bias
    expected = requantized(sums, multipliers, zeros[1], *bounds)

    strides_of_pixels = [groups * ins, groups * outs]
    params = [*kernel, *strides, *dilations, groups, ins, outs, int(any(pads))]
    params += words(*zeros, *bounds)
    dims = [batch, height, width, *pads, *strides_of_pixels]
    out = run_step(
        engine,
        Kind.CONVOLUTION_QS8,
        params,
        dims,
        [image],
        expected.shape,
        weights,
        packed(bias, multipliers, points),
        np.int8,
    )
    np.testing.assert_array_equal(out, expected)


@given(
    pads=st.tuples(*[st.integers(0, 3)] * 4),
    groups=st.integers(1, 2),
    channels=st.tuples(st.integers(1, 5).map(lambda eights: 8 * eights), st.integers(1, 40)),
    batch=st.integers(1, 2),
    size=st.tuples(st.integers(1, 14), st.integers(1, 20)),
    zeros=st.tuples(zero_points, zero_points),
    kernel_zeros=kernel_zero_points,
    bounds=bounds,
)
def test_minimal_filtering(
    engine, pads, groups, channels, batch, size, zeros, kernel_zeros, bounds
):
    """The same numbers as those of the direct sums."""
    ins, outs = channels
    height = max(size[0], 3 - pads[0] - pads[2])
    width = max(size[1], 3 - pads[1] - pads[3])
    random = np.random.default_rng(ins * outs)
    image = int8(random, batch, height, width, groups * ins)
    weights = int8(random, groups, outs, 3, 3, ins)
    bias, multipliers = scaling(random, groups * outs, ins * 9)
    points = points_of(random, kernel_zeros, groups * outs)
    params = [3, 3, 1, 1, 1, 1, groups, ins, outs, 1, *words(*zeros, *bounds)]
    dims = [batch, height, width, *pads, groups * ins, groups * outs]
    shape = (batch, height + pads[0] + pads[2] - 2, width + pads[1] + pads[3] - 2, groups * outs)
    direct, minimal = (
        run_step(
            engine,
            kind,
            params,
            dims,
            [image],
            shape,
            weights,
            packed(bias, multipliers, points),
            np.int8,
        )
        for kind in (Kind.CONVOLUTION_QS8, Kind.WINOGRAD_QS8)
    )
    np.testing.assert_array_equal(minimal, direct)


def test_minimal_filtering_of_most_channels(engine):
    """Sums of the largest numbers don't wrap."""
    image = np.full((1, 4, 5, 896), -128, np.int8)
    weights = np.full((1, 1, 3, 3, 896), -128, np.int8)
    params = [3, 3, 1, 1, 1, 1, 1, 896, 1, 0, *words(127, 0, -128, 127)]
    scales = packed(np.zeros(1, np.int32), np.full(1, 2e-7, np.float32), np.full(1, 127, np.int32))
    out = run_step(
        engine,
        Kind.WINOGRAD_QS8,
        params,
        [1, 4, 5, 0, 0, 0, 0, 896, 1],
        [image],
        (1, 2, 3, 1),
        weights,
        scales,
        np.int8,
    )
    assert (out == round(896 * 9 * 255 * 255 * 2e-7)).all()


@pytest.mark.parametrize("inputs", [12, 904])
def test_minimal_filtering_refuses(engine, inputs):
    weights = np.zeros((1, 1, 3, 3, inputs), np.int8)
    params = [3, 3, 1, 1, 1, 1, 1, inputs, 1, 0, *words(0, 0, -128, 127)]
    scales = packed(np.zeros(1, np.int32), np.ones(1, np.float32), np.zeros(1, np.int32))
    with pytest.raises(errors.NotImplemented, match="minimal filtering"):
        engine.create_operator(Kind.WINOGRAD_QS8, params, weights, scales)


@given(
    rows=st.integers(1, 60),
    channels=st.tuples(st.integers(1, 70), st.integers(1, 70)),
    zeros=st.tuples(zero_points, zero_points),
    kernel_zeros=kernel_zero_points,
    bounds=bounds,
    transposed=st.booleans(),
)
def test_fully_connected(engine, rows, channels, zeros, kernel_zeros, bounds, transposed):
    ins, outs = channels
    random = np.random.default_rng(rows * ins)
    x, weights = int8(random, rows, ins), int8(random, ins, outs)
    bias, multipliers = scaling(random, outs, ins)
    points = points_of(random, kernel_zeros, outs)
    sums = (x.astype(np.int64) - zeros[0]) @ (weights.astype(np.int64) - points) + bias
    params = [ins, outs, *words(*zeros, *bounds), int(transposed)]
    out = run_step(
        engine,
        Kind.FULLY_CONNECTED_QS8,
        params,
        [rows, ins, outs],
        [x],
        sums.shape,
        np.ascontiguousarray(weights if transposed else weights.T),
        packed(bias, multipliers, points),
        np.int8,
    )
    np.testing.assert_array_equal(out, requantized(sums, multipliers, zeros[1], *bounds))


@given(
    kernel=st.one_of(
        st.tuples(st.integers(1, 5), st.sampled_from([3, 5])),
        st.tuples(st.integers(1, 7), st.integers(1, 7)),
    ),
    strides=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    dilations=st.one_of(st.just((1, 1)), st.tuples(st.integers(1, 3), st.integers(1, 3))),
    pads=st.tuples(*[st.integers(0, 4)] * 4),
    channels=st.integers(1, 70),
    apart=st.booleans(),
    batch=st.integers(1, 2),
    size=st.tuples(st.integers(1, 9), st.integers(1, 14)),
    zeros=st.tuples(zero_points, zero_points),
    kernel_zeros=kernel_zero_points,
    bounds=bounds,
)
def test_depthwise(
    engine,
    kernel,
    strides,
    dilations,
    pads,
    channels,
    apart,
    batch,
    size,
    zeros,
    kernel_zeros,
    bounds,
):
    height, width = extents(size, kernel, dilations, pads)
    random = np.random.default_rng(channels)
    image = int8(random, batch, height, width, channels + 3 * apart)
    weights = int8(random, channels, *kernel)
    bias, multipliers = scaling(random, channels, kernel[0] * kernel[1])
    points = points_of(random, kernel_zeros, channels)
    centered = weights.astype(np.int64) - points[:, None, None]

    centered_image = image[..., :channels].astype(np.int64) - zeros[0]
    windows = windows_of(centered_image, kernel, strides, dilations, pads)
    sums = np.einsum("nyxchw,chw->nyxc", windows, centered) + bias
    expected = requantized(sums, multipliers, zeros[1], *bounds)

    pixel_strides = [image.shape[-1], channels + 5 * apart]
    out = run_step(
        engine,
        Kind.DEPTHWISE_QS8,
        [*kernel, *strides, *dilations, channels, *words(*zeros, *bounds)],
        [batch, height, width, *pads, *pixel_strides],
        [image],
        (*expected.shape[:3], pixel_strides[1]),
        weights,
        packed(bias, multipliers, points),
        np.int8,
    )
    np.testing.assert_array_equal(out[..., :channels], expected)
    assert (out[:, :, :, channels:] == -1).all()


@pytest.mark.parametrize("value", [-128, 127])
def test_sums_of_extremes(engine, value):
    """The greatest sums, whose products with the multiplier are far outside of int8."""
    x, weights = np.full((7, 2000), value, np.int8), np.full((9, 2000), value, np.int8)
    bias = packed(np.zeros(9, np.int32), np.full(9, 200, np.float32), np.zeros(9))
    params = [2000, 9, *words(-value - 1, 3, -128, 127), 0]
    out = run_step(
        engine, Kind.FULLY_CONNECTED_QS8, params, [7, 2000, 9], [x], (7, 9), weights, bias, np.int8
    )
    np.testing.assert_array_equal(out, np.full((7, 9), 127))
