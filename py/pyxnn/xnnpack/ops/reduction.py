"""The Reduce operators."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from pyxnn.engine import ReduceType
from pyxnn.graph import Graph, Node
from pyxnn.xnnpack import kernels, layout
from pyxnn.xnnpack.lowering import Lowering
from pyxnn.xnnpack.ops import conditions
from pyxnn.xnnpack.registry import register
from pyxnn.xnnpack.values import Value

_TYPES = {
    "ReduceL1": ReduceType.L1,
    "ReduceL2": ReduceType.L2,
    "ReduceLogSum": ReduceType.LOG_SUM,
    "ReduceLogSumExp": ReduceType.LOG_SUM_EXP,
    "ReduceMax": ReduceType.GREATEST,
    "ReduceMean": ReduceType.MEAN,
    "ReduceMin": ReduceType.LEAST,
    "ReduceProd": ReduceType.PRODUCT,
    "ReduceSum": ReduceType.SUM,
    "ReduceSumSquare": ReduceType.SUM_SQUARE,
}

_OF_FLOATS = ("ReduceL2", "ReduceLogSum", "ReduceLogSumExp")


def supports_reduce(node: Node, graph: Graph) -> str | None:
    """Floats; integers but uint64, and bool, but for ReduceL2, ReduceLogSum and ReduceLogSumExp."""
    if node.op_type in _OF_FLOATS or graph.dtype(node.input(0)) == np.uint64:
        return conditions.floating(node, graph, [0])
    return conditions.computable(node, graph, [0])


@register(*_TYPES, supports=supports_reduce, planned=(1,))
def lower_reduce(node: Node, ctx: Lowering) -> None:
    """ReduceL1, ReduceL2, ReduceLogSum, ReduceLogSumExp, ReduceMean, ReduceProd, ReduceSumSquare (opset 18), ReduceSum (13),
    ReduceMax and ReduceMin (20): data and axes, all when axes are absent or empty, to one element for those along them, with or
    without the axes."""
    x = ctx.value(node.input(0))
    axes = axes_of(node, ctx, x.rank)
    output = _reduce(ctx, _TYPES[node.op_type], x, axes)
    if not node.attribute("keepdims", 1):
        output = without(output, axes)
    ctx.define(node.output(0), output)


def axes_of(node: Node, ctx: Lowering, rank: int) -> list[int]:
    """The axes that a Reduce operator reduces."""
    given = ctx.constant(node.input(1))
    axes = [] if given is None else [int(axis) % rank for axis in given.reshape(-1)]
    if not axes and not node.attribute("noop_with_empty_axes", 0):
        axes = list(range(rank))
    return axes


def mean(ctx: Lowering, x: Value, axes: Iterable[int]) -> Value:
    """The mean over axes, which keep the extent 1; 0 where there is nothing to take it of, as in onnxruntime."""
    return _reduce(ctx, ReduceType.MEAN, x, axes)


def _reduce(ctx: Lowering, type: ReduceType, x: Value, axes: Iterable[int]) -> Value:
    axes = set(axes)
    if x.size == 0:
        shape = tuple(1 if axis in axes else extent for axis, extent in enumerate(x.shape))
        return Value.constant(np.full(shape, _of_nothing(type, x.dtype), x.dtype))
    return kernels.reduce(ctx, type, x, axes)


def _of_nothing(type: ReduceType, dtype: np.dtype) -> float | int:
    """What a reduction of no elements gives."""
    if type == ReduceType.PRODUCT:
        return 1
    if type in (ReduceType.LOG_SUM, ReduceType.LOG_SUM_EXP):
        return -np.inf
    if type in (ReduceType.GREATEST, ReduceType.LEAST):
        is_least = type == ReduceType.LEAST
        if dtype.kind == "b":
            return is_least
        if dtype.kind == "f":
            return np.inf if is_least else -np.inf
        return np.iinfo(dtype).max if is_least else np.iinfo(dtype).min
    return 0


def without(x: Value, axes: Iterable[int]) -> Value:
    """A value without some axes of extent 1."""
    axes = set(axes)
    shape = tuple(extent for axis, extent in enumerate(x.shape) if axis not in axes)
    return x.viewed(shape, layout.drop(x.order, axes))
