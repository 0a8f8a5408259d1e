"""Pools: MaxPool, AveragePool, LpPool and their global forms."""

from __future__ import annotations

import math

from pyxnn.engine import PoolType, ReduceType
from pyxnn.graph import Graph, Node
from pyxnn.xnnpack import kernels
from pyxnn.xnnpack.kernels import Slide
from pyxnn.xnnpack.lowering import Lowering
from pyxnn.xnnpack.ops import conditions, windows
from pyxnn.xnnpack.ops.reduction import mean
from pyxnn.xnnpack.registry import register


def supports_pool(node: Node, graph: Graph) -> str | None:
    """Windows over one, two or three axes."""
    return conditions.floating(node, graph) or windows.supports(node, graph)


@register("MaxPool", supports=supports_pool, clamps=True)
def lower_max_pool(node: Node, ctx: Lowering) -> None:
    """MaxPool (opsets 8 to 22): X (N, C, [[D,] H,] W) to Y (N, C, [[oD,] oH,] oW) and Indices, where in X each is."""
    x = ctx.value(node.input(0))
    slides, _ = windows.slides(node, x.shape[2:], node.attributes["kernel_shape"])
    ctx.define(node.output(0), kernels.pool(ctx, PoolType.POOL_MAXIMUM, x, slides, ctx.bounds))
    if node.output(1):
        type = PoolType.POOL_ARGMAX
        if node.attribute("storage_order", 0):
            type = PoolType.POOL_ARGMAX_COLUMN_MAJOR
        ctx.define(node.output(1), kernels.pool(ctx, type, x, slides))


@register("AveragePool", supports=supports_pool, clamps=True)
def lower_average_pool(node: Node, ctx: Lowering) -> None:
    """AveragePool (opsets 7 to 22): X (N, C, [[D,] H,] W) to Y (N, C, [[oD,] oH,] oW)."""
    x = ctx.value(node.input(0))
    slides, padding = windows.slides(node, x.shape[2:], node.attributes["kernel_shape"])
    counted = padding if node.attribute("count_include_pad", 0) else ()
    pooled = kernels.pool(ctx, PoolType.POOL_MEAN, x, slides, ctx.bounds, counted)
    ctx.define(node.output(0), pooled)


@register("LpPool", supports=supports_pool, clamps=True)
def lower_lp_pool(node: Node, ctx: Lowering) -> None:
    """LpPool (opsets 2 to 22): X (N, C, [[D,] H,] W) to the p-norms Y (N, C, [[oD,] oH,] oW)."""
    x = ctx.value(node.input(0))
    slides, _ = windows.slides(node, x.shape[2:], node.attributes["kernel_shape"])
    power = node.attribute("p", 2)
    pooled = kernels.pool(ctx, PoolType.POOL_NORM, x, slides, ctx.bounds, power=power)
    ctx.define(node.output(0), pooled)


@register("GlobalAveragePool", supports=conditions.floating)
def lower_global_average_pool(node: Node, ctx: Lowering) -> None:
    """GlobalAveragePool (opsets 1, 22): X (N, C, ...) to Y (N, C, 1, ...)."""
    x = ctx.value(node.input(0))
    ctx.define(node.output(0), mean(ctx, x, range(2, x.rank)))


@register("GlobalMaxPool", supports=conditions.floating)
def lower_global_max_pool(node: Node, ctx: Lowering) -> None:
    """GlobalMaxPool (opsets 1, 22): X (N, C, ...) to Y (N, C, 1, ...)."""
    x = ctx.value(node.input(0))
    ctx.define(node.output(0), kernels.reduce(ctx, ReduceType.GREATEST, x, range(2, x.rank)))


@register("GlobalLpPool", supports=conditions.floating)
def lower_global_lp_pool(node: Node, ctx: Lowering) -> None:
    """GlobalLpPool (opsets 2, 22): X (N, C, ...) to the p-norms Y (N, C, 1, ...)."""
    x = ctx.value(node.input(0))
    power = node.attribute("p", 2)
    shape = (*x.shape[:2], *[1] * (x.rank - 2))
    pixels = math.prod(x.shape[2:])
    signal = ctx.reshape(x, (*x.shape[:2], pixels))
    slides = [Slide(pixels, 1, pixels)]
    pooled = kernels.pool(ctx, PoolType.POOL_NORM, signal, slides, power=power)
    ctx.define(node.output(0), ctx.reshape(pooled, shape))
