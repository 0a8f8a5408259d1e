"""Relu, Clip, Sigmoid, HardSigmoid, HardSwish, Tanh and Softmax."""

from __future__ import annotations

import math

from pyxnn.engine import BinaryType, UnaryType
from pyxnn.graph import Node
from pyxnn.xnnpack import kernels
from pyxnn.xnnpack.fusion import Bounds, clip_bounds
from pyxnn.xnnpack.lowering import Lowering
from pyxnn.xnnpack.ops import conditions
from pyxnn.xnnpack.registry import register
from pyxnn.xnnpack.values import Value

_UNARY = {
    "HardSwish": UnaryType.HARDSWISH,
    "Sigmoid": UnaryType.SIGMOID,
    "Tanh": UnaryType.TANH,
}


@register(*_UNARY, supports=conditions.float32)
def lower_unary(node: Node, ctx: Lowering) -> None:
    """HardSwish (opsets 14, 22), Sigmoid (6, 13), Tanh (6, 13): X of any shape to Y of the same."""
    x = ctx.value(node.input(0))
    ctx.define(node.output(0), kernels.unary(ctx, _UNARY[node.op_type], x))


@register("Relu", supports=conditions.float32)
def lower_relu(node: Node, ctx: Lowering) -> None:
    """Relu (opsets 6 to 14): X of any shape to max(X, 0)."""
    x = ctx.value(node.input(0))
    ctx.define(node.output(0), kernels.clamp(ctx, x, Bounds(0.0, math.inf)))


@register("Clip", supports=conditions.float32)
def lower_clip(node: Node, ctx: Lowering) -> None:
    """Clip (opsets 11 to 13): input of any shape, min and max scalars or absent, to min(max(input, min), max)."""
    x = ctx.value(node.input(0))
    bounds = clip_bounds(node, ctx.constant)
    if bounds is not None:
        ctx.define(node.output(0), kernels.clamp(ctx, x, bounds))
        return
    for name, type in zip(node.inputs[1:], (BinaryType.MAXIMUM, BinaryType.MINIMUM), strict=False):
        if name:
            x = kernels.binary(ctx, type, x, ctx.reshape(ctx.value(name), ()))
    ctx.define(node.output(0), x)


@register("HardSigmoid", supports=conditions.float32)
def lower_hard_sigmoid(node: Node, ctx: Lowering) -> None:
    """HardSigmoid (opsets 6, 22): X of any shape to min(max(alpha * X + beta, 0), 1)."""
    x = ctx.value(node.input(0))
    scaled = kernels.binary(ctx, BinaryType.MULTIPLY, x, Value.scalar(node.attribute("alpha", 0.2)))
    shifted = kernels.binary(ctx, BinaryType.ADD, scaled, Value.scalar(node.attribute("beta", 0.5)))
    ctx.define(node.output(0), kernels.clamp(ctx, shifted, Bounds(0.0, 1.0)))


@register("Softmax", supports=conditions.float32)
def lower_softmax(node: Node, ctx: Lowering) -> None:
    """Softmax (opset 13): input of any shape to its softmax along `axis`."""
    x = ctx.value(node.input(0))
    axis = node.attribute("axis", -1)
    ctx.define(node.output(0), kernels.softmax(ctx, x, axis % x.rank))
