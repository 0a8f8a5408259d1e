"""What masks are made of: comparisons, logic, choices, triangles."""

from __future__ import annotations

import math

import numpy as np

from pyxnn.engine import BinaryType, UnaryType
from pyxnn.graph import Node
from pyxnn.xnnpack import kernels
from pyxnn.xnnpack.lowering import Lowering
from pyxnn.xnnpack.ops import conditions
from pyxnn.xnnpack.registry import register
from pyxnn.xnnpack.values import Value

_COMPARISONS = {
    "Less": (BinaryType.LESS, False),
    "LessOrEqual": (BinaryType.LESS_EQUAL, False),
    "Greater": (BinaryType.LESS, True),
    "GreaterOrEqual": (BinaryType.LESS_EQUAL, True),
}
"""The kernel, and whether its operands change places."""

_LOGIC = {
    "And": BinaryType.AND,
    "Or": BinaryType.OR,
    "Xor": BinaryType.XOR,
    "BitwiseAnd": BinaryType.AND,
    "BitwiseOr": BinaryType.OR,
    "BitwiseXor": BinaryType.XOR,
}


@register("Equal", supports=conditions.computable)
def lower_equal(node: Node, ctx: Lowering) -> None:
    """Equal (opsets 7 to 19): A and B, broadcast as in NumPy, to bool."""
    a, b = (ctx.value(name) for name in node.inputs)
    ctx.define(node.output(0), kernels.binary(ctx, BinaryType.EQUAL, a, b))


@register(*_COMPARISONS, supports=conditions.computable)
def lower_comparison(node: Node, ctx: Lowering) -> None:
    """Greater, Less (opsets 7 to 13), GreaterOrEqual, LessOrEqual (12, 16): A and B, broadcast as in NumPy, to bool."""
    a, b = (ctx.value(name) for name in node.inputs)
    type, swapped = _COMPARISONS[node.op_type]
    ctx.define(node.output(0), kernels.binary(ctx, type, *((b, a) if swapped else (a, b))))


@register(*_LOGIC, supports=conditions.computable)
def lower_logic(node: Node, ctx: Lowering) -> None:
    """And, Or, Xor (opset 7) of bool, BitwiseAnd, BitwiseOr, BitwiseXor (18) of integers: A and B, broadcast as in NumPy, to C."""
    a, b = (ctx.value(name) for name in node.inputs)
    ctx.define(node.output(0), kernels.binary(ctx, _LOGIC[node.op_type], a, b))


@register("Not", supports=conditions.computable)
def lower_not(node: Node, ctx: Lowering) -> None:
    """Not (opset 1): X, of bool, to its opposite."""
    ctx.define(node.output(0), _opposite(ctx, ctx.value(node.input(0))))


def _opposite(ctx: Lowering, x: Value) -> Value:
    return kernels.binary(ctx, BinaryType.XOR, x, Value.constant(np.array(True)))


@register("BitwiseNot", supports=conditions.computable)
def lower_bitwise_not(node: Node, ctx: Lowering) -> None:
    """BitwiseNot (opset 18): X, of integers, with all bits turned."""
    x = ctx.value(node.input(0))
    ones = Value.constant(~np.zeros((), x.dtype))
    ctx.define(node.output(0), kernels.binary(ctx, BinaryType.XOR, x, ones))


@register("BitShift", supports=conditions.integral)
def lower_shift(node: Node, ctx: Lowering) -> None:
    """BitShift (opsets 11 to 28): X, of integers, by Y bits to the `direction`, broadcast as in NumPy. From the left come zeros, or
    copies of the sign."""
    x, y = (ctx.value(name) for name in node.inputs)
    type = BinaryType.SHIFT_LEFT
    if node.attributes["direction"] == "RIGHT":
        is_signed = x.dtype.kind == "i"
        type = BinaryType.SHIFT_RIGHT_SIGNED if is_signed else BinaryType.SHIFT_RIGHT
    ctx.define(node.output(0), kernels.binary(ctx, type, x, y))


@register("IsNaN", supports=conditions.floating)
def lower_is_nan(node: Node, ctx: Lowering) -> None:
    """IsNaN (opsets 9 to 20): X of any shape to bool: NaN alone is not equal to itself."""
    x = ctx.value(node.input(0))
    ctx.define(node.output(0), _opposite(ctx, kernels.binary(ctx, BinaryType.EQUAL, x, x)))


@register("IsInf", supports=conditions.floating)
def lower_is_inf(node: Node, ctx: Lowering) -> None:
    """IsInf (opsets 10, 20): X of any shape to bool; `detect_negative` and `detect_positive` say of which infinity."""
    x = ctx.value(node.input(0))
    negative, positive = (node.attribute(f"detect_{sign}", 1) for sign in ("negative", "positive"))
    if negative and positive:
        x = kernels.unary(ctx, UnaryType.ABS, x)
    elif not negative and not positive:
        ctx.define(node.output(0), Value.constant(np.zeros(x.shape, np.bool_)))
        return
    infinity = Value.scalar(math.inf if positive else -math.inf)
    ctx.define(node.output(0), kernels.binary(ctx, BinaryType.EQUAL, x, infinity))


@register("Where", supports=conditions.movable)
def lower_where(node: Node, ctx: Lowering) -> None:
    """Where (opsets 9, 16): condition, X and Y, broadcast as in NumPy, to X where the condition is true, else Y."""
    condition, x, y = (ctx.value(name) for name in node.inputs)
    ctx.define(node.output(0), kernels.select(ctx, condition, x, y))


@register("Trilu", supports=conditions.movable_data, planned=(1,))
def lower_trilu(node: Node, ctx: Lowering) -> None:
    """Trilu (opset 14): the part of input's matrices on and above diagonal k, or on and below it unless `upper`; else zeros."""
    x = ctx.value(node.input(0))
    k = ctx.constant(node.input(1))
    part = np.triu if node.attribute("upper", 1) else np.tril
    kept = part(np.ones(x.shape[-2:], np.bool_), 0 if k is None else int(k.item()))
    zero = Value.constant(np.zeros((), x.dtype))
    ctx.define(node.output(0), kernels.select(ctx, Value.constant(kept), x, zero))


@register("MelWeightMatrix", supports=conditions.movable, planned=(0, 1, 2, 3, 4))
@register(
    "BlackmanWindow", "HammingWindow", "HannWindow", supports=conditions.movable, planned=(0,)
)
@register("ConstantOfShape", supports=conditions.movable, planned=(0,))
@register("Range", supports=conditions.movable, planned=(0, 1, 2))
def lower_known(node: Node, ctx: Lowering) -> None:
    """ConstantOfShape (opsets 9 to 25), Range (11), BlackmanWindow, HammingWindow, HannWindow, MelWeightMatrix (17):
    evaluated with the plan, for which all their inputs are known."""
