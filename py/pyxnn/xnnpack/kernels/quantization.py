"""Floats to integers and back; elementwise operations and means of bytes."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from pyxnn.engine import BinaryType, Kind
from pyxnn.xnnpack import layout
from pyxnn.xnnpack.kernels.cast import cast, element
from pyxnn.xnnpack.kernels.nest import aligned, nest, nest_words
from pyxnn.xnnpack.resources import digest
from pyxnn.xnnpack.values import FLOAT32, Quantized, Value

if TYPE_CHECKING:
    from pyxnn.xnnpack.lowering import Lowering

_INT8, _INT32 = np.dtype(np.int8), np.dtype(np.int32)


def quantize(
    ctx: Lowering,
    x: Value,
    scale: Value,
    zero: Value,
    dtype: np.dtype,
    limits: tuple[int, int] | None = None,
) -> Value:
    """round(x / scale + zero), of `dtype`: integers of 8 or 16 bits.

    Args:
        scale, zero: broadcast with `x`.
        limits: the least and the greatest integer; those of the type when absent.
    """
    if limits is None:
        limits = (np.iinfo(dtype).min, np.iinfo(dtype).max)
    params = [element(dtype), *limits]
    return _convert(ctx, Kind.QUANTIZE, params, x, scale, zero, dtype)


def dequantize(ctx: Lowering, x: Value, scale: Value, zero: Value) -> Value:
    """(x - zero) * scale of integers of 8 or 16 bits, or int32; `scale` and `zero` broadcast with `x`."""
    return _convert(ctx, Kind.DEQUANTIZE, [element(x.dtype)], x, scale, zero, FLOAT32)


def _convert(
    ctx: Lowering,
    kind: Kind,
    params: list[int],
    x: Value,
    scale: Value,
    zero: Value,
    dtype: np.dtype,
) -> Value:
    x, scale, zero = aligned(ctx, x, scale, cast(ctx, zero, _INT32))
    output = ctx.new(x.shape, x.order, dtype)
    dims = nest_words(nest(x, scale, zero, output))
    return ctx.step(kind, params, dims, [x, scale, zero], output)


def lookup(ctx: Lowering, x: Value, table: np.ndarray) -> Value:
    """A function of elements of one byte: `table` [256] has its values, of one byte each, by the bits of the elements."""
    output = ctx.new(x.shape, x.order, table.dtype)
    dims = [1, x.size, x.size, x.size]
    values = table.view(np.uint8)
    return ctx.step(Kind.LOOKUP, [], dims, [x], output, kernel=values, key=digest(values))


def widen(ctx: Lowering, x: Value, table: np.ndarray) -> Value:
    """Floats of elements of one byte: `table` [256] has them, float32, by the bits of the elements."""
    output = ctx.new(x.shape, x.order)
    return ctx.step(Kind.WIDEN, [], [x.size], [x], output, kernel=table, key=digest(table))


def narrow(ctx: Lowering, x: Value, table: np.ndarray) -> Value:
    """Elements of one byte of float32: `table` [65536] has them by the upper 16 bits, of which the last is set where the lower ones
    aren't 0."""
    output, values = ctx.new(x.shape, x.order, table.dtype), table.view(np.uint8)
    return ctx.step(Kind.NARROW, [], [x.size], [x], output, kernel=values, key=digest(values))


def binary_qs8(
    ctx: Lowering,
    type: BinaryType,
    a: Quantized,
    b: Quantized,
    factors: tuple[float, float],
    out_zero: int,
    low: int,
    high: int,
) -> Value:
    """The sum or product of two int8 tensors of one scale and zero point each, broadcast as in NumPy.

    Args:
        type: ADD or MULTIPLY.
        factors: what the summands are multiplied with, each less its zero point; of a product, the first alone. A magnitude that
            comes of them must be below 2^22.
        out_zero: the zero point of the result.
        low, high: bounds of the result's integers.
    """
    x, y = aligned(ctx, a.integers, b.integers)
    zeros = [int(operand.quantization.zero_point) for operand in (a, b)]
    params = [type, *zeros, *map(float, factors), out_zero, low, high]
    output = ctx.new(np.broadcast_shapes(x.shape, y.shape), x.order, _INT8)
    return ctx.step(Kind.BINARY_QS8, params, nest_words(nest(x, y, output)), [x, y], output)


def mean_qs8(
    ctx: Lowering,
    x: Quantized,
    axes: Iterable[int],
    factor: float,
    out_zero: int,
    low: int,
    high: int,
) -> Value:
    """The mean of an int8 tensor over axes, which keep the extent 1, by the scale of the input over that of the result.

    Of no numbers it is the zero point. The other arguments are those of `binary_qs8`.
    """
    integers, axes = x.integers, set(axes)
    shape = tuple(1 if axis in axes else extent for axis, extent in enumerate(integers.shape))
    if integers.size == 0:
        return Value.constant(np.full(shape, np.clip(out_zero, low, high), _INT8))
    if not _lie_together(integers, axes):
        order = sorted(integers.order, key=lambda axis: axis in axes)
        integers = ctx.arrange(integers, tuple(order))
    places = [place for place, axis in enumerate(integers.order) if axis in axes]
    extents, reduced = layout.fold_reduce(integers.physical, places)
    place = reduced[0] if reduced else len(extents)
    dims = [math.prod(extents[:place]), *(extents[place : place + 1] or [1])]
    params = [int(x.quantization.zero_point), factor, out_zero, low, high]
    output = ctx.new(shape, integers.order, _INT8)
    return ctx.step(
        Kind.MEAN_QS8, params, [*dims, math.prod(extents[place + 1 :])], [integers], output
    )


def _lie_together(x: Value, axes: set[int]) -> bool:
    """Whether some axes are neighbours in memory, those of extent 1 left out."""
    places = [place for place, axis in enumerate(x.order) if axis in axes]
    return len(layout.fold_reduce(x.physical, places)[1]) <= 1
