"""Normalization of rows against float64: sums of float32, so to within a few roundings of results around 1."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyxnn import errors
from pyxnn.engine import Kind
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
    params = [channels, 1e-3, int(centered)]
    out = run_step(engine, Kind.LAYER_NORM, params, [rows], [x], x.shape, scale, bias)
    wide = x.astype(np.float64)
    centre = wide.mean(1, keepdims=True) if centered else 0.0
    variance = ((wide - centre) ** 2).mean(1, keepdims=True)
    expected = (wide - centre) / np.sqrt(variance + 1e-3) * scale + (0 if bias is None else bias)
    # The mean is good to a few units in the last place of the offset, and as much goes into each difference.
    np.testing.assert_allclose(out, expected, rtol=1e-5, atol=1e-5 + 1e-5 * offset)


def test_no_channels(engine):
    with pytest.raises(errors.Fail):
        engine.create_operator(Kind.LAYER_NORM, [0, 1e-5, 1], np.ones(1, np.float32))
