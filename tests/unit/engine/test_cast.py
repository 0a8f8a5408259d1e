"""Casts on the real binary, exact: floats of 16 bits against NumPy, every one there is and floats between them; numbers that
don't fit."""

import ml_dtypes
import numpy as np
import pytest

from pyxnn.engine import Element, Kind
from tests.support.steps import run_step


def test_every_float16_is_widened_exactly(engine):
    x = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    params = [Element.FLOAT16, Element.FLOAT32]
    out = run_step(engine, Kind.CAST, params, [x.size], [x], x.shape)
    np.testing.assert_array_equal(out, x.astype(np.float32))


def test_every_bfloat16_is_widened_exactly(engine):
    x = np.arange(1 << 16, dtype=np.uint16).view(ml_dtypes.bfloat16)
    params = [Element.BFLOAT16, Element.FLOAT32]
    out = run_step(engine, Kind.CAST, params, [x.size], [x.view(np.uint16)], x.shape)
    np.testing.assert_array_equal(out, x.astype(np.float32))


@pytest.mark.parametrize("half", [np.dtype(np.float16), np.dtype(ml_dtypes.bfloat16)])
def test_rounding(engine, half):
    """To nearest, ties to even: the middles between neighbours, and the floats beside them."""
    every = np.arange(0x7F80, dtype=np.uint16).view(half).astype(np.float32)
    every = every[np.isfinite(every)]
    middles = every[:-1] + np.diff(every) / 2
    x = np.concatenate(
        [every, middles, np.nextafter(middles, 0), np.nextafter(middles, np.float32("inf"))]
    )
    special = np.array(
        [np.nan, np.inf, 65519.996, 65520.0, 1e30, 3.4e38, 2**-25, 1e-30, 1e-45], np.float32
    )
    x = np.concatenate([x, special])
    x = np.concatenate([x, -x]).astype(np.float32)
    params = [Element.FLOAT32, Element[half.name.upper()]]
    out = run_step(engine, Kind.CAST, params, [x.size], [x], x.shape, dtype=np.uint16)
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(
            out.view(half).astype(np.float32), x.astype(half).astype(np.float32)
        )


def _with_each(special: list[float], size: int) -> np.ndarray:
    """Rows of so many small numbers, of which each has one special number, at each of its places."""
    rows = [np.arange(size) - size / 2 for _ in range(len(special) * size)]
    for number, row in enumerate(rows):
        row[number % size] = special[number // size]
    return np.array(rows)


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.uint8, np.int8])
def test_floats_that_fit_no_integer(engine, dtype):
    """They become the lowest number, of int32 before it wraps; the numbers around them what they are."""
    wide = np.int64 if dtype == np.int64 else np.int32
    beyond = 2.0 ** (8 * np.dtype(wide).itemsize - 1)
    special = [np.nan, np.inf, -np.inf, beyond, -2 * beyond, 3e38, 2.0**31 - 128, -(2.0**31), 300.7]
    for x in _with_each(special, 37).astype(np.float32):
        fits = (x >= -beyond) & (x < beyond)
        expected = np.where(fits, x, 0).astype(wide)
        expected = np.where(fits, expected, np.iinfo(wide).min).astype(dtype)
        params = [Element.FLOAT32, Element[np.dtype(dtype).name.upper()]]
        out = run_step(engine, Kind.CAST, params, [x.size], [x], x.shape, dtype=dtype)
        np.testing.assert_array_equal(out, expected)


def test_large_integers_are_rounded(engine):
    for row in _with_each([2**31, -(2**31) - 1, 2**53 + 1, 2**62, -(2**63)], 37):
        x = row.astype(np.int64)
        params = [Element.INT64, Element.FLOAT32]
        out = run_step(engine, Kind.CAST, params, [x.size], [x], x.shape)
        np.testing.assert_array_equal(out, x.astype(np.float32))
