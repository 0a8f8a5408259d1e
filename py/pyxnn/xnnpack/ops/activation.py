"""Activations: elementwise functions of one tensor, Softmax and LogSoftmax."""

from __future__ import annotations

import math

import numpy as np

from pyxnn.engine import BinaryType, ReduceType, UnaryType
from pyxnn.graph import Graph, Node
from pyxnn.xnnpack import kernels
from pyxnn.xnnpack.fusion import Bounds, clip_bounds
from pyxnn.xnnpack.lowering import Lowering
from pyxnn.xnnpack.ops import conditions
from pyxnn.xnnpack.registry import register
from pyxnn.xnnpack.values import FLOAT32, Value

_UNARY = {
    "HardSwish": UnaryType.HARDSWISH,
    "Sigmoid": UnaryType.SIGMOID,
    "Tanh": UnaryType.TANH,
}


@register(*_UNARY, supports=conditions.floating)
def lower_unary(node: Node, ctx: Lowering) -> None:
    """HardSwish (opsets 14, 22), Sigmoid (6, 13), Tanh (6, 13): X of any shape to Y of the same."""
    x = ctx.value(node.input(0))
    ctx.define(node.output(0), kernels.unary(ctx, _UNARY[node.op_type], x))


@register("Relu", supports=conditions.ordered)
def lower_relu(node: Node, ctx: Lowering) -> None:
    """Relu (opsets 6 to 14): X of any shape to max(X, 0)."""
    x = ctx.value(node.input(0))
    if x.dtype != FLOAT32:
        zero = Value.constant(np.zeros((), x.dtype))
        ctx.define(node.output(0), kernels.binary(ctx, BinaryType.MAXIMUM, x, zero))
        return
    ctx.define(node.output(0), kernels.clamp(ctx, x, Bounds(0.0, math.inf)))


@register("Clip", supports=conditions.ordered)
def lower_clip(node: Node, ctx: Lowering) -> None:
    """Clip (opsets 11 to 13): input of any shape, min and max scalars or absent, to min(max(input, min), max)."""
    x = ctx.value(node.input(0))
    bounds = clip_bounds(node, ctx.constant)
    if bounds is not None and x.dtype == FLOAT32:
        ctx.define(node.output(0), kernels.clamp(ctx, x, bounds))
        return
    for name, type in zip(node.inputs[1:], (BinaryType.MAXIMUM, BinaryType.MINIMUM), strict=False):
        if name:
            x = kernels.binary(ctx, type, x, ctx.reshape(ctx.value(name), ()))
    ctx.define(node.output(0), x)


@register("HardSigmoid", supports=conditions.floating)
def lower_hard_sigmoid(node: Node, ctx: Lowering) -> None:
    """HardSigmoid (opsets 6, 22): X of any shape to min(max(alpha * X + beta, 0), 1)."""
    x = ctx.value(node.input(0))
    scaled = kernels.binary(ctx, BinaryType.MULTIPLY, x, Value.scalar(node.attribute("alpha", 0.2)))
    shifted = kernels.binary(ctx, BinaryType.ADD, scaled, Value.scalar(node.attribute("beta", 0.5)))
    ctx.define(node.output(0), kernels.clamp(ctx, shifted, Bounds(0.0, 1.0)))


@register("LeakyRelu", supports=conditions.floating)
def lower_leaky_relu(node: Node, ctx: Lowering) -> None:
    """LeakyRelu (opsets 6, 16): X of any shape to X where it is not negative, else alpha * X."""
    x = ctx.value(node.input(0))
    alpha = node.attribute("alpha", 0.01)
    ctx.define(node.output(0), kernels.unary(ctx, UnaryType.LEAKY_RELU, x, alpha))


@register("Elu", supports=conditions.floating)
def lower_elu(node: Node, ctx: Lowering) -> None:
    """Elu (opsets 6, 22): X of any shape to X where it is not negative, else alpha * (exp(X) - 1)."""
    x = ctx.value(node.input(0))
    alpha = node.attribute("alpha", 1.0)
    ctx.define(node.output(0), kernels.unary(ctx, UnaryType.ELU, x, alpha))


@register("Selu", supports=conditions.floating)
def lower_selu(node: Node, ctx: Lowering) -> None:
    """Selu (opsets 6, 22): X of any shape to gamma times its Elu."""
    x = ctx.value(node.input(0))
    elu = kernels.unary(ctx, UnaryType.ELU, x, node.attribute("alpha", 1.67326319217681884765625))
    gamma = Value.scalar(node.attribute("gamma", 1.05070102214813232421875))
    ctx.define(node.output(0), kernels.binary(ctx, BinaryType.MULTIPLY, elu, gamma))


def supports_celu(node: Node, graph: Graph) -> str | None:
    if node.attribute("alpha", 1.0) <= 0:
        return "alpha is not positive"
    return conditions.floating(node, graph)


@register("Celu", supports=supports_celu)
def lower_celu(node: Node, ctx: Lowering) -> None:
    """Celu (opset 12): X of any shape to alpha times the Elu of X / alpha."""
    x = ctx.value(node.input(0))
    alpha = Value.scalar(node.attribute("alpha", 1.0))
    scaled = kernels.binary(ctx, BinaryType.DIVIDE, x, alpha)
    elu = kernels.unary(ctx, UnaryType.ELU, scaled, 1.0)
    ctx.define(node.output(0), kernels.binary(ctx, BinaryType.MULTIPLY, elu, alpha))


