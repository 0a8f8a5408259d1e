"""Weighted sums of neighbours along two axes, against float64: up to 64 products of numbers around 1."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pyxnn.engine import Kind
from tests.support.steps import run_step


@st.composite
def axes(draw):
    """Extent, firsts, weights."""
    extent = draw(st.integers(1, 20))
    out_extent, taps = draw(st.integers(1, 40)), draw(st.integers(0, min(extent, 8)))
    random = np.random.default_rng(draw(st.integers(0, 9)))
    if taps == 0:
        return extent, np.arange(extent), np.ones((extent, 0))
    firsts = random.integers(0, extent - taps + 1, out_extent)
    if draw(st.booleans()):
        firsts.sort()
    return extent, firsts, random.standard_normal((out_extent, taps))


def matrix(extent, firsts, weights):
    """[elements of the output, extent]."""
    found = np.zeros((len(firsts), extent))
    for row, first, values in zip(found, firsts, weights, strict=True):
        row[first : first + len(values)] = values
    return found if weights.size else np.eye(extent)


@given(
    rows=axes(), columns=axes(), outer=st.integers(1, 3), inner=st.sampled_from([1, 2, 3, 4, 21])
)
def test_resample(engine, rows, columns, outer, inner):
    if not rows[2].size and not columns[2].size:
        return
    x = np.random.default_rng(0).standard_normal((outer, rows[0], columns[0], inner), np.float32)
    tables = [
        np.concatenate([a.astype(np.int32), w.astype(np.float32).reshape(-1).view(np.int32)])
        for _, a, w in (rows, columns)
    ]
    words = [word for e, a, w in (rows, columns) for word in (e, len(a), w.shape[1])]
    shape = (outer, len(rows[1]), len(columns[1]), inner)
    out = run_step(engine, Kind.RESAMPLE, [], [outer, *[inner] * 3, *words], [x, *tables], shape)
    expected = np.einsum("yh,xw,ohwi->oyxi", matrix(*rows), matrix(*columns), x)
    np.testing.assert_allclose(out, expected, rtol=1e-5, atol=1e-4)
