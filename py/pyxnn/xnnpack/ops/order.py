"""ArgMax, ArgMin, TopK and CumSum."""

from __future__ import annotations

import numpy as np

from pyxnn.graph import Graph, Node
from pyxnn.xnnpack import kernels
from pyxnn.xnnpack.lowering import Lowering
from pyxnn.xnnpack.ops import conditions
from pyxnn.xnnpack.ops.reduction import without
from pyxnn.xnnpack.registry import register


def supports(node: Node, graph: Graph) -> str | None:
    """Floats, int32 and int64."""
    if graph.dtype(node.input(0)) in (np.int32, np.int64):
        return None
    return conditions.floating(node, graph, [0])


@register("ArgMax", "ArgMin", supports=supports)
def lower_arg_extreme(node: Node, ctx: Lowering) -> None:
    """ArgMax, ArgMin (opset 13): data of any shape to the place, int64, of the greatest or the least along `axis`; of equals the
    first, or the last with select_last_index; with or without the axis."""
    x = ctx.value(node.input(0))
    axis = node.attribute("axis", 0) % max(x.rank, 1)
    if x.size == 0:
        raise ValueError(f"it has no elements along axis {axis}")
    output = kernels.arg_extreme(
        ctx,
        x.expanded(max(x.rank, 1)),
        axis,
        least=node.op_type == "ArgMin",
        last=bool(node.attribute("select_last_index", 0)),
    )
    if not node.attribute("keepdims", 1) or x.rank == 0:
        output = without(output, [axis])
    ctx.define(node.output(0), output)


@register("TopK", supports=supports, planned=(1,))
def lower_top_k(node: Node, ctx: Lowering) -> None:
    """TopK (opset 11): X of any shape and K to the K greatest along `axis`, or the least, and their places, int64; sorted whether
    or not that is asked for, the lower place first among equals."""
    x = ctx.value(node.input(0))
    axis = node.attribute("axis", -1) % x.rank
    k = int(ctx.array(node.input(1)).reshape(()).item())
    if not 0 <= k <= x.shape[axis]:
        raise ValueError(f"{k} elements of {x.shape[axis]} along axis {axis} can't be had")
    least = not node.attribute("largest", 1)
    results = kernels.top_k(ctx, x, axis, k, least=least)
    for name, value in zip(node.outputs, results, strict=False):
        if name:
            ctx.define(name, value)


@register("CumSum", supports=supports, planned=(1,))
def lower_cumulative_sum(node: Node, ctx: Lowering) -> None:
    """CumSum (opset 14): x of any shape and an axis to the sums of all elements up to each; with `exclusive` without it, with
    `reverse` from the end."""
    x = ctx.value(node.input(0))
    axis = int(ctx.array(node.input(1)).reshape(()).item()) % x.rank
    output = kernels.running_sum(
        ctx,
        x,
        axis,
        exclusive=bool(node.attribute("exclusive", 0)),
        reverse=bool(node.attribute("reverse", 0)),
    )
    ctx.define(node.output(0), output)