@register("Softplus", supports=conditions.floating)
def lower_softplus(node: Node, ctx: Lowering) -> None:
    """Softplus (opsets 1, 22): X of any shape to log(exp(X) + 1).

    It is max(X, 0) + log(1 + e) with e = exp(-|X|), in which nothing overflows. XNNPACK's logarithm y is good to 1e-7, too little
    where e is small, and its Elu of -y, exp(-y) - 1, says by how much: a step of Newton's method adds (1 + e) * Elu(-y) + e.
    """
    x = ctx.value(node.input(0))
    exponent = kernels.unary(ctx, UnaryType.NEGATE, kernels.unary(ctx, UnaryType.ABS, x))
    power = kernels.unary(ctx, UnaryType.EXP, exponent)
    sum = kernels.binary(ctx, BinaryType.ADD, power, Value.scalar(1.0))
    logarithm = kernels.unary(ctx, UnaryType.LOG, sum)
    negative = kernels.unary(ctx, UnaryType.NEGATE, logarithm)
    inverse = kernels.unary(ctx, UnaryType.ELU, negative, 1.0)
    product = kernels.binary(ctx, BinaryType.MULTIPLY, sum, inverse)
    missing = kernels.binary(ctx, BinaryType.ADD, product, power)
    exact = kernels.binary(ctx, BinaryType.ADD, logarithm, missing)
    positive = kernels.clamp(ctx, x, Bounds(0.0, math.inf))
    ctx.define(node.output(0), kernels.binary(ctx, BinaryType.ADD, positive, exact))


@register("Mish", supports=conditions.floating)
def lower_mish(node: Node, ctx: Lowering) -> None:
    """Mish (opsets 18, 22): X of any shape to X * tanh(softplus(X)).

    With u = exp(X) and n = u * (u + 2) the factor is n / (n + 2), which is 1 long before u * u overflows.
    """
    x = ctx.value(node.input(0))
    two = Value.scalar(2.0)
    power = kernels.unary(ctx, UnaryType.EXP, kernels.clamp(ctx, x, Bounds(-math.inf, 20.0)))
    shifted = kernels.binary(ctx, BinaryType.ADD, power, two)
    numerator = kernels.binary(ctx, BinaryType.MULTIPLY, power, shifted)
    denominator = kernels.binary(ctx, BinaryType.ADD, numerator, two)
    factor = kernels.binary(ctx, BinaryType.DIVIDE, numerator, denominator)
    ctx.define(node.output(0), kernels.binary(ctx, BinaryType.MULTIPLY, x, factor))


@register("Softsign", supports=conditions.floating)
def lower_softsign(node: Node, ctx: Lowering) -> None:
    """Softsign (opsets 1, 22): X of any shape to X / (1 + |X|)."""
    x = ctx.value(node.input(0))
    magnitude = kernels.unary(ctx, UnaryType.ABS, x)
    divisor = kernels.binary(ctx, BinaryType.ADD, magnitude, Value.scalar(1.0))
    ctx.define(node.output(0), kernels.binary(ctx, BinaryType.DIVIDE, x, divisor))


@register("Swish", supports=conditions.floating)
def lower_swish(node: Node, ctx: Lowering) -> None:
    """Swish (opset 24): X of any shape to X * sigmoid(alpha * X)."""
    x = ctx.value(node.input(0))
    alpha = Value.scalar(node.attribute("alpha", 1.0))
    scaled = kernels.binary(ctx, BinaryType.MULTIPLY, x, alpha)
    factor = kernels.unary(ctx, UnaryType.SIGMOID, scaled)
    ctx.define(node.output(0), kernels.binary(ctx, BinaryType.MULTIPLY, x, factor))


@register("Softmax", supports=conditions.floating)
def lower_softmax(node: Node, ctx: Lowering) -> None:
    """Softmax (opset 13): input of any shape to its softmax along `axis`."""
    x = ctx.value(node.input(0))
    axis = node.attribute("axis", -1)
    ctx.define(node.output(0), kernels.softmax(ctx, x, axis % x.rank))


@register("LogSoftmax", supports=conditions.floating)
def lower_log_softmax(node: Node, ctx: Lowering) -> None:
    """LogSoftmax (opset 13): input of any shape to the logarithm of its softmax along `axis`.

    With d = input - max(input) it is d - log(sum(exp(d))), in which nothing overflows and small results stay finite.
    """
    x = ctx.value(node.input(0))
    axis = node.attribute("axis", -1) % x.rank
    if x.size == 0:
        ctx.define(node.output(0), x)
        return
    distance = kernels.binary(
        ctx, BinaryType.SUBTRACT, x, kernels.reduce(ctx, ReduceType.GREATEST, x, [axis])
    )
    powers = kernels.unary(ctx, UnaryType.EXP, distance)
    sum = kernels.reduce(ctx, ReduceType.SUM, powers, [axis])
    logarithm = kernels.unary(ctx, UnaryType.LOG, sum)
    ctx.define(node.output(0), kernels.binary(ctx, BinaryType.SUBTRACT, distance, logarithm))
