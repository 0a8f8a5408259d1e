"""Pools: MaxPool, AveragePool, LpPool and their global forms."""

from __future__ import annotations

from pyxnn.engine import FunctionType, PoolType, ReduceType, UnaryType
from pyxnn.graph import Graph, Node
from pyxnn.xnnpack import kernels
from pyxnn.xnnpack.lowering import Lowering
from pyxnn.xnnpack.ops import conditions, windows
from pyxnn.xnnpack.ops.reduction import mean
from pyxnn.xnnpack.registry import register
from pyxnn.xnnpack.values import FLOAT32, Value


def supports_pool(node: Node, graph: Graph) -> str | None:
    """Windows over one, two or three axes."""
    return conditions.floating(node, graph) or windows.supports(node, graph)


def supports_max_pool(node: Node, graph: Graph) -> str | None:
    """Windows over one, two or three axes."""
    return conditions.floating_or_bytes(node, graph) or windows.supports(node, graph)


@register("MaxPool", supports=supports_max_pool, clamps=True)
def lower_max_pool(node: Node, ctx: Lowering) -> None:
    """MaxPool (opsets 8 to 22): X (N, C, [[D,] H,] W) to Y (N, C, [[oD,] oH,] oW) and Indices, where in X each is."""
    x = ctx.value(node.input(0))
    slides, _ = windows.slides(node, x.shape[2:], node.attributes["kernel_shape"])
    ctx.define(node.output(0), kernels.pool(ctx, PoolType.POOL_MAXIMUM, x, slides, ctx.bounds))
    if node.output(1):
        type = PoolType.POOL_ARGMAX
        if node.attribute("storage_order", 0):
            type = PoolType.POOL_ARGMAX_COLUMN_MAJOR
        ctx.define(node.output(1), kernels.pool(ctx, type, kernels.cast(ctx, x, FLOAT32), slides))


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
    ctx.define(node.output(0), _norm(ctx, x, node.attribute("p", 2)))


def _norm(ctx: Lowering, x: Value, power: int) -> Value:
    """The p-norm of each image."""
    axes = range(2, x.rank)
    if power in (1, 2):
        return kernels.reduce(ctx, ReduceType.L1 if power == 1 else ReduceType.L2, x, axes)
    magnitudes = kernels.unary(ctx, UnaryType.ABS, x)
    powers = kernels.function(ctx, FunctionType.POWER_OF, magnitudes, power)
    total = kernels.reduce(ctx, ReduceType.SUM, powers, axes)
    return kernels.function(ctx, FunctionType.POWER_OF, total, 1 / power)
