"""Convolution by minimal filtering against float64.

Tolerance: transforms add up to four numbers and multiply by powers of two, the products are summed as any convolution's; so an
error is a few times that of a sum of as many products, each of values around 1: below 1e-5 of the sum's deviation, 3 * sqrt(in
channels).
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyxnn import errors
from pyxnn.engine import Engine, Kind
from tests.support.steps import run_step
from tests.support.wasmtime_host import BINARY, WasmtimeHost

INFINITY = float("inf")


@pytest.fixture(scope="module", params=["relaxed", "simd"])
def engine(request):
    """Of both instruction sets."""
    return Engine(WasmtimeHost(BINARY.with_name(f"pyxnn-{request.param}-single.wasm")))


def parameters(groups, ins, outs, limits=(-INFINITY, INFINITY)):
    return [3, 3, 1, 1, 1, 1, groups, ins, outs, 1, *limits]


def convolve(image, kernel, pads):
    """In float64: an image [n, h, w, groups * in], a kernel [groups, out, 3, 3, in], pads top, right, bottom, left."""
    top, right, bottom, left = pads
    image = np.pad(image.astype(np.float64), [(0, 0), (top, bottom), (left, right), (0, 0)])
    image = image.reshape(*image.shape[:3], kernel.shape[0], -1)
    height, width = image.shape[1] - 2, image.shape[2] - 2
    out = sum(
        np.einsum(
            "nhwgi,goi->nhwgo",
            image[:, y : y + height, x : x + width],
            kernel[:, :, y, x].astype(np.float64),
        )
        for y in range(3)
        for x in range(3)
    )
    return out.reshape(*out.shape[:3], -1)


@given(
    pads=st.tuples(*[st.integers(0, 4)] * 4),
    groups=st.integers(1, 3),
    channels=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    batch=st.integers(1, 3),
    size=st.tuples(st.integers(1, 12), st.integers(1, 14)),
    clamped=st.booleans(),
    with_bias=st.booleans(),
)
def test_equals_convolution(engine, pads, groups, channels, batch, size, clamped, with_bias):
    top, right, bottom, left = pads
    ins, outs = channels
    height, width = max(size[0], 3 - top - bottom), max(size[1], 3 - left - right)
    random = np.random.default_rng(ins)
    image = random.standard_normal((batch, height, width, groups * ins), np.float32)
    kernel = random.standard_normal((groups, outs, 3, 3, ins), np.float32)
    bias = random.standard_normal(groups * outs, np.float32) if with_bias else None
    limits = (-0.5, 1.0) if clamped else (-INFINITY, INFINITY)
    expected = convolve(image, kernel, pads)
    if bias is not None:
        expected = expected + bias
    dims = [batch, height, width, *pads, groups * ins, groups * outs]
    params = parameters(groups, ins, outs, limits)
    out = run_step(engine, Kind.WINOGRAD, params, dims, [image], expected.shape, kernel, bias)
    np.testing.assert_allclose(out, expected.clip(*limits), atol=3e-5 * ins**0.5)


@pytest.mark.parametrize("ins", [16, 64, 512])
def test_is_nearly_as_exact_as_direct_sums(engine, ins):
    random = np.random.default_rng(0)
    image = random.standard_normal((1, 9, 9, ins), np.float32)
    kernel = random.standard_normal((1, 16, 3, 3, ins), np.float32)
    expected = convolve(image, kernel, (1, 1, 1, 1))
    errors_by_kind = [
        np.abs(
            run_step(
                engine,
                kind,
                parameters(1, ins, 16),
                [1, 9, 9, 1, 1, 1, 1, ins, 16],
                [image],
                expected.shape,
                kernel,
            )
            - expected
        )
        for kind in (Kind.WINOGRAD, Kind.CONVOLUTION)
    ]
    ours, direct = (float(np.sqrt(np.mean(error**2))) for error in errors_by_kind)
    assert ours < 2 * direct
    assert errors_by_kind[0].max() < 1e-6 * np.abs(expected).max()


def test_many_tiles_through_many_channels(engine):
    """More than one block of tiles, and of the channels that one pass takes."""
    random = np.random.default_rng(0)
    image = random.standard_normal((2, 33, 31, 260), np.float32)
    kernel = random.standard_normal((1, 20, 3, 3, 260), np.float32)
    expected = convolve(image, kernel, (0, 0, 0, 0))
    dims = [2, 33, 31, 0, 0, 0, 0, 260, 20]
    params = parameters(1, 260, 20)
    out = run_step(engine, Kind.WINOGRAD, params, dims, [image], expected.shape, kernel)
    np.testing.assert_allclose(out, expected, atol=5e-4)


def test_nan_reaches_those_windows_that_it_is_in(engine):
    image = np.ones((1, 9, 9, 8), np.float32)
    image[0, 4, 5, 3] = np.nan
    kernel = np.ones((1, 8, 3, 3, 8), np.float32)
    dims = [1, 9, 9, 1, 1, 1, 1, 8, 8]
    out = run_step(engine, Kind.WINOGRAD, parameters(1, 8, 8), dims, [image], image.shape, kernel)
    expected = np.zeros(image.shape, bool)
    expected[:, 3:6, 4:7] = True
    np.testing.assert_array_equal(np.isnan(out), expected)


def test_pixels_that_lie_apart(engine):
    """Channels of wider images; what is around the output stays as it was."""
    random = np.random.default_rng(0)
    wide = random.standard_normal((1, 6, 7, 20), np.float32)
    kernel = random.standard_normal((1, 11, 3, 3, 10), np.float32)
    params, head = parameters(1, 10, 11), [1, 6, 7, 1, 1, 1, 1]
    image = np.ascontiguousarray(wide[..., :10])
    expected = run_step(
        engine, Kind.WINOGRAD, params, [*head, 10, 11], [image], (1, 6, 7, 11), kernel
    )
    out = run_step(engine, Kind.WINOGRAD, params, [*head, 20, 13], [wide], (1, 6, 7, 13), kernel)
    np.testing.assert_array_equal(out[..., :11], expected)
    assert np.isnan(out[:, :, :-1, 11:]).all()


def test_refusals(engine):
    kernel = np.ones((1, 4, 3, 3, 4), np.float32)
    with pytest.raises(errors.NotImplemented, match="minimal filtering"):
        engine.create_operator(Kind.WINOGRAD, [3, 3, 2, 1, *parameters(1, 4, 4)[4:]], kernel, None)
    with pytest.raises(errors.NotImplemented, match="minimal filtering"):
        engine.create_operator(Kind.WINOGRAD, parameters(1, 1537, 4), kernel, None)
    image = np.ones((1, 4, 4, 4), np.float32)
    for strides in ([3, 4], [4, 3]):
        with pytest.raises(errors.Fail):
            dims = [1, 4, 4, 1, 1, 1, 1, *strides]
            run_step(engine, Kind.WINOGRAD, parameters(1, 4, 4), dims, [image], image.shape, kernel)
