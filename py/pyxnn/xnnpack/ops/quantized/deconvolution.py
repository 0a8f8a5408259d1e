"""ConvTranspose on integers."""

from __future__ import annotations

import numpy as np

from pyxnn.graph import Graph, Node
from pyxnn.quantization import Quantization
from pyxnn.xnnpack import kernels
from pyxnn.xnnpack.kernels import Window
from pyxnn.xnnpack.lowering import Lowering
from pyxnn.xnnpack.ops import windows
from pyxnn.xnnpack.ops.quantized import conditions, operands
from pyxnn.xnnpack.registry import quantized

MOST_MULTIPLIED = 256
"""XNNPACK's kernels multiply sums of products by less than this."""


def supports_conv_transpose(node: Node, graph: Graph, target: Quantization) -> str | None:
    """Constant weights, in all or by output channel, that are int8 without their zero points; windows over one or two axes."""
    reason = (
        conditions.activation(node, graph)
        or conditions.weights(node, graph, 1, axis=1)
        or conditions.no_zeros(node, graph, 1)
        or conditions.bias(node, graph, 2)
        or windows.supports(node, graph, 1)
        or conditions.multipliers(node, graph, target)
    )
    if reason is not None:
        return reason
    x, weights = (conditions.source(node, graph, position) for position in (0, 1))
    assert x is not None and weights is not None
    if (x.scale * weights.scale / target.scale).max() >= MOST_MULTIPLIED:
        return f"its scales are {MOST_MULTIPLIED} times apart"
    return "its windows are over three axes" if graph.rank(node.input(1)) == 5 else None


@quantized("ConvTranspose", supports=supports_conv_transpose)
def lower_conv_transpose(node: Node, ctx: Lowering, target: Quantization) -> None:
    """ConvTranspose (opsets 1 to 22) of int8 X (N, C, [H,] W), W (C, M/group, [kH,] kW) and int32 B (M)."""
    x, source = ctx.quantized(node.input(0))
    weights, kernel = operands.without_zeros(ctx, node.input(1))
    groups = node.attribute("group", 1)
    if x.rank != weights.ndim or x.shape[1] != weights.shape[0]:
        raise ValueError(f"weights {weights.shape} don't fit an input {x.shape}")
    window, pixels, extents = windows.place_transposed(node, x.shape[2:], weights.shape[2:])
    if any(pixels):
        added = Window((1, 1), (1, 1), (1, 1), (0, 0), pixels)
        x = kernels.pad_pixels(ctx, x, added, int(source.zero_point))
    grouped = weights.reshape(groups, weights.shape[0] // groups, weights.shape[1], *window.kernel)
    output = kernels.deconvolution_qs8(
        ctx,
        x,
        window,
        groups,
        np.moveaxis(grouped, 1, 4),
        operands.channels(ctx, source, kernel, node.input(2), target, groups * weights.shape[1]),
        node.output(0),
        operands.requantization(source, target, ctx.bounds),
    )
    ctx.define(
        node.output(0), kernels.cut(ctx, output, [slice(None), slice(None), *map(slice, extents)])
    )
