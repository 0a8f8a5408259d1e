"""Attention."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from pyxnn.engine import Kind
from pyxnn.xnnpack import layout
from pyxnn.xnnpack.values import Value

if TYPE_CHECKING:
    from pyxnn.xnnpack.lowering import Lowering

EVERYTHING = 0xFFFFFFFF
"""How far a query sees where there is no limit."""


@dataclass(frozen=True, slots=True)
class Sight:
    """Which keys a query sees: those up to `left` before its own and up to `right` behind.

    Its own is number `offset` plus its place among the queries, or, where the keys have lengths, the one that makes the last
    query see the last key.
    """

    offset: int = 0
    left: int = EVERYTHING
    right: int = EVERYTHING


def attention(
    ctx: Lowering,
    query: Value,
    key: Value,
    value: Value,
    mask: Value | None,
    lengths: Value | None,
    scale: float,
    softcap: float,
    sight: Sight,
) -> Value:
    """softmax(softcap(scale * query * key^T) + mask) * value.

    Args:
        query: (batch, heads, queries, size), where extents of 1 but the last broadcast, as in all others.
        key: (batch, kv heads, keys, size).
        value: (batch, kv heads, keys, value size).
        mask: (batch, heads, queries, keys): booleans, true for what is seen, or floats; no key from its last on is seen.
        lengths: of the keys that count, int32 or int64 [batch].
        softcap: 0 for none.

    Returns:
        (batch, heads, queries, value size), which lies as the query does if that is row-major or has heads inside of rows.
    """
    query, key, value = (ctx.arrange(x, layout.axis_last(x.order, 3)) for x in (query, key, value))
    mask = mask if mask is None else ctx.row_major(mask.expanded(4))
    masks = [] if mask is None else [mask.shape]
    outer = [x.shape[0] for x in (query, key, value)] + [shape[0] for shape in masks]
    (batch,) = np.broadcast_shapes(*((extent,) for extent in outer))
    (heads,) = np.broadcast_shapes((query.shape[1],), *((shape[1],) for shape in masks))
    (queries,) = np.broadcast_shapes((query.shape[2],), *((shape[2],) for shape in masks))
    kv_heads = max(key.shape[1], value.shape[1])
    keys = key.shape[2]
    if kv_heads == 0 or heads % kv_heads or key.shape[1] != value.shape[1]:
        raise ValueError(
            f"{heads} heads can't share {key.shape[1]} keys and {value.shape[1]} values"
        )
    if value.shape[2] != keys or key.shape[3] != query.shape[3]:
        raise ValueError(f"query {query.shape}, key {key.shape} and value {value.shape} don't fit")
    if lengths is not None and lengths.shape != (batch,):
        raise ValueError(f"there are {lengths.shape} lengths for a batch of {batch}")
    rows_inside = (0, 2, 1, 3)
    shape = (batch, heads, queries, value.shape[3])
    output = ctx.new(shape, rows_inside if query.has_order(rows_inside) else layout.row_major(4))
    params = [
        scale,
        softcap,
        mask.dtype.itemsize if mask is not None else 0,
        lengths.dtype.itemsize if lengths is not None else 0,
    ]
    strides = [_row_strides(x) for x in (query, key, value, output, mask or query)]
    dims = [
        *(batch, heads, kv_heads, queries, keys, *query.shape[3:], *value.shape[3:]),
        *(stride for strides_of_one in strides for stride in strides_of_one),
        *(keys if mask is None else mask.shape[3], sight.offset, sight.left, sight.right),
    ]
    inputs = [query, key, value, mask or query, lengths or query]
    return ctx.step(Kind.ATTENTION, params, dims, inputs, output)


def _row_strides(x: Value) -> list[int]:
    """The strides of the first three axes; 0 along those that broadcast."""
    strides = layout.strides(x.shape, x.order)[:3]
    return [
        0 if extent == 1 else stride for extent, stride in zip(x.shape[:3], strides, strict=True)
    ]


def rotary(ctx: Lowering, x: Value, cosines: Value, sines: Value, *, interleaved: bool) -> Value:
    """The rows of `x` (batch, heads, rows, size) with pairs of elements turned by angles.

    Args:
        cosines, sines: (batch, rows, pairs); a batch of 1 broadcasts.
        interleaved: whether pairs lie side by side, else all first ones before all second ones.
    """
    x = ctx.arrange(x, layout.axis_last(x.order, 3))
    cosines, sines = ctx.row_major(cosines), ctx.row_major(sines)
    batch, heads, rows, size = x.shape
    half = cosines.shape[-1]
    fits = cosines.shape[0] in (1, batch) and cosines.shape[1] == rows and 2 * half <= size
    if not fits or cosines.shape != sines.shape:
        raise ValueError(f"tables {cosines.shape} and {sines.shape} don't fit {x.shape}")
    output = ctx.new(x.shape, x.order)
    strides = layout.strides(x.shape, x.order)[:3]
    tables = 0 if cosines.shape[0] == 1 else rows * half, half
    dims = [batch, heads, rows, size, half, *strides, *strides, *tables]
    return ctx.step(Kind.ROTARY, [int(interleaved)], dims, [x, cosines, sines], output)


def linear_attention(
    ctx: Lowering,
    q: Value,
    k: Value,
    v: Value,
    past: Value,
    decay: Value | None,
    beta: Value | None,
    heads: int,
    scale: float,
) -> tuple[Value, Value]:
    """Attention by a state that sums up keys and values: the output, and the last state.

    Args:
        q, k, v: (batch, steps, heads * size); a head of k and v has one or more of q, which follow each other.
        past: the first state (batch, heads, key size, value size).
        decay: what the state is multiplied with at each step, (batch, steps, heads), or by its rows (.., heads * key size).
        beta: by how much what the state gives for a key comes nearer to the value, (batch, steps, heads or 1); None adds values.
    """
    batch, steps, key_size, value_size = *k.shape[:2], *past.shape[2:]
    group = q.shape[2] // (heads * key_size)
    size = batch * steps * heads * group * value_size
    block = ctx.new((size + past.size,), (0,))
    others = [(value.shape[2] if value else 0) for value in (decay, beta)]
    tensors = [ctx.row_major(value) for value in (q, k, v, past, decay or q, beta or q)]
    dims = [batch, steps, heads, group, key_size, value_size, *others]
    ctx.step(Kind.LINEAR_ATTENTION, [scale], dims, tensors, block)
    output = replace(block, shape=(batch, steps, heads * group * value_size), order=(0, 1, 2))
    offset = size * block.dtype.itemsize
    return output, replace(block, shape=past.shape, order=(0, 1, 2, 3), offset=offset)
