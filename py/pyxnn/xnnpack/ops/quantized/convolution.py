"""Conv on integers."""

from __future__ import annotations

import numpy as np

from pyxnn.graph import Graph, Node
from pyxnn.quantization import Quantization
from pyxnn.xnnpack import kernels
from pyxnn.xnnpack.lowering import Lowering
from pyxnn.xnnpack.ops import windows
from pyxnn.xnnpack.ops.quantized import conditions, operands
from pyxnn.xnnpack.registry import quantized


def supports_conv(node: Node, graph: Graph, target: Quantization) -> str | None:
    """Constant weights, in all or by output channel; windows over one or two axes."""
    reason = (
        conditions.activation(node, graph)
        or conditions.weights(node, graph, 1, axis=0)
        or conditions.bias(node, graph, 2)
        or windows.supports(node, graph, 1)
        or conditions.multipliers(node, graph, target)
    )
    if reason is None and graph.rank(node.input(1)) == 5:
        reason = "its windows are over three axes"
    return reason


@quantized("Conv", supports=supports_conv)
def lower_conv(node: Node, ctx: Lowering, target: Quantization) -> None:
    """Conv (opsets 1 to 22) of int8 X (N, C, [H,] W), W (M, C/group, [kH,] kW) and int32 B (M)."""
    x, source = ctx.quantized(node.input(0))
    weights, kernel = operands.weights(ctx, node.input(1))
    groups = node.attribute("group", 1)
    if x.rank != weights.ndim or x.shape[1] != weights.shape[1] * groups:
        raise ValueError(f"weights {weights.shape} in {groups} groups don't fit an input {x.shape}")
    window = windows.place(node, x.shape[2:], weights.shape[2:])
    count = weights.shape[0]
    grouped = weights.reshape(groups, -1, weights.shape[1], *window.kernel)
    output = kernels.convolution_qs8(
        ctx,
        x,
        window,
        groups,
        np.moveaxis(grouped, 2, 4),
        operands.channels(ctx, source, kernel, node.input(2), target, count),
        node.output(0),
        windows.output_shape(x.shape, count, window),
        operands.requantization(source, target, ctx.bounds),
    )
    ctx.define(node.output(0), output)
