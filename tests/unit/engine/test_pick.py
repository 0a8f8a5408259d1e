"""Elements picked by lists of indices, against NumPy: exactly."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyxnn import errors
from pyxnn.engine import Kind
from tests.support.steps import run_step


def pick(engine, x, lists, inner, fill=7):
    """`x` [outer, ..., inner], by a list for each axis between."""
    extents = x.shape[1:-1]
    words = [word for axis in zip(extents, map(len, lists), strict=True) for word in axis]
    shape = (x.shape[0], *map(len, lists), inner)
    bits = np.zeros(8, np.uint8)
    bits[: x.itemsize] = np.array([fill], x.dtype).view(np.uint8)
    params = [x.itemsize, *bits.view(np.uint32).tolist()]
    dims = [x.shape[0], inner, inner, inner, len(lists), *words]
    indices = np.concatenate(lists).astype(np.int32)
    return run_step(engine, Kind.PICK, params, dims, [x, indices], shape, dtype=x.dtype)


@given(st.data())
def test_pick(engine, data):
    dtype = data.draw(st.sampled_from([np.int8, np.int16, np.float32, np.int64]))
    extents = data.draw(st.lists(st.integers(1, 9), min_size=1, max_size=4))
    outer, inner = data.draw(st.integers(1, 3)), data.draw(st.sampled_from([1, 1, 2, 5, 200]))
    lists = [
        data.draw(st.lists(st.integers(-1, extent - 1), min_size=1, max_size=20))
        for extent in extents
    ]
    x = np.arange(outer * np.prod(extents) * inner).astype(dtype).reshape(outer, *extents, inner)
    expected = np.pad(x, [(0, 0), *[(0, 1)] * len(extents), (0, 0)], constant_values=7)
    for axis, numbers in enumerate(lists):
        expected = expected.take(numbers, axis + 1)
    np.testing.assert_array_equal(pick(engine, x, lists, inner), expected)


def test_run_between_others(engine):
    x = np.arange(300, dtype=np.float32).reshape(1, 2, 150, 1)
    columns = [-1, 3, *range(5, 140), 2, -1, 149]
    expected = np.where(np.array(columns) < 0, 7, x[:, :, columns, 0])[..., None]
    np.testing.assert_array_equal(pick(engine, x, [[0, 1], columns], 1), expected)


@pytest.mark.parametrize("params", [[3, 0, 0], [16, 0, 0]])
def test_size_of_elements(engine, params):
    with pytest.raises(errors.Fail):
        engine.create_operator(Kind.PICK, params)
