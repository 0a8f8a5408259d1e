"""Elements by their indices: lists that are constant or computed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pyxnn.engine import Kind, ScatterType
from pyxnn.xnnpack import layout
from pyxnn.xnnpack.kernels.cast import cast, element, working_type
from pyxnn.xnnpack.kernels.nest import nest_words
from pyxnn.xnnpack.layout import Axis, Shape
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


class _Way(NamedTuple):
    """How the engine goes through what is gathered or scattered.

    Attributes:
        named: the axes that indices name: extents, and strides in the data.
        axes: of the elements, as they lie: extents, strides in the indices and in the data.
    """

    named: Sequence[Axis]
    axes: Sequence[Axis]

    def words(self, indices: Value) -> list[int]:
        """The dims words of both kinds, but for the elements' own order."""
        extents, strides = zip(*self.named, strict=True) if self.named else ((), ())
        count = len(self.named)
        return [indices.size // max(count, 1), count, *extents, *strides]

    @property
    def dense(self) -> list[int]:
        """The strides of the elements themselves."""
        extents = tuple(axis[0] for axis in self.axes)
        return list(layout.strides(extents, layout.row_major(len(extents))))


def gather(ctx: Lowering, data: Value, indices: Value, axis: int) -> Value:
    """The slices of `data` along an axis that int32 or int64 indices of any shape name."""
    data, indices = ctx.row_major(data), ctx.row_major(indices)
    before, after = data.shape[:axis], data.shape[axis + 1 :]
    extent, inner = data.shape[axis], math.prod(after)
    axes = [(math.prod(before), 0, extent * inner), (indices.size, 1, 0), (inner, 0, 1)]
    return _gather(
        ctx, data, indices, _Way([(extent, inner)], axes), (*before, *indices.shape, *after)
    )


def gather_windows(ctx: Lowering, data: Value, indices: Value, length: int) -> Value:
    """Windows of a vector, each from the place on that an int32 or int64 index names; windows may overlap."""
    data, indices = ctx.row_major(data), ctx.row_major(indices)
    way = _Way([(data.size - length + 1, 1)], [(indices.size, 1, 0), (length, 0, 1)])
    return _gather(ctx, data, indices, way, (*indices.shape, length))


def gather_elements(ctx: Lowering, data: Value, indices: Value, axis: int) -> Value:
    """The elements of `data` that int32 or int64 indices name along an axis, each index beside it."""
    data, indices = ctx.row_major(data), ctx.row_major(indices)
    return _gather(ctx, data, indices, _by_elements(data, indices, axis), indices.shape)


def gather_slices(ctx: Lowering, data: Value, tuples: Value, batch_dims: int = 0) -> Value:
    """The slices of `data` (batch, named axes, slice) that tuples of int32 or int64 indices (batch, ..., tuple) name."""
    data, tuples = ctx.row_major(data), ctx.row_major(tuples)
    way, inner = _by_slices(data, tuples, batch_dims)
    return _gather(ctx, data, tuples, way, (*tuples.shape[:-1], *inner))


def _gather(ctx: Lowering, data: Value, indices: Value, way: _Way, shape: Shape) -> Value:
    axes = [(*axis, stride) for axis, stride in zip(way.axes, way.dense, strict=True)]
    output = ctx.new(shape, layout.row_major(len(shape)), data.dtype)
    params = [indices.dtype.itemsize, data.dtype.itemsize]
    dims = [*way.words(indices), *nest_words(axes)]
    return ctx.step(Kind.GATHER, params, dims, [data, indices], output)


def scatter_elements(
    ctx: Lowering, type: ScatterType, data: Value, indices: Value, updates: Value, axis: int
) -> Value:
    """`data` with the elements updated that int32 or int64 indices name along an axis, each index beside its update."""
    if indices.shape != updates.shape:
        raise ValueError(f"there are indices {indices.shape} of updates {updates.shape}")
    data, indices, updates = (ctx.row_major(value) for value in (data, indices, updates))
    return _scatter(ctx, type, data, indices, updates, _by_elements(data, indices, axis))


def scatter_slices(
    ctx: Lowering, type: ScatterType, data: Value, tuples: Value, updates: Value
) -> Value:
    """`data` (named axes, slice) with the slices updated that tuples of int32 or int64 indices (..., tuple) name."""
    data, tuples, updates = (ctx.row_major(value) for value in (data, tuples, updates))
    way, inner = _by_slices(data, tuples, 0)
    if updates.shape != (*tuples.shape[:-1], *inner):
        raise ValueError(f"updates {updates.shape} don't fit tuples {tuples.shape}")
    return _scatter(ctx, type, data, tuples, updates, way)


def _scatter(
    ctx: Lowering, type: ScatterType, data: Value, indices: Value, updates: Value, way: _Way
) -> Value:
    if updates.size == 0:
        return data
    dtype = data.dtype
    if type is not ScatterType.SCATTER_REPLACE:
        data, updates = (cast(ctx, value, working_type(dtype)) for value in (data, updates))
    axes = [
        (extent, of_indices, own, of_data)
        for (extent, of_indices, of_data), own in zip(way.axes, way.dense, strict=True)
    ]
    params = [indices.dtype.itemsize, type, element(data.dtype)]
    dims = [data.size, *way.words(indices), *nest_words(axes)]
    output = ctx.new(data.shape, data.order, data.dtype)
    return cast(ctx, ctx.step(Kind.SCATTER, params, dims, [data, indices, updates], output), dtype)


def _by_elements(data: Value, indices: Value, axis: int) -> _Way:
    """Each index names the place along one axis; the others are its own."""
    others = [place for place in range(data.rank) if place != axis]
    if indices.rank != data.rank or any(indices.shape[i] > data.shape[i] for i in others):
        raise ValueError(f"indices {indices.shape} don't fit data {data.shape} along axis {axis}")
    strides = list(layout.strides(data.shape, data.order))
    named = [(data.shape[axis], strides[axis])]
    strides[axis] = 0
    own = layout.strides(indices.shape, indices.order)
    return _Way(named, list(zip(indices.shape, own, strides, strict=True)))


def _by_slices(data: Value, tuples: Value, batch_dims: int) -> tuple[_Way, Shape]:
    """Each tuple names places along the axes behind those of the batch; also the shape of a slice."""
    *places, size = tuples.shape
    end = batch_dims + size
    if end > data.rank or data.shape[:batch_dims] != tuples.shape[:batch_dims]:
        raise ValueError(f"tuples {tuples.shape} don't fit data {data.shape}")
    strides = layout.strides(data.shape, data.order)
    batch, inner = data.shape[:batch_dims], data.shape[end:]
    count = math.prod(places[batch_dims:])
    axes = [
        (math.prod(batch), count * size, math.prod(data.shape[batch_dims:])),
        (count, size, 0),
        (math.prod(inner), 0, 1),
    ]
    return _Way(list(zip(data.shape, strides, strict=True))[batch_dims:end], axes), inner


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


def unpool(ctx: Lowering, x: Value, places: Value, extents: Sequence[int]) -> Value:
    """Images of these extents with the elements of `x` (batch, channels, ...) at their int64 places in the whole tensor, each
    beside its element, and zeros elsewhere."""
    if x.shape != places.shape:
        raise ValueError(f"there are places {places.shape} of elements {x.shape}")
    x, places = ctx.row_major(x), ctx.row_major(places)
    shape = (*x.shape[:2], *extents)
    planes = math.prod(shape[:2])
    dims = [planes, math.prod(x.shape[2:]), math.prod(extents)]
    output = ctx.new(shape, layout.row_major(len(shape)), x.dtype)
    return ctx.step(Kind.UNPOOL, [x.dtype.itemsize], dims, [x, places], output)
