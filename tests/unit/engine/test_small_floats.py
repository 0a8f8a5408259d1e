"""Floats of a byte and back, by tables."""

import numpy as np
import pytest

from pyxnn.engine import Kind
from tests.support.steps import run_step

RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize("size", [*range(1, 10), 20_001])
def test_every_size(engine, size):
    x = RANDOM.integers(0, 256, size).astype(np.uint8)
    table = RANDOM.standard_normal(256, np.float32)
    out = run_step(engine, Kind.WIDEN, [], [size], [x], (size,), table)
    np.testing.assert_array_equal(out, table[x])
    x = RANDOM.standard_normal(size, np.float32)
    x[::3] = np.round(x[::3])
    values = RANDOM.integers(0, 256, 65536).astype(np.uint8)
    out = run_step(engine, Kind.NARROW, [], [size], [x], (size,), values, dtype=np.uint8)
    bits = x.view(np.uint32)
    np.testing.assert_array_equal(out, values[bits >> 16 | (bits & 0xFFFF != 0)])
