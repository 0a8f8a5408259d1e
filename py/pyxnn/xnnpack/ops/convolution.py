"""Conv."""

from __future__ import annotations

import numpy as np

from pyxnn.graph import Graph, Node
from pyxnn.xnnpack import kernels
from pyxnn.xnnpack.lowering import Lowering
from pyxnn.xnnpack.ops import conditions, windows
from pyxnn.xnnpack.registry import register


def supports_conv(node: Node, graph: Graph) -> str | None:
    weights = graph.constant(node.input(1))
    if weights is not None and weights.size == 0:
        return f"weights '{node.input(1)}' have no elements"
    return (
        conditions.floating(node, graph)
        or conditions.constant(node, graph, 1, 2)
        or conditions.rank(node, graph, 1, 3, 4)
        or windows.supports(node, graph)
    )


@register("Conv", supports=supports_conv, clamps=True)
def lower_conv(node: Node, ctx: Lowering) -> None:
    """Conv (opsets 1, 11, 22): X (N, C, [H,] W), W (M, C/group, [kH,] kW), B (M) to Y (N, M, [oH,] oW)."""
    x = ctx.value(node.input(0))
    weights = ctx.array(node.input(1))
    groups = node.attribute("group", 1)
    if x.rank != weights.ndim or x.shape[1] != weights.shape[1] * groups:
        raise ValueError(f"weights {weights.shape} in {groups} groups don't fit an input {x.shape}")
    window, _ = windows.place(node, x.shape[2:], weights.shape[2:])
    grouped = weights.reshape(groups, -1, weights.shape[1], *window.kernel)
    output = kernels.convolution(
        ctx,
        x,
        window,
        groups,
        np.moveaxis(grouped, 2, 4),
        ctx.constant(node.input(2)),
        ctx.weights_key(*node.inputs[1:]),
        windows.output_shape(x.shape, weights.shape[0], window),
        ctx.bounds,
    )
    ctx.define(node.output(0), output)
