"""Arithmetic, element by element: of one tensor, of two, and of any number."""

from __future__ import annotations

from functools import reduce

import numpy as np

from pyxnn.engine import BinaryType, FunctionType, UnaryType
from pyxnn.graph import Graph, Node
from pyxnn.xnnpack import kernels
from pyxnn.xnnpack.lowering import Lowering
from pyxnn.xnnpack.ops import conditions
from pyxnn.xnnpack.registry import register
from pyxnn.xnnpack.values import FLOAT32, Value

_UNARY = {
    "Ceil": UnaryType.CEILING,
    "Floor": UnaryType.FLOOR,
    "Round": UnaryType.ROUND,
    "Sqrt": UnaryType.SQUARE_ROOT,
}

_FUNCTIONS = {
    "Acos": FunctionType.ARC_COSINE,
    "Acosh": FunctionType.AREA_COSINE,
    "Asin": FunctionType.ARC_SINE,
    "Asinh": FunctionType.AREA_SINE,
    "Atan": FunctionType.ARC_TANGENT,
    "Atanh": FunctionType.AREA_TANGENT,
    "Cos": FunctionType.COSINE,
    "Cosh": FunctionType.HYPERBOLIC_COSINE,
    "Exp": FunctionType.EXP,
    "Log": FunctionType.LOG,
    "Reciprocal": FunctionType.RECIPROCAL,
    "Sin": FunctionType.SINE,
    "Sinh": FunctionType.HYPERBOLIC_SINE,
    "Tan": FunctionType.TANGENT,
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
    """Ceil, Floor, Sqrt (opsets 6, 13), Round (11, 22): X of any shape to Y of the same."""
    x = ctx.value(node.input(0))
    ctx.define(node.output(0), kernels.unary(ctx, _UNARY[node.op_type], x))


@register(*_FUNCTIONS, supports=conditions.floating)
def lower_function(node: Node, ctx: Lowering) -> None:
    """Exp, Log, Reciprocal (opsets 6, 13), Acos, Asin, Atan, Cos, Sin, Tan (7, 22), Acosh, Asinh, Atanh, Cosh, Sinh (9, 22): X of
    any shape to Y of the same."""
    x = ctx.value(node.input(0))
    ctx.define(node.output(0), kernels.function(ctx, _FUNCTIONS[node.op_type], x))


@register("Abs", "Neg", "Sign", supports=conditions.computable)
def lower_signed(node: Node, ctx: Lowering) -> None:
    """Abs, Neg (opsets 6, 13), Sign (9, 13): X of any shape to Y of the same; integers wrap."""
    x = ctx.value(node.input(0))
    if x.dtype == FLOAT32 and node.op_type == "Sign":
        y = kernels.function(ctx, FunctionType.SIGN, x)
    elif x.dtype == FLOAT32:
        y = kernels.unary(ctx, UnaryType.ABS if node.op_type == "Abs" else UnaryType.NEGATE, x)
    elif node.op_type == "Sign":
        y = kernels.binary(ctx, BinaryType.MINIMUM, x, _integer(1, x))
        if x.dtype.kind == "i":
            y = kernels.binary(ctx, BinaryType.MAXIMUM, y, _integer(-1, x))
    else:
        y = kernels.binary(ctx, BinaryType.SUBTRACT, _integer(0, x), x)
        if node.op_type == "Abs":
            y = x if x.dtype.kind == "u" else kernels.binary(ctx, BinaryType.MAXIMUM, x, y)
    ctx.define(node.output(0), y)


def _integer(number: int, x: Value) -> Value:
    """A scalar of the type of `x`."""
    return Value.constant(np.array(number, x.dtype))


def supports_prelu(node: Node, graph: Graph) -> str | None:
    """A slope that broadcasts, as it does since opset 7."""
    x, slope = (graph.type(name).static_shape for name in node.inputs)
    if slope is not None and len(slope) == 1 and slope[0] > 1 and (not x or x[-1] != slope[0]):
        return "its slope goes by channels, as before opset 7"
    return conditions.floating(node, graph)


@register("PRelu", supports=supports_prelu)
@register("Add", "Mul", "Sub", supports=conditions.computable, clamps=True)
@register("Div", supports=conditions.computable)
def lower_binary(node: Node, ctx: Lowering) -> None:
    """Add, Div, Mul, Sub (opsets 7 to 14), PRelu (7 to 16; A is X, B its slope): A and B, broadcast as in NumPy, to C.

    Integers wrap; their quotients are rounded towards zero, and zero where B is.
    """
    a, b = (ctx.value(name) for name in node.inputs)
    result = kernels.binary(ctx, _BINARY[node.op_type], a, b)
    ctx.define(node.output(0), kernels.clamp(ctx, result, ctx.bounds))


@register("Mod", supports=conditions.numeric)
def lower_mod(node: Node, ctx: Lowering) -> None:
    """Mod (opsets 10, 13): A and B, broadcast as in NumPy, to what division leaves: of B's sign, or of A's with `fmod`."""
    a, b = (ctx.value(name) for name in node.inputs)
    type = BinaryType.REMAINDER if node.attribute("fmod", 0) else BinaryType.MODULO
    ctx.define(node.output(0), kernels.binary(ctx, type, a, b))


@register("Mean", "Sum", supports=conditions.floating)
@register("Max", "Min", supports=conditions.computable)
def lower_variadic(node: Node, ctx: Lowering) -> None:
    """Max, Mean, Min, Sum (opsets 6 to 13): one tensor or more, broadcast as in NumPy, to one."""
    type = _VARIADIC[node.op_type]
    values = [ctx.value(name) for name in node.inputs]
    result = reduce(lambda a, b: kernels.binary(ctx, type, a, b), values)
    if node.op_type == "Mean" and len(values) > 1:
        result = kernels.binary(ctx, BinaryType.DIVIDE, result, Value.scalar(len(values)))
    ctx.define(node.output(0), result)


def supports_pow(node: Node, graph: Graph) -> str | None:
    """Exponents of the first input's kind, or constant."""
    if conditions.floating(node, graph, [0]):
        return conditions.integral(node, graph)
    is_constant = graph.constant(node.input(1)) is not None
    return None if is_constant else conditions.computable(node, graph, [1])


@register("Pow", supports=supports_pow)
def lower_pow(node: Node, ctx: Lowering) -> None:
    """Pow (opsets 7 to 15): X and Y, broadcast as in NumPy, to X ** Y, of X's type. An integer X takes integers only."""
    x, y = (ctx.value(name) for name in node.inputs)
    y = kernels.cast(ctx, y, x.dtype)
    if isinstance(y.source, np.ndarray) and y.size == 1:
        rank = max(x.rank, y.rank)
        power = _power_of(ctx, x.expanded(rank), float(y.source.item()))
        if power is not None:
            ctx.define(node.output(0), power)
            return
    ctx.define(node.output(0), kernels.binary(ctx, BinaryType.POWER, x, y))


def _power_of(ctx: Lowering, x: Value, exponent: float) -> Value | None:
    """`x` to one exponent; None where it is an integer and has no short way."""
    if exponent == 1:
        return x
    if exponent in (2, 3):
        square = kernels.binary(ctx, BinaryType.MULTIPLY, x, x)
        return square if exponent == 2 else kernels.binary(ctx, BinaryType.MULTIPLY, square, x)
    if x.dtype != FLOAT32:
        return None
    if exponent == -1:
        return kernels.function(ctx, FunctionType.RECIPROCAL, x)
    if exponent == 0.5:
        return kernels.unary(ctx, UnaryType.SQUARE_ROOT, x)
    return kernels.function(ctx, FunctionType.POWER_OF, x, exponent)
