"""Images between their pixels."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pyxnn.engine import CoordinateType, Element, Kind, PaddingType, SampleType
from pyxnn.xnnpack import layout
from pyxnn.xnnpack.kernels.windows import MAX_SLIDES
from pyxnn.xnnpack.values import FLOAT32, Quantized, Value

if TYPE_CHECKING:
    from pyxnn.xnnpack.lowering import Lowering

INT8 = np.dtype(np.int8)


class Taps(NamedTuple):
    """How the elements of an axis are made: each the weighted sum of neighbours.

    Attributes:
        firsts: of each element, the first of its neighbours.
        weights: [elements, neighbours].
    """

    firsts: np.ndarray
    weights: np.ndarray

    @property
    def table(self) -> Value:
        """As the kernel takes it."""
        words = [self.firsts.astype(np.int32), self.weights.astype(np.float32).view(np.int32)]
        return Value.constant(np.concatenate([part.reshape(-1) for part in words]))


_FLOATS = (Element.FLOAT32, 1.0, 0)


def resample(ctx: Lowering, x: Value, taps: Mapping[int, Taps]) -> Value:
    """`x` with weighted sums of neighbours along some axes, two at a time where they lie side by side."""
    for first, last in _pairs(x, taps):
        x = _resample(ctx, x, taps, first, last, _FLOATS, (*_FLOATS, 0, 0), FLOAT32)
    return x


def resample_qs8(
    ctx: Lowering,
    x: Quantized,
    taps: Mapping[int, Taps],
    scale: float,
    limits: tuple[int, int, int],
) -> Value:
    """The same of int8 `x`, to int8.

    Args:
        scale: of the result.
        limits: the zero point of the result, and bounds of its integers.
    """
    value, (_, in_scale, in_zero, _) = x
    source = (Element.INT8, float(in_scale), int(in_zero))
    target = (Element.INT8, scale, *limits)
    pairs = _pairs(value, taps)
    for number, (first, last) in enumerate(pairs):
        is_done = number + 1 == len(pairs)
        words, dtype = (target, INT8) if is_done else ((*_FLOATS, 0, 0), FLOAT32)
        value = _resample(ctx, value, taps, first, last, source, words, dtype)
        source = _FLOATS
    return value


def _pairs(x: Value, taps: Mapping[int, Taps]) -> list[tuple[int, int]]:
    """The places in memory of axes that are resampled together; of one by itself, its place twice."""
    pairs = []
    places = [place for place, axis in enumerate(x.order) if axis in taps]
    while places:
        place = places.pop(0)
        pairs.append((place, places.pop(0) if places and places[0] == place + 1 else place))
    return pairs


def _resample(
    ctx: Lowering,
    x: Value,
    taps: Mapping[int, Taps],
    first: int,
    last: int,
    source: Sequence[int | float],
    target: Sequence[int | float],
    dtype: np.dtype,
) -> Value:
    """The axes at two places in memory, which may be the same, resampled.

    Args:
        source, target: the params words of both ends.
        dtype: of the result.
    """
    extents = list(x.shape)
    tables, dims = [], []
    for axis in x.order[first : last + 1]:
        firsts, weights = taps[axis]
        dims.append([x.shape[axis], len(firsts), weights.shape[1]])
        tables.append(taps[axis].table)
        extents[axis] = len(firsts)
    inner = math.prod(x.physical[last + 1 :])
    if first == last:
        tables *= 2
        if inner == 1:
            dims.insert(0, [1, 1, 0])
        else:
            dims.append([inner, inner, 0])
            inner = 1
    output = ctx.new(tuple(extents), x.order, dtype)
    words = [math.prod(x.physical[:first]), inner, inner, inner, *dims[0], *dims[1]]
    return ctx.step(Kind.RESAMPLE, [*source, *target], words, [x, *tables], output)


def grid_sample(
    ctx: Lowering,
    x: Value,
    grid: Value,
    mode: SampleType,
    padding: PaddingType,
    coordinates: CoordinateType,
) -> Value:
    """(N, C, ...) at the places of a grid (N, ..., rank)."""
    x = ctx.arrange(x, layout.channels_last(x.rank))
    grid = ctx.row_major(grid)
    batch, channels, *extents = x.shape
    rank = len(extents)
    output = ctx.new((batch, channels, *grid.shape[1:-1]), x.order)
    extents = [1] * (MAX_SLIDES - rank) + extents
    dims = [batch, channels, *extents, math.prod(grid.shape[1:-1]), rank]
    params = [mode, padding, coordinates]
    return ctx.step(Kind.GRID_SAMPLE, params, dims, [x, grid], output)
