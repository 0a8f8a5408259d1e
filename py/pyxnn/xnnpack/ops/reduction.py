"""The Reduce operators that sum, and the mean that others need."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from pyxnn.engine import ReduceType, UnaryType
from pyxnn.graph import Graph, Node
from pyxnn.xnnpack import kernels, layout
from pyxnn.xnnpack.lowering import Lowering
from pyxnn.xnnpack.ops import conditions
from pyxnn.xnnpack.registry import register
from pyxnn.xnnpack.values import Value


def supports_reduce(node: Node, graph: Graph) -> str | None:
    return conditions.floating(node, graph, [0])


@register(
    "ReduceL1",
    "ReduceL2",
    "ReduceLogSum",
    "ReduceMean",
    "ReduceSum",
    "ReduceSumSquare",
    supports=supports_reduce,
    planned=(1,),
)
def lower_reduce(node: Node, ctx: Lowering) -> None:
    """ReduceL1, ReduceL2, ReduceLogSum, ReduceMean, ReduceSumSquare (opset 18), ReduceSum (13): data and axes, all when axes are
    absent or empty, to the sums or means of data, |data| or data squared, with or without their axes."""
    x = ctx.value(node.input(0))
    given = ctx.constant(node.input(1))
    axes = [] if given is None else [int(axis) % x.rank for axis in given.reshape(-1)]
    if not axes and not node.attribute("noop_with_empty_axes", 0):
        axes = list(range(x.rank))
    output = _REDUCTIONS[node.op_type](ctx, x, axes)
    if not node.attribute("keepdims", 1):
        output = without(output, axes)
    ctx.define(node.output(0), output)


def mean(ctx: Lowering, x: Value, axes: Iterable[int]) -> Value:
    """The mean over axes, which keep the extent 1; 0 where there is nothing to take it of, as in onnxruntime."""
    return _reduce(ctx, ReduceType.MEAN, x, axes)


def total(ctx: Lowering, x: Value, axes: Iterable[int]) -> Value:
    """The sum over axes, which keep the extent 1."""
    return _reduce(ctx, ReduceType.SUM, x, axes)


def _reduce(ctx: Lowering, type: ReduceType, x: Value, axes: Iterable[int]) -> Value:
    axes = set(axes)
    shape = tuple(1 if axis in axes else extent for axis, extent in enumerate(x.shape))
    if x.size == 0:
        return Value.constant(np.zeros(shape, np.float32))
    return kernels.reduce(ctx, type, x, axes)


def _l1(ctx: Lowering, x: Value, axes: Iterable[int]) -> Value:
    return total(ctx, kernels.unary(ctx, UnaryType.ABS, x), axes)


def _l2(ctx: Lowering, x: Value, axes: Iterable[int]) -> Value:
    return kernels.unary(ctx, UnaryType.SQUARE_ROOT, _sum_square(ctx, x, axes))


def _log_sum(ctx: Lowering, x: Value, axes: Iterable[int]) -> Value:
    return kernels.unary(ctx, UnaryType.LOG, total(ctx, x, axes))


def _sum_square(ctx: Lowering, x: Value, axes: Iterable[int]) -> Value:
    return total(ctx, kernels.unary(ctx, UnaryType.SQUARE, x), axes)


_REDUCTIONS: dict[str, Callable[[Lowering, Value, Iterable[int]], Value]] = {
    "ReduceL1": _l1,
    "ReduceL2": _l2,
    "ReduceLogSum": _log_sum,
    "ReduceMean": mean,
    "ReduceSum": total,
    "ReduceSumSquare": _sum_square,
}


def without(x: Value, axes: Iterable[int]) -> Value:
    """A value without some axes of extent 1."""
    axes = set(axes)
    shape = tuple(extent for axis, extent in enumerate(x.shape) if axis not in axes)
    return x.viewed(shape, layout.drop(x.order, axes))
