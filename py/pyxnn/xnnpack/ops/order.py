"""ArgMax, ArgMin, TopK, CumSum and CumProd."""

from __future__ import annotations

from pyxnn.graph import Node
from pyxnn.xnnpack import kernels
from pyxnn.xnnpack.lowering import Lowering
from pyxnn.xnnpack.ops import conditions
from pyxnn.xnnpack.ops.reduction import without
from pyxnn.xnnpack.registry import register


@register("ArgMax", "ArgMin", supports=conditions.movable_data)
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


@register("TopK", supports=conditions.movable_data, planned=(1,))
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


@register("CumProd", "CumSum", supports=conditions.movable_data, planned=(1,))
def lower_cumulative(node: Node, ctx: Lowering) -> None:
    """CumSum (opsets 11, 14), CumProd (26): x of any shape and an axis to the sums or products of all elements up to each; with
    `exclusive` without it, with `reverse` from the end. Integers wrap."""
    x = ctx.value(node.input(0))
    axis = int(ctx.array(node.input(1)).reshape(()).item()) % x.rank
    output = kernels.running(
        ctx,
        x,
        axis,
        products=node.op_type == "CumProd",
        exclusive=bool(node.attribute("exclusive", 0)),
        reverse=bool(node.attribute("reverse", 0)),
    )
    ctx.define(node.output(0), output)
