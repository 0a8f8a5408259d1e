"""What depends on the order of elements along an axis: the place of the greatest, the greatest k, running sums and products."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from pyxnn.engine import BinaryType, Kind
from pyxnn.xnnpack import layout
from pyxnn.xnnpack.kernels.cast import cast, element, working_type
from pyxnn.xnnpack.kernels.elementwise import binary
from pyxnn.xnnpack.kernels.nest import along
from pyxnn.xnnpack.values import Value

if TYPE_CHECKING:
    from pyxnn.xnnpack.lowering import Lowering


_SIGN = Value.constant(np.array(1 << 63, np.uint64))


def arg_extreme(ctx: Lowering, x: Value, axis: int, *, least: bool, last: bool) -> Value:
    """The place of the greatest along an axis, which keeps the extent 1, or of the least; of equals the first or the last."""
    x = _signed(ctx, x)
    shape = tuple(1 if a == axis else extent for a, extent in enumerate(x.shape))
    params = [element(x.dtype), int(least), int(last)]
    output = ctx.new(shape, x.order, np.dtype(np.int64))
    return ctx.step(Kind.ARG_EXTREME, params, along(x, axis), [x], output)


def top_k(ctx: Lowering, x: Value, axis: int, k: int, *, least: bool) -> tuple[Value, Value]:
    """The greatest k along an axis, or the least, in order, and their places."""
    dtype = x.dtype
    x = _signed(ctx, x)
    x = ctx.arrange(x, layout.axis_last(x.order, axis))
    shape = (*x.shape[:axis], k, *x.shape[axis + 1 :])
    size = math.prod(shape)
    begin = -(-size * x.dtype.itemsize // 8) * 8
    block = ctx.new((begin + 8 * size if size else 0,), (0,), np.dtype(np.uint8))
    dims = [x.size // max(x.shape[axis], 1), x.shape[axis], k]
    ctx.step(Kind.TOP_K, [element(x.dtype), int(least)], dims, [x], block)
    values = replace(block, shape=shape, order=x.order, dtype=x.dtype)
    places = replace(values, offset=begin, dtype=np.dtype(np.int64))
    values = cast(ctx, values, dtype)
    return binary(ctx, BinaryType.XOR, values, _SIGN) if dtype == np.uint64 else values, places


def _signed(ctx: Lowering, x: Value) -> Value:
    """Numbers in the same sequence, of a type that kernels compare; unsigned ones of 64 bits with the other sign."""
    if x.dtype == np.uint64:
        return cast(ctx, binary(ctx, BinaryType.XOR, x, _SIGN), np.dtype(np.int64))
    return cast(ctx, x, working_type(x.dtype))


def running(
    ctx: Lowering, x: Value, axis: int, *, products: bool, exclusive: bool, reverse: bool
) -> Value:
    """The sums or products of all up to each element along an axis, or of those before it; or from the end. Integers wrap."""
    dtype = x.dtype
    x = cast(ctx, x, np.dtype(np.int64) if dtype == np.uint64 else working_type(dtype))
    params = [element(x.dtype), int(exclusive), int(reverse), int(products)]
    output = ctx.new(x.shape, x.order, x.dtype)
    ctx.step(Kind.RUNNING, params, along(x, axis), [x], output)
    return cast(ctx, output, dtype)
