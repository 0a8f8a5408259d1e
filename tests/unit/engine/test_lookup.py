"""Functions of bytes."""

import numpy as np
import pytest

from pyxnn.engine import Kind
from tests.support.steps import run_step

RANDOM = np.random.default_rng(0)
TABLE = RANDOM.permutation(256).astype(np.uint8)


@pytest.mark.parametrize("size", [*range(1, 70), 256, 40_001])
def test_every_size(engine, size):
    x = RANDOM.integers(0, 256, size).astype(np.uint8)
    out = run_step(engine, Kind.LOOKUP, [], [1, *[size] * 3], [x], (size,), TABLE, dtype=np.uint8)
    np.testing.assert_array_equal(out, TABLE[x])


def test_rows_that_lie_apart(engine):
    x = RANDOM.integers(0, 256, (300, 20)).astype(np.uint8)
    dims = [300, 13, 20, 17]
    out = run_step(engine, Kind.LOOKUP, [], dims, [x], (300, 17), TABLE, dtype=np.uint8)
    np.testing.assert_array_equal(out[:, :13], TABLE[x[:, :13]])
    assert (out[:-1, 13:] == 255).all()
