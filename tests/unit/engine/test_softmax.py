"""Softmax over rows on the real binary against float64, but for the distances from the greatest, which are rounded."""

import numpy as np
import pytest

from pyxnn.engine import Kind, SoftmaxType
from tests.support.steps import run_step


def softmax(x: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        powers = np.exp((x - x.max(axis=-1, keepdims=True)).astype(np.float64))
    return powers / powers.sum(axis=-1, keepdims=True)


@pytest.mark.parametrize("channels", [*range(1, 9), 15, 16, 17, 31, 128, 197])
def test_rows(engine, channels):
    """Rows that lie apart; within 4e-7, as e^x is, and what is around the output stays as it was."""
    x = 10 * np.random.default_rng(channels).standard_normal((70, channels + 3), np.float32)
    dims = [70, channels, 1, channels + 3, channels + 1]
    out = run_step(
        engine, Kind.SOFTMAX, [SoftmaxType.SOFTMAX_ITSELF], dims, [x], (70, channels + 1)
    )
    expected = softmax(x[:, :channels])
    np.testing.assert_allclose(out[:, :channels], expected, rtol=5e-7, atol=1e-37)
    assert np.isnan(out[:-1, channels:]).all()


@pytest.mark.parametrize("inner", [4, 37])
def test_columns(engine, inner):
    """Columns of matrices that lie apart."""
    x = 10 * np.random.default_rng(inner).standard_normal((3, 5 * inner + 2), np.float32)
    dims = [3, 5, inner, 5 * inner + 2, 5 * inner]
    out = run_step(engine, Kind.SOFTMAX, [SoftmaxType.SOFTMAX_ITSELF], dims, [x], (3, 5, inner))
    matrices = x[:, : 5 * inner].reshape(3, 5, inner)
    expected = softmax(matrices.swapaxes(1, 2)).swapaxes(1, 2)
    np.testing.assert_allclose(out, expected, rtol=5e-7, atol=1e-37)


@pytest.mark.parametrize("channels", [3, 16, 23])
def test_masks_and_nans(engine, channels):
    """What is masked is 0; rows of nothing else, with a NaN or with inf are NaN, as by definition; far numbers are 0."""
    x = np.random.default_rng(0).standard_normal((6, channels), np.float32)
    x[0, 1:] = -np.inf
    x[1] = -np.inf
    x[2, channels - 1] = np.nan
    x[3, 0] = np.inf
    x[4, 0] = 3e38
    x[5] = -3e38
    dims = [6, channels, 1, channels, channels]
    out = run_step(engine, Kind.SOFTMAX, [SoftmaxType.SOFTMAX_ITSELF], dims, [x], x.shape)
    expected = softmax(x)
    np.testing.assert_array_equal(out[0], [1] + [0] * (channels - 1))
    assert np.isnan(out[1:4]).any(axis=1).all()
    assert np.isnan(out[1:3]).all()
    np.testing.assert_allclose(out[4:], expected[4:], rtol=5e-7)
