"""Conv on integers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pyxnn.graph import Graph, Node
from pyxnn.quantization import Quantization
from pyxnn.xnnpack import kernels
from pyxnn.xnnpack.fusion import NO_BOUNDS
from pyxnn.xnnpack.kernels import Channels, Scaling, Slide, Weights
from pyxnn.xnnpack.lowering import Lowering
from pyxnn.xnnpack.ops import windows
from pyxnn.xnnpack.ops.quantized import conditions, operands
from pyxnn.xnnpack.registry import quantized
from pyxnn.xnnpack.values import Value


def supports_conv(node: Node, graph: Graph, target: Quantization) -> str | None:
    """Constant weights, in all or by output channel; windows over up to three axes."""
    return (
        conditions.activation(node, graph)
        or conditions.weights(node, graph, 1, axis=0)
        or conditions.bias(node, graph, 2)
        or windows.supports(node, graph, 1)
        or conditions.multipliers(node, graph, target)
    )


@quantized("Conv", supports=supports_conv)
def lower_conv(node: Node, ctx: Lowering, target: Quantization) -> None:
    """Conv (opsets 1 to 22) of int8 X (N, C, [[D,] H,] W), W (M, C/group, [[kD,] kH,] kW) and int32 B (M)."""
    x, source = ctx.quantized(node.input(0))
    weights, kernel = operands.weights(ctx, node.input(1))
    groups = node.attribute("group", 1)
    if x.rank != weights.ndim or x.shape[1] != weights.shape[1] * groups:
        raise ValueError(f"weights {weights.shape} in {groups} groups don't fit an input {x.shape}")
    count = weights.shape[0]
    channels = operands.channels(ctx, source, kernel, node.input(2), target, count)
    grouped = np.moveaxis(weights.reshape(groups, -1, *weights.shape[1:]), 2, -1)
    if x.rank == 5:
        slides, _ = windows.slides(node, x.shape[2:], weights.shape[2:])
        output = over_volumes(ctx, x, source, slides, grouped, channels, node.output(0), target)
        ctx.define(node.output(0), output)
        return
    window = windows.place(node, x.shape[2:], weights.shape[2:])
    output = kernels.convolution_qs8(
        ctx,
        x,
        window,
        grouped.reshape(*grouped.shape[:2], *window.kernel, grouped.shape[-1]),
        channels,
        node.output(0),
        operands.requantization(source, target, ctx.bounds),
    )
    ctx.define(node.output(0), output)


def over_volumes(
    ctx: Lowering,
    x: Value,
    source: Quantization,
    slides: Sequence[Slide],
    kernel: np.ndarray,
    channels: Channels,
    key: str,
    target: Quantization,
) -> Value:
    """Convolution over three axes. Sums become floats, in steps of the result, before they are rounded.

    Args:
        ctx: the plan.
        x: int8, which stands for `source`.
        slides: of the window, along each axis.
        kernel: int8 [groups, output channels of a group, taps along each axis, input channels of a group].
        channels: what belongs to output channels.
        key: tells kernel and channels apart from those of other steps.
        target: what the result stands for.
    """
    multipliers = channels.multipliers
    bias = np.zeros(1) if channels.bias is None else channels.bias * multipliers
    scaling = Scaling(
        Value.constant(multipliers), np.broadcast_to(bias, multipliers.size), NO_BOUNDS
    )
    x_zero = Value.constant(source.zero_point.astype(np.int8))
    weights = Weights(kernel, channels.zeros.astype(np.int8), key)
    steps = kernels.convolution_integer(ctx, x, x_zero, slides, weights, scaling)
    one, zero = (
        Value.constant(np.full((1,) * steps.rank, number))
        for number in (np.float32(1), np.int32(target.zero_point))
    )
    _, low, high = operands.limits(target, ctx.bounds)
    return kernels.quantize(ctx, steps, one, zero, target.dtype, (low, high))
