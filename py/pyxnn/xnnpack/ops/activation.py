"""Activations: elementwise functions of one tensor, Softmax and LogSoftmax."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from pyxnn.engine import BinaryType, FunctionType, SoftmaxType, UnaryType
from pyxnn.graph import Node
from pyxnn.xnnpack import kernels
from pyxnn.xnnpack.fusion import Bounds, clip_bounds
from pyxnn.xnnpack.lowering import Lowering
from pyxnn.xnnpack.ops import conditions
from pyxnn.xnnpack.registry import register
from pyxnn.xnnpack.values import FLOAT32, Value


@register("HardSwish", supports=conditions.floating)
def lower_hard_swish(node: Node, ctx: Lowering) -> None:
    """HardSwish (opsets 14, 22): X of any shape to X * min(max(X / 6 + 1 / 2, 0), 1)."""
    x = ctx.value(node.input(0))
    ctx.define(node.output(0), kernels.unary(ctx, UnaryType.HARDSWISH, x))


@register("Relu", supports=conditions.computable)
def lower_relu(node: Node, ctx: Lowering) -> None:
    """Relu (opsets 6 to 14): X of any shape to max(X, 0)."""
    x = ctx.value(node.input(0))
    if x.dtype != FLOAT32:
        zero = Value.constant(np.zeros((), x.dtype))
        ctx.define(node.output(0), kernels.binary(ctx, BinaryType.MAXIMUM, x, zero))
        return
    ctx.define(node.output(0), kernels.clamp(ctx, x, Bounds(0.0, math.inf)))


@register("Clip", supports=conditions.computable)
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


@register("LeakyRelu", supports=conditions.floating)
def lower_leaky_relu(node: Node, ctx: Lowering) -> None:
    """LeakyRelu (opsets 6, 16): X of any shape to X where it is not negative, else alpha * X."""
    x = ctx.value(node.input(0))
    alpha = node.attribute("alpha", 0.01)
    ctx.define(node.output(0), kernels.unary(ctx, UnaryType.LEAKY_RELU, x, alpha))


@register("Elu", "Selu", "Celu", supports=conditions.floating)
def lower_elu(node: Node, ctx: Lowering) -> None:
    """Elu, Selu (opsets 6, 22), Celu (12): X of any shape to X where it is not negative, else alpha * (exp(X) - 1); gamma times
    that; X or alpha * (exp(X / alpha) - 1)."""
    x = ctx.value(node.input(0))
    outer, inner, positive = 1.0, 1.0, 1.0
    if node.op_type == "Elu":
        outer = node.attribute("alpha", 1.0)
    elif node.op_type == "Selu":
        positive = node.attribute("gamma", 1.05070102214813232421875)
        outer = node.attribute("alpha", 1.67326319217681884765625) * positive
    else:
        outer = node.attribute("alpha", 1.0)
        inner = 1 / outer
    ctx.define(node.output(0), kernels.function(ctx, FunctionType.ELU, x, outer, inner, positive))


class _Function(NamedTuple):
    """A kernel, and the attributes that are its parameters, with their defaults."""

    type: FunctionType
    attributes: tuple[tuple[str, float], ...] = ()


_FUNCTIONS = {
    "HardSigmoid": _Function(FunctionType.HARD_SIGMOID, (("alpha", 0.2), ("beta", 0.5))),
    "Mish": _Function(FunctionType.MISH),
    "Shrink": _Function(FunctionType.SHRINK, (("lambd", 0.5), ("bias", 0.0))),
    "Sigmoid": _Function(FunctionType.SIGMOID),
    "Softplus": _Function(FunctionType.SOFTPLUS),
    "Softsign": _Function(FunctionType.SOFTSIGN),
    "Swish": _Function(FunctionType.SWISH, (("alpha", 1.0),)),
    "Tanh": _Function(FunctionType.TANH),
    "ThresholdedRelu": _Function(FunctionType.THRESHOLDED_RELU, (("alpha", 1.0),)),
}


@register(*_FUNCTIONS, supports=conditions.floating)
def lower_function(node: Node, ctx: Lowering) -> None:
    """X of any shape to Y of the same.

    HardSigmoid (opsets 6, 22): min(max(alpha * X + beta, 0), 1).
    Mish (18, 22): X * tanh(softplus(X)).
    Shrink (9): X - bias above lambd, X + bias below -lambd, 0 between.
    Sigmoid (6, 13): 1 / (1 + exp(-X)).
    Softplus (1, 22): log(exp(X) + 1).
    Softsign (1, 22): X / (1 + |X|).
    Swish (24): X * sigmoid(alpha * X).
    Tanh (6, 13).
    ThresholdedRelu (10, 22): X where it is above alpha, else 0.
    """
    type, attributes = _FUNCTIONS[node.op_type]
    parameters = [node.attribute(name, default) for name, default in attributes]
    ctx.define(node.output(0), kernels.function(ctx, type, ctx.value(node.input(0)), *parameters))


_SOFTMAXES = {
    "Hardmax": SoftmaxType.HARDMAX,
    "LogSoftmax": SoftmaxType.LOG_SOFTMAX,
    "Softmax": SoftmaxType.SOFTMAX_ITSELF,
}


@register(*_SOFTMAXES, supports=conditions.floating)
def lower_softmax(node: Node, ctx: Lowering) -> None:
    """Softmax, LogSoftmax, Hardmax (opset 13): input of any shape to its softmax along `axis`, the logarithm of that, or 1 for the
    first of the greatest and 0 for the others."""
    x = ctx.value(node.input(0))
    axis = node.attribute("axis", -1) % x.rank
    ctx.define(node.output(0), kernels.softmax(ctx, _SOFTMAXES[node.op_type], x, axis))
