"""Elementwise functions on our kernels against float64."""

import math

import numpy as np
import pytest

from pyxnn.engine import FunctionType, Kind, UnaryType
from tests.support.steps import run_step

X = np.concatenate(
    [
        np.linspace(-12, 12, 200_003, dtype=np.float32),
        np.float32(10.0) ** np.linspace(-30, 0, 2001, dtype=np.float32),
    ]
)


def run(engine, function: FunctionType, x: np.ndarray) -> np.ndarray:
    return run_step(engine, Kind.FUNCTION, [function], [x.size], [x], x.shape)


def erf(x: np.ndarray) -> np.ndarray:
    return np.vectorize(math.erf)(x.astype(np.float64))


def gelu_tanh(x: np.ndarray) -> np.ndarray:
    x = x.astype(np.float64)
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def test_erf(engine):
    out = run(engine, FunctionType.ERF, X)
    np.testing.assert_allclose(out, erf(X), rtol=4e-7, atol=0)
    np.testing.assert_allclose(out, erf(X), rtol=0, atol=1.5e-7)
    assert (abs(out) <= 1).all()


def test_gelu_tanh(engine):
    out = run(engine, FunctionType.GELU_TANH, X)
    positive = X > -2
    np.testing.assert_allclose(out[positive], gelu_tanh(X[positive]), rtol=1e-6, atol=0)
    np.testing.assert_allclose(out, gelu_tanh(X), rtol=1e-6, atol=4e-7)


def test_gelu_by_xnnpack(engine):
    """XNNPACK's own, whose 1 + erf cancels for negative x: absolute, not relative."""
    dims = [1, X.size, X.size, X.size]
    out = run_step(engine, Kind.UNARY, [UnaryType.GELU, 0.0, 0.0], dims, [X], X.shape)
    expected = X * 0.5 * (1 + erf(X / math.sqrt(2)))
    np.testing.assert_allclose(out, expected, rtol=1e-6, atol=1e-6)


def test_extremes(engine):
    x = np.array([np.nan, np.inf, -np.inf, 3e38, -3e38, -0.0, 1e-45], np.float32)
    out = run(engine, FunctionType.ERF, x)
    np.testing.assert_array_equal(out[:5], [np.nan, 1, -1, 1, -1])
    assert math.copysign(1, out[5]) == -1
    out = run(engine, FunctionType.GELU_TANH, x)
    np.testing.assert_allclose(out[[0, 1, 3]], [np.nan, np.inf, 3e38])
    assert abs(out[4]) < 1e-30


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 2047, 2051])
def test_every_size(engine, size):
    x = np.linspace(-3, 3, size, dtype=np.float32)
    np.testing.assert_allclose(run(engine, FunctionType.ERF, x), erf(x), rtol=0, atol=1.5e-7)
