"""Normalization against float64: sums of float32, so to within a few roundings of results around 1."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyxnn import errors
from pyxnn.engine import Kind, NormalizeType
from tests.support.steps import run_step


@given(
    rows=st.integers(1, 40),
    channels=st.integers(1, 300),
    centered=st.booleans(),
    with_bias=st.booleans(),
    offset=st.sampled_from([0.0, 100.0]),
)
def test_layer_norm(engine, rows, channels, centered, with_bias, offset):
    random = np.random.default_rng(rows * 1000 + channels)
    x = random.standard_normal((rows, channels), np.float32) + np.float32(offset)
    scale = random.standard_normal(channels, np.float32)
    bias = random.standard_normal(channels, np.float32) if with_bias else None
    type = NormalizeType.NORMALIZE_VARIANCE if centered else NormalizeType.NORMALIZE_MEAN_SQUARE
    inputs = [x, scale, np.zeros(channels, np.float32) if bias is None else bias]
    params, dims = [type, 1e-3, -np.inf, np.inf], [rows, 1, 1, channels, 1]
    out = run_step(engine, Kind.NORMALIZE, params, dims, inputs, x.shape)
    wide = x.astype(np.float64)
    centre = wide.mean(1, keepdims=True) if centered else 0.0
    variance = ((wide - centre) ** 2).mean(1, keepdims=True)
    expected = (wide - centre) / np.sqrt(variance + 1e-3) * scale + (0 if bias is None else bias)
    # The mean is good to a few units in the last place of the offset, and as much goes into each difference.
    np.testing.assert_allclose(out, expected, rtol=1e-5, atol=1e-5 + 1e-5 * offset)


SPREADS = {
    NormalizeType.NORMALIZE_VARIANCE: lambda x, axes: np.sqrt(x.var(axes, keepdims=True) + 1e-3),
    NormalizeType.NORMALIZE_DEVIATION: lambda x, axes: x.std(axes, keepdims=True) + 1e-3,
    NormalizeType.NORMALIZE_MAGNITUDE: lambda x, axes: abs(x).sum(axes, keepdims=True),
    NormalizeType.NORMALIZE_EUCLIDEAN: lambda x, axes: np.sqrt((x * x).sum(axes, keepdims=True)),
    NormalizeType.NORMALIZE_MEAN_SQUARE: lambda x, axes: np.sqrt(
        (x * x).mean(axes, keepdims=True) + 1e-3
    ),
}


@given(
    type=st.sampled_from(sorted(SPREADS)),
    outer=st.integers(1, 3),
    positions=st.sampled_from([1, 2, 5, 300, 1500]),
    groups=st.sampled_from([1, 2, 3, 7, 33]),
    blocks=st.integers(1, 3),
    block=st.sampled_from([1, 4, 7, 100]),
    offset=st.sampled_from([0.0, 100.0]),
)
def test_groups(engine, type, outer, positions, groups, blocks, block, offset):
    depth = blocks * block
    random = np.random.default_rng(positions * groups)
    x = random.standard_normal((outer, positions, groups, depth), np.float32) + np.float32(offset)
    scale, bias = random.standard_normal((2, groups * blocks), np.float32)
    params = [type, 1e-3, -1.5, 1.5]
    dims = [outer, positions, groups, depth, block]
    out = run_step(engine, Kind.NORMALIZE, params, dims, [x, scale, bias], x.shape)
    wide = x.astype(np.float64)
    is_centered = type in (NormalizeType.NORMALIZE_VARIANCE, NormalizeType.NORMALIZE_DEVIATION)
    center = wide.mean((1, 3), keepdims=True) if is_centered else 0.0
    normal = (wide - center) / SPREADS[type](wide, (1, 3))
    scales, biases = (np.repeat(a, block).reshape(groups, depth) for a in (scale, bias))
    expected = np.clip(normal * scales + biases, -1.5, 1.5)
    np.testing.assert_allclose(out, expected, rtol=1e-5, atol=2e-5 + 2e-5 * offset)


def test_zeros_have_no_norm(engine):
    x = np.zeros((1, 4, 2, 1), np.float32)
    one, zero = np.ones(1, np.float32), np.zeros(1, np.float32)
    for type in (NormalizeType.NORMALIZE_MAGNITUDE, NormalizeType.NORMALIZE_EUCLIDEAN):
        params, dims = [type, 0.0, -np.inf, np.inf], [1, 4, 2, 1, 2]
        out = run_step(engine, Kind.NORMALIZE, params, dims, [x, one, zero], x.shape)
        np.testing.assert_array_equal(out, x)


def test_unknown_type(engine):
    with pytest.raises(errors.Fail):
        engine.create_operator(Kind.NORMALIZE, [9, 1e-5, 0.0, 1.0])
