"""Elementwise functions on our kernels against float64."""

import math

import ml_dtypes
import numpy as np
import pytest

from pyxnn import errors
from pyxnn.engine import FunctionType, Kind
from tests.support.steps import run_step

X = np.concatenate(
    [
        np.linspace(-12, 12, 200_003, dtype=np.float32),
        np.float32(10.0) ** np.linspace(-30, 0, 2001, dtype=np.float32),
    ]
)


def run(engine, function: FunctionType, x: np.ndarray, *parameters: float) -> np.ndarray:
    params = [function, *map(float, parameters), *[0.0] * (3 - len(parameters))]
    return run_step(engine, Kind.FUNCTION, params, [1, x.size, x.size, x.size], [x], x.shape)


def _everything() -> np.ndarray:
    """Numbers of every exponent and sign, those around 0 and 1, and those that are none."""
    random = np.random.default_rng(0)
    bits = random.integers(0, 1 << 32, 100_000, np.uint64).astype(np.uint32).view(np.float32)
    usual = [scale * random.standard_normal(30_000) for scale in (0.01, 1, 10, 100)]
    around_one = 1 + 1e-3 * random.standard_normal(10_000)
    special = [
        0.0,
        -0.0,
        1,
        -1,
        np.inf,
        -np.inf,
        np.nan,
        1e-45,
        -1e-45,
        3.4028235e38,
        -3.4028235e38,
    ]
    return np.concatenate([bits, *usual, around_one, special]).astype(np.float32)


EVERYTHING = _everything()


def units(out: np.ndarray, exact: np.ndarray) -> float:
    """By how many units in the last place the worst result is off; asserts that all others are what they should be."""
    with np.errstate(over="ignore"):
        rounded = exact.astype(np.float32)
    finite = np.isfinite(rounded) & np.isfinite(out)
    np.testing.assert_array_equal(out[~finite], rounded[~finite])
    zeros = rounded == 0
    same = np.signbit(out) == np.signbit(rounded)
    assert same[zeros & (out == 0)].all()
    # Denormal steps on the way leave less than 24 bits.
    unit = np.spacing(np.maximum(abs(rounded[finite]), np.float32(1e-36)))
    return float((abs(out[finite] - exact[finite]) / unit).max())


def softplus(x):
    return np.logaddexp(0, x)


@pytest.mark.parametrize(
    ("function", "parameters", "exact", "limit"),
    [
        (FunctionType.EXP, (), np.exp, 1.1),
        (FunctionType.LOG, (), np.log, 1.1),
        (FunctionType.SINE, (), np.sin, 2),
        (FunctionType.COSINE, (), np.cos, 2.2),
        (FunctionType.TANGENT, (), np.tan, 4),
        (FunctionType.SIGN, (), np.sign, 0),
        (FunctionType.RECIPROCAL, (), np.reciprocal, 0.5),
        (FunctionType.POWER_OF, (0.3,), lambda x: np.power(x, np.float64(np.float32(0.3))), 1.1),
        (FunctionType.POWER_OF, (-1.7,), lambda x: np.power(x, np.float64(np.float32(-1.7))), 1.1),
        (FunctionType.POWER_OF, (5,), lambda x: np.power(x, 5.0), 1.1),
        (FunctionType.POWER_OF, (-2,), lambda x: np.power(x, -2.0), 1.1),
        (FunctionType.POWER_OF, (np.inf,), lambda x: np.power(x, np.inf), 1.1),
        (FunctionType.POWER_OF, (2.0**22 + 1,), lambda x: np.power(x, 2.0**22 + 1), 1.1),
        (FunctionType.POWER_OF, (-(2.0**23),), lambda x: np.power(x, -(2.0**23)), 1.1),
        (FunctionType.SOFTPLUS, (), softplus, 3),
        (FunctionType.MISH, (), lambda x: x * np.tanh(softplus(x)), 4),
        (FunctionType.ELU, (1.5, 1, 1), lambda x: np.where(x < 0, 1.5 * np.expm1(x), x), 3),
        (FunctionType.ELU, (-2, 0.5, 3), lambda x: np.where(x < 0, -2 * np.expm1(x / 2), 3 * x), 3),
        (FunctionType.THRESHOLDED_RELU, (0.5,), lambda x: np.where(x > 0.5, x, 0), 0),
        (FunctionType.HARD_SIGMOID, (0.25, 0.5), lambda x: np.clip(x * 0.25 + 0.5, 0, 1), 1),
        (FunctionType.SOFTSIGN, (), lambda x: x / (1 + abs(x)), 2),
        (FunctionType.ARC_SINE, (), np.arcsin, 1),
        (FunctionType.ARC_COSINE, (), np.arccos, 1),
        (FunctionType.ARC_TANGENT, (), np.arctan, 1),
        (FunctionType.HYPERBOLIC_SINE, (), np.sinh, 2),
        (FunctionType.HYPERBOLIC_COSINE, (), np.cosh, 2),
        (FunctionType.AREA_SINE, (), np.arcsinh, 2),
        (FunctionType.AREA_COSINE, (), np.arccosh, 3),
        (FunctionType.AREA_TANGENT, (), np.arctanh, 2),
    ],
)
def test_every_float(engine, function, parameters, exact, limit):
    with np.errstate(all="ignore"):
        expected = exact(EVERYTHING.astype(np.float64))
    assert units(run(engine, function, EVERYTHING, *parameters), expected) <= limit


