"""Elements by their indices: lists that are constant or computed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from pyxnn.engine import Kind
from pyxnn.xnnpack import layout
from pyxnn.xnnpack.values import Value

if TYPE_CHECKING:
    from pyxnn.xnnpack.lowering import Lowering

_LONG_PIECE = 256
"""Elements in one piece from which on pieces are rows for `pick`."""


def pick(
    ctx: Lowering, x: Value, indices: Mapping[int, np.ndarray], fill: float | int = 0
) -> Value:
    """The elements of `x`, which has some, that lists of indices by axis name; those with a negative index are `fill`."""
    extents = list(x.shape)
    for axis, numbers in indices.items():
        extents[axis] = len(numbers)
    shape = tuple(extents)
    places = [place for place, axis in enumerate(x.order) if axis in indices]
    if not places:
        return x
    outer, inner = math.prod(x.physical[: places[0]]), math.prod(x.physical[places[-1] + 1 :])
    dims, lists = [], []
    for place in range(places[0], places[-1] + 1):
        axis = x.order[place]
        numbers = indices.get(axis, np.arange(x.shape[axis]))
        dims += [x.shape[axis], len(numbers)]
        lists.append(numbers)
    if inner >= _LONG_PIECE:  # each a row of its own, for the threads to share
        dims += [1, 1]
        lists.append(np.zeros(1, np.int32))
    bits = np.zeros(8, np.uint8)
    bits[: x.dtype.itemsize] = np.array([fill]).astype(x.dtype).view(np.uint8)
    return ctx.step(
        Kind.PICK,
        [x.dtype.itemsize, *bits.view(np.uint32).tolist()],
        [outer, inner, inner, inner, len(lists), *dims],
        [x, Value.constant(np.concatenate(lists).astype(np.int32))],
        ctx.new(shape, x.order, x.dtype),
    )


def gather(ctx: Lowering, data: Value, indices: Value, axis: int) -> Value:
    """The slices of `data` along an axis that int32 or int64 indices of any shape name."""
    data, indices = ctx.row_major(data), ctx.row_major(indices)
    before, after = data.shape[:axis], data.shape[axis + 1 :]
    shape = (*before, *indices.shape, *after)
    return ctx.step(
        Kind.GATHER,
        [indices.dtype.itemsize, data.dtype.itemsize],
        [math.prod(before), data.shape[axis], math.prod(after), indices.size],
        [data, indices],
        ctx.new(shape, layout.row_major(len(shape)), data.dtype),
    )


def tensor_scatter(
    ctx: Lowering, cache: Value, rows: Value, places: Value, axis: int, *, circular: bool
) -> Value:
    """A cache with rows written into it along an axis, in each batch (axis 0) from a place on; int64 [batch] has these."""
    cache, rows, places = (ctx.row_major(value) for value in (cache, rows, places))
    around = [(*value.shape[:axis], *value.shape[axis + 1 :]) for value in (cache, rows)]
    extent, count = cache.shape[axis], rows.shape[axis]
    if around[0] != around[1] or count > extent or places.shape != cache.shape[:1]:
        raise ValueError(f"{rows.shape} at {places.shape} don't fit a cache {cache.shape}")
    inner = math.prod(cache.shape[axis + 1 :])
    dims = [cache.shape[0], math.prod(cache.shape[1:axis]), extent, count, inner]
    params = [int(circular), cache.dtype.itemsize]
    output = ctx.new(cache.shape, cache.order, cache.dtype)
    return ctx.step(Kind.TENSOR_SCATTER, params, dims, [cache, rows, places], output)
