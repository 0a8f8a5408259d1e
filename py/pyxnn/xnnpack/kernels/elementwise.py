"""Elementwise operations, on one tensor, two or three."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pyxnn.engine import BinaryType, FunctionType, Kind, UnaryType
from pyxnn.xnnpack.fusion import NO_BOUNDS, Bounds
from pyxnn.xnnpack.kernels.cast import cast, element, working_type
from pyxnn.xnnpack.kernels.nest import aligned, nest, nest_words
from pyxnn.xnnpack.values import FLOAT32, Value

if TYPE_CHECKING:
    from pyxnn.xnnpack.lowering import Lowering

COMPARISONS = {BinaryType.EQUAL, BinaryType.LESS, BinaryType.LESS_EQUAL}

RESTS = {BinaryType.MODULO, BinaryType.REMAINDER}

EXTREMES = {BinaryType.MAXIMUM, BinaryType.MINIMUM}

BITWISE = {BinaryType.AND, BinaryType.OR, BinaryType.XOR}

FUNCTION_PARAMETERS = 3
"""So many parameter words does an elementwise function have."""


def unary(ctx: Lowering, type: UnaryType, x: Value, p0: float = 0.0, p1: float = 0.0) -> Value:
    """An elementwise operation on one tensor."""
    output = ctx.new(x.shape, x.order)
    return ctx.step(Kind.UNARY, [type, p0, p1], [1, x.size, x.size, x.size], [x], output)


def function(ctx: Lowering, type: FunctionType, x: Value, *parameters: float) -> Value:
    """An elementwise function on a kernel of ours; `FunctionType`'s header says what its parameters are."""
    params = [type, *map(float, parameters), *[0.0] * (FUNCTION_PARAMETERS - len(parameters))]
    return ctx.step(
        Kind.FUNCTION, params, [1, x.size, x.size, x.size], [x], ctx.new(x.shape, x.order)
    )


def clamp(ctx: Lowering, x: Value, bounds: Bounds) -> Value:
    """`x` within bounds; `x` itself when there are none."""
    return x if bounds == NO_BOUNDS else unary(ctx, UnaryType.CLAMP, x, *bounds)


def binary(ctx: Lowering, type: BinaryType, a: Value, b: Value) -> Value:
    """An elementwise operation on two tensors of one type, broadcast as in NumPy; a comparison gives bool."""
    if a.dtype != FLOAT32 or type in COMPARISONS | RESTS:
        return _typed_binary(ctx, type, a, b)
    a, b = aligned(ctx, a, b)
    output = ctx.new(np.broadcast_shapes(a.shape, b.shape), a.order)
    return ctx.step(Kind.BINARY, [type], nest_words(nest(a, b, output)), [a, b], output)


def _typed_binary(ctx: Lowering, type: BinaryType, a: Value, b: Value) -> Value:
    """On kernels of ours, which know few types: narrow integers are computed in wider ones."""
    compares, dtype = type in COMPARISONS, a.dtype
    working = working_type(dtype)
    if dtype.itemsize == 1 and (type in BITWISE or type == BinaryType.EQUAL or dtype.kind == "b"):
        working = np.dtype(np.uint8)
    elif dtype.itemsize == 1 and type in EXTREMES:
        working = dtype
    a, b = aligned(ctx, cast(ctx, a, working), cast(ctx, b, working))
    shape = np.broadcast_shapes(a.shape, b.shape)
    made = np.dtype(np.bool_) if compares else working if dtype.kind in "iu" else dtype
    output = ctx.new(shape, a.order, made)
    dims = nest_words(nest(a, b, output))
    ctx.step(Kind.TYPED_BINARY, [type, element(working)], dims, [a, b], output)
    return output if compares else cast(ctx, output, dtype)


def multiply_add(
    ctx: Lowering, x: Value, factors: Value, addends: Value, bounds: Bounds = NO_BOUNDS
) -> Value:
    """`x` times factors plus addends, which broadcast to its shape as in NumPy, within bounds."""
    x, factors, addends = aligned(ctx, x, factors, addends)
    output = ctx.new(x.shape, x.order)
    dims = nest_words(nest(x, factors, addends, output))
    return ctx.step(Kind.MULTIPLY_ADD, [*bounds], dims, [x, factors, addends], output)


def select(ctx: Lowering, condition: Value, a: Value, b: Value) -> Value:
    """The elements of `a` where the condition is true, else those of `b`; broadcast as in NumPy."""
    condition, a, b = aligned(ctx, condition, a, b)
    shape = np.broadcast_shapes(condition.shape, a.shape, b.shape)
    output = ctx.new(shape, a.order, a.dtype)
    dims = nest_words(nest(condition, a, b, output))
    return ctx.step(Kind.SELECT, [a.dtype.itemsize], dims, [condition, a, b], output)
