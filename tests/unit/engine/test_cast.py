"""Floats of 16 bits on the real binary against NumPy: every one there is, and floats between them; exact."""

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