def erf(x: np.ndarray) -> np.ndarray:
    return np.vectorize(math.erf)(x.astype(np.float64))


def gelu_tanh(x: np.ndarray) -> np.ndarray:
    x = x.astype(np.float64)
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def test_erf(engine):
    out = run(engine, FunctionType.ERF, X)
    np.testing.assert_allclose(out, erf(X), rtol=4e-7, atol=0)
    assert (abs(out) <= 1).all()


def test_gelu_tanh(engine):
    out = run(engine, FunctionType.GELU_TANH, X)
    positive = X > -2
    np.testing.assert_allclose(out[positive], gelu_tanh(X[positive]), rtol=1e-6, atol=0)
    np.testing.assert_allclose(out, gelu_tanh(X), rtol=1e-6, atol=4e-7)


def test_gelu(engine):
    """1 + erf cancels for negative x: absolute there, not relative."""
    out = run(engine, FunctionType.GELU, X)
    expected = X * 0.5 * (1 + erf(X / math.sqrt(2)))
    np.testing.assert_allclose(out, expected, rtol=1e-6, atol=1e-6)
    above = X > -1
    np.testing.assert_allclose(out[above], expected[above], rtol=1e-6, atol=1e-37)


@pytest.mark.parametrize("alpha", [1.0, 2.0, -0.5])
def test_sigmoids(engine, alpha):
    """Below the least normal number they are 0."""
    x = EVERYTHING
    with np.errstate(all="ignore"):
        sigmoid = 1 / (1 + np.exp(-x.astype(np.float64)))
        swish = x / (1 + np.exp(-alpha * x.astype(np.float64)))
    out = run(engine, FunctionType.SIGMOID, x)
    np.testing.assert_allclose(out, sigmoid, rtol=1e-6, atol=2e-38)
    out = run(engine, FunctionType.SWISH, x, alpha)
    near = ~(x * alpha < -87)
    np.testing.assert_allclose(out[near], swish[near].astype(np.float32), rtol=1e-6, atol=2e-38)
    far = np.isfinite(x) & ~near
    np.testing.assert_allclose(out[far], 0, rtol=0, atol=1e-35)


def test_tanh(engine):
    with np.errstate(all="ignore"):
        expected = np.tanh(EVERYTHING.astype(np.float64))
    out = run(engine, FunctionType.TANH, EVERYTHING)
    np.testing.assert_allclose(out, expected, rtol=5e-7, atol=1e-37)
    assert not (abs(out) > 1).any()


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
    np.testing.assert_allclose(run(engine, FunctionType.ERF, x), erf(x), rtol=4e-7, atol=0)


def test_rows_that_lie_apart(engine):
    """Parts of wider rows; what is around the output stays as it was."""
    x = np.random.default_rng(0).standard_normal((300, 20), np.float32)
    params = [FunctionType.ERF, 0.0, 0.0, 0.0]
    out = run_step(engine, Kind.FUNCTION, params, [300, 13, 20, 17], [x], (300, 17))
    dense = np.ascontiguousarray(x[:, :13])
    expected = run_step(engine, Kind.FUNCTION, params, [300, 13, 13, 13], [dense], (300, 13))
    np.testing.assert_array_equal(out[:, :13], expected)
    assert np.isnan(out[:-1, 13:]).all()
    for strides in ([12, 13], [13, 12]):
        with pytest.raises(errors.Fail):
            run_step(engine, Kind.FUNCTION, params, [2, 13, *strides], [x], (2, 13))


@pytest.mark.parametrize(
    ("function", "dtype"),
    [(FunctionType.TO_FLOAT16, np.float16), (FunctionType.TO_BFLOAT16, ml_dtypes.bfloat16)],
)
def test_rounding_to_halves(engine, function, dtype):
    """All numbers of the type, those halfway between two, and what is next to these."""
    halves = np.arange(1 << 16, dtype=np.uint16).view(dtype).astype(np.float32)
    finite = np.sort(halves[np.isfinite(halves)])
    between = ((finite[1:].astype(np.float64) + finite[:-1]) / 2).astype(np.float32)
    around = [np.nextafter(between, np.float32(side)) for side in (-np.inf, np.inf)]
    x = np.concatenate([halves, between, *around, EVERYTHING])
    with np.errstate(over="ignore", invalid="ignore"):
        expected = x.astype(dtype).astype(np.float32)
    out = run(engine, function, x)
    np.testing.assert_array_equal(out, expected)
    numbers = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(out[numbers]), np.signbit(expected[numbers]))
