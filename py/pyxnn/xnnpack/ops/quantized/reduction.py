"""Means on integers."""

from __future__ import annotations

from collections.abc import Iterable

from pyxnn.graph import Graph, Node
from pyxnn.quantization import Quantization
from pyxnn.xnnpack import kernels
from pyxnn.xnnpack.lowering import Lowering
from pyxnn.xnnpack.ops import conditions as of_all
from pyxnn.xnnpack.ops import reduction
from pyxnn.xnnpack.ops.quantized import conditions, operands
from pyxnn.xnnpack.registry import quantized
from pyxnn.xnnpack.values import Value


def supports_mean(node: Node, graph: Graph, target: Quantization) -> str | None:
    """Constant axes."""
    return conditions.activation(node, graph) or of_all.constant(node, graph, 1)


@quantized("GlobalAveragePool", supports=supports_mean)
def lower_global_average_pool(node: Node, ctx: Lowering, target: Quantization) -> None:
    """GlobalAveragePool (opsets 1, 22) of int8 X (N, C, ...)."""
    rank = ctx.quantized(node.input(0)).integers.rank
    ctx.define(node.output(0), _mean(node, ctx, range(2, rank), target))


@quantized("ReduceMean", supports=supports_mean)
def lower_reduce_mean(node: Node, ctx: Lowering, target: Quantization) -> None:
    """ReduceMean (opset 18) of int8 data."""
    rank = ctx.quantized(node.input(0)).integers.rank
    axes = reduction.axes_of(node, ctx, rank)
    output = _mean(node, ctx, axes, target)
    ctx.define(
        node.output(0),
        output if node.attribute("keepdims", 1) else reduction.without(output, axes),
    )


def _mean(node: Node, ctx: Lowering, axes: Iterable[int], target: Quantization) -> Value:
    x = ctx.quantized(node.input(0))
    factor = float(x.quantization.scale / target.scale)
    return kernels.mean_qs8(ctx, x, axes, factor, *operands.limits(target, ctx.bounds))
