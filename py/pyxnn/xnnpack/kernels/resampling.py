"""Images between their pixels."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pyxnn.engine import CoordinateType, Kind, PaddingType, SampleType
from pyxnn.xnnpack import layout
from pyxnn.xnnpack.kernels.windows import MAX_SLIDES
from pyxnn.xnnpack.values import Value

if TYPE_CHECKING:
    from pyxnn.xnnpack.lowering import Lowering


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


def resample(ctx: Lowering, x: Value, taps: Mapping[int, Taps]) -> Value:
    """`x` with weighted sums of neighbours along some axes, two at a time where they lie side by side."""
    places = [place for place, axis in enumerate(x.order) if axis in taps]
    while places:
        place = places.pop(0)
        last = places.pop(0) if places and places[0] == place + 1 else place
        x = _resample(ctx, x, taps, place, last)
    return x


def _resample(ctx: Lowering, x: Value, taps: Mapping[int, Taps], first: int, last: int) -> Value:
    """The axes at two places in memory, which may be the same, resampled."""
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
    output = ctx.new(tuple(extents), x.order)
    words = [math.prod(x.physical[:first]), inner, inner, inner, *dims[0], *dims[1]]
    return ctx.step(Kind.RESAMPLE, [], words, [x, *tables], output)


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
