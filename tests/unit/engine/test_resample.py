"""Weighted sums of neighbours along two axes, against float64: up to 64 products of numbers around 1.

Of bytes, sums that lie half way between two integers may be one off.
"""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pyxnn.engine import Element, Kind
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


def tables(*found):
    return [
        np.concatenate([a.astype(np.int32), w.astype(np.float32).reshape(-1).view(np.int32)])
        for _, a, w in found
    ]


INNER = st.sampled_from([1, 2, 3, 4, 21])
FLOATS = [Element.FLOAT32, 1.0, 0, Element.FLOAT32, 1.0, 0, 0, 0]


@given(rows=axes(), columns=axes(), outer=st.integers(1, 3), inner=INNER)
def test_resample(engine, rows, columns, outer, inner):
    if not rows[2].size and not columns[2].size:
        return
    x = np.random.default_rng(0).standard_normal((outer, rows[0], columns[0], inner), np.float32)
    words = [word for e, a, w in (rows, columns) for word in (e, len(a), w.shape[1])]
    dims = [outer, *[inner] * 3, *words]
    shape = (outer, len(rows[1]), len(columns[1]), inner)
    out = run_step(engine, Kind.RESAMPLE, FLOATS, dims, [x, *tables(rows, columns)], shape)
    expected = np.einsum("yh,xw,ohwi->oyxi", matrix(*rows), matrix(*columns), x)
    np.testing.assert_allclose(out, expected, rtol=1e-5, atol=1e-4)


@given(
    rows=axes(),
    columns=axes(),
    outer=st.integers(1, 3),
    inner=INNER,
    apart=st.booleans(),
    ends=st.tuples(st.booleans(), st.booleans()),
)
def test_bytes(engine, rows, columns, outer, inner, apart, ends):
    """At either end or both, pixels side by side or apart."""
    if not rows[2].size and not columns[2].size:
        return
    stride = inner + 3 * apart
    shape = (outer, rows[0], columns[0], stride)
    random = np.random.default_rng(0)
    x = (random.integers(-128, 128, shape) if ends[0] else random.standard_normal(shape)).astype(
        np.int8 if ends[0] else np.float32
    )
    source = [Element.INT8, 0.013, 5] if ends[0] else [Element.FLOAT32, 1.0, 0]
    target = [Element.INT8, 0.0571, 9, -100 & 0xFFFFFFFF, 120] if ends[1] else FLOATS[3:]
    words = [word for e, a, w in (rows, columns) for word in (e, len(a), w.shape[1])]
    out = run_step(
        engine,
        Kind.RESAMPLE,
        [*source, *target],
        [outer, inner, stride, stride, *words],
        [x, *tables(rows, columns)],
        (outer, len(rows[1]), len(columns[1]), stride),
        dtype=np.int8 if ends[1] else np.float32,
    )[..., :inner]
    numbers = (x[..., :inner] - 5.0) * 0.013 if ends[0] else x[..., :inner]
    expected = np.einsum("yh,xw,ohwi->oyxi", matrix(*rows), matrix(*columns), numbers)
    if ends[1]:
        expected = np.clip(np.rint(expected / 0.0571) + 9, -100, 120)
        np.testing.assert_allclose(out, expected, atol=1)
        assert (out != expected).sum() <= max(1, 1e-3 * out.size)
    else:
        np.testing.assert_allclose(out, expected, rtol=1e-5, atol=1e-4)
