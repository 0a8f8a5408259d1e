"""Conv on integers."""

from __future__ import annotations

import numpy as np

from pyxnn.graph import Graph, Node
from pyxnn.quantization import Quantization
from pyxnn.xnnpack import kernels
from pyxnn.xnnpack.fusion import NO_BOUNDS
from pyxnn.xnnpack.kernels import Channels, Scaling, Weights
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
    """Conv (opsets 1 to 22) of int8 X (N, C, [[D,] H,] W), W (M, C/group, [[kD,] kH,] kW) and int32 B (M).

    Over three axes sums become floats, in steps of the result, before they are rounded.
    """
    x, source = ctx.quantized(node.input(0))
    weights, kernel = operands.weights(ctx, node.input(1))
    groups = node.attribute("group", 1)
    if x.rank != weights.ndim or x.shape[1] != weights.shape[1] * groups:
        raise ValueError(f"weights {weights.shape} in {groups} groups don't fit an input {x.shape}")
    count = weights.shape[0]
    channels = operands.channels(ctx, source, kernel, node.input(2), target, count)
    grouped = np.moveaxis(weights.reshape(groups, -1, *weights.shape[1:]), 2, -1)
    if x.rank == 5:
        sums = _sums_over_volumes(node, ctx, x, source, grouped, channels)
        ctx.define(node.output(0), _rounded(ctx, sums, target))
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


def _sums_over_volumes(
    node: Node,
    ctx: Lowering,
    x: Value,
    source: Quantization,
    kernel: np.ndarray,
    channels: Channels,
) -> Value:
    """Sums over windows of three axes, in steps of the result.

    Args:
        node: the Conv.
        ctx: its plan.
        x: int8, which stands for `source`.
        kernel: int8 [groups, output channels of a group, taps along each axis, input channels of a group].
        channels: what belongs to output channels.
    """
    slides, _ = windows.slides(node, x.shape[2:], kernel.shape[2:-1])
    multipliers = channels.multipliers
    bias = np.zeros(1) if channels.bias is None else channels.bias * multipliers
    scaling = Scaling(
        Value.constant(multipliers), np.broadcast_to(bias, multipliers.size), NO_BOUNDS
    )
    zero = Value.constant(source.zero_point.astype(np.int8))
    weights = Weights(kernel, channels.zeros.astype(np.int8), node.output(0))
    return kernels.convolution_integer(ctx, x, zero, slides, weights, scaling)


def _rounded(ctx: Lowering, steps: Value, target: Quantization) -> Value:
    """Floats in steps of the result as its integers."""
    one, zero = (
        Value.constant(np.full((1,) * steps.rank, number))
        for number in (np.float32(1), np.int32(target.zero_point))
    )
    _, *limits = operands.limits(target, ctx.bounds)
    return kernels.quantize(ctx, steps, one, zero, target.dtype, (limits[0], limits[1]))
