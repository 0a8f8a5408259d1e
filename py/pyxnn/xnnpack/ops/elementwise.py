"""Arithmetic, element by element: of one tensor, of two, and of any number."""

from __future__ import annotations

from functools import reduce

import numpy as np

from pyxnn.engine import BinaryType, UnaryType
from pyxnn.graph import Graph, Node
from pyxnn.xnnpack import kernels
from pyxnn.xnnpack.lowering import Lowering
from pyxnn.xnnpack.ops import conditions
from pyxnn.xnnpack.registry import register
from pyxnn.xnnpack.values import Value

_UNARY = {
    "Abs": UnaryType.ABS,
    "Ceil": UnaryType.CEILING,
    "Cos": UnaryType.COSINE,
    "Exp": UnaryType.EXP,
    "Floor": UnaryType.FLOOR,
    "Log": UnaryType.LOG,
    "Neg": UnaryType.NEGATE,
    "Round": UnaryType.ROUND,
    "Sign": UnaryType.SIGN,
    "Sin": UnaryType.SINE,
    "Sqrt": UnaryType.SQUARE_ROOT,
}

_BINARY = {
    "Add": BinaryType.ADD,
    "Div": BinaryType.DIVIDE,
    "Mul": BinaryType.MULTIPLY,
    "PRelu": BinaryType.PRELU,
    "Sub": BinaryType.SUBTRACT,
}

_VARIADIC = {
    "Max": BinaryType.MAXIMUM,
    "Mean": BinaryType.ADD,
    "Min": BinaryType.MINIMUM,
    "Sum": BinaryType.ADD,
}


@register(*_UNARY, supports=conditions.floating)
def lower_unary(node: Node, ctx: Lowering) -> None:
    """Abs, Ceil, Exp, Floor, Log, Neg, Sqrt (opsets 6, 13), Cos, Sin (7, 22), Round (11, 22), Sign (9, 13): X of any shape to Y
    of the same."""
    x = ctx.value(node.input(0))
    ctx.define(node.output(0), kernels.unary(ctx, _UNARY[node.op_type], x))


@register("Reciprocal", supports=conditions.floating)
def lower_reciprocal(node: Node, ctx: Lowering) -> None:
    """Reciprocal (opsets 6, 13): X of any shape to 1 / X."""
    x = ctx.value(node.input(0))
    ctx.define(node.output(0), kernels.binary(ctx, BinaryType.DIVIDE, Value.scalar(1.0), x))


@register(*_BINARY, supports=conditions.floating)
def lower_binary(node: Node, ctx: Lowering) -> None:
    """Add, Div, Mul, Sub (opsets 7 to 14), PRelu (7 to 16; A is X, B its slope): A and B, broadcast as in NumPy, to C."""
    a, b = (ctx.value(name) for name in node.inputs)
    ctx.define(node.output(0), kernels.binary(ctx, _BINARY[node.op_type], a, b))


@register(*_VARIADIC, supports=conditions.floating)
def lower_variadic(node: Node, ctx: Lowering) -> None:
    """Max, Mean, Min, Sum (opsets 6 to 13): one tensor or more, broadcast as in NumPy, to one."""
    type = _VARIADIC[node.op_type]
    values = [ctx.value(name) for name in node.inputs]
    result = reduce(lambda a, b: kernels.binary(ctx, type, a, b), values)
    if node.op_type == "Mean" and len(values) > 1:
        result = kernels.binary(ctx, BinaryType.DIVIDE, result, Value.scalar(len(values)))
    ctx.define(node.output(0), result)


def supports_pow(node: Node, graph: Graph) -> str | None:
    is_constant = graph.constant(node.input(1)) is not None
    return conditions.floating(node, graph, [0] if is_constant else [0, 1])


@register("Pow", supports=supports_pow)
def lower_pow(node: Node, ctx: Lowering) -> None:
    """Pow (opsets 7 to 15): X and Y, broadcast as in NumPy, to X ** Y; a constant Y may be of any type."""
    x = ctx.value(node.input(0))
    exponent = ctx.constant(node.input(1))
    if exponent is None:
        y = ctx.value(node.input(1))
    else:
        y = Value.constant(exponent.astype(np.float32))
        if exponent.size == 1:
            short = _short_power(ctx, x.expanded(max(x.rank, y.rank)), float(exponent.item()))
            if short is not None:
                ctx.define(node.output(0), short)
                return
    ctx.define(node.output(0), kernels.binary(ctx, BinaryType.POWER, x, y))


def _short_power(ctx: Lowering, x: Value, exponent: float) -> Value | None:
    """`x` to an exponent that needs no logarithm; None for the others."""
    if exponent == 1:
        return x
    if exponent == -1:
        return kernels.binary(ctx, BinaryType.DIVIDE, Value.scalar(1.0), x)
    if exponent == 0.5:
        return kernels.unary(ctx, UnaryType.SQUARE_ROOT, x)
    if exponent == 2:
        return kernels.unary(ctx, UnaryType.SQUARE, x)
    if exponent == 3:
        square = kernels.unary(ctx, UnaryType.SQUARE, x)
        return kernels.binary(ctx, BinaryType.MULTIPLY, square, x)
    return None
