"""ReduceMean, and the mean that others need."""

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


def supports_reduce(node: Node, graph: Graph) -> str | None:
    return conditions.float32(node, graph, [0])


@register("ReduceMean", supports=supports_reduce, planned=(1,))
def lower_reduce_mean(node: Node, ctx: Lowering) -> None:
    """ReduceMean (opset 18): data and axes, all when axes are absent or empty, to the means, with or without their axes."""
    x = ctx.value(node.input(0))
    given = ctx.constant(node.input(1))
    axes = [] if given is None else [int(axis) % x.rank for axis in given.reshape(-1)]
    if not axes and not node.attribute("noop_with_empty_axes", 0):
        axes = list(range(x.rank))
    output = mean(ctx, x, axes)
    if not node.attribute("keepdims", 1):
        output = without(output, axes)
    ctx.define(node.output(0), output)


def mean(ctx: Lowering, x: Value, axes: Iterable[int]) -> Value:
    """The mean over axes, which keep the extent 1; 0 where there is nothing to take it of, as in onnxruntime."""
    axes = set(axes)
    shape = tuple(1 if axis in axes else extent for axis, extent in enumerate(x.shape))
    if x.size == 0:
        return Value.constant(np.zeros(shape, np.float32))
    return kernels.reduce(ctx, ReduceType.MEAN, x, axes)


def without(x: Value, axes: Iterable[int]) -> Value:
    """A value without some axes of extent 1."""
    axes = set(axes)
    shape = tuple(extent for axis, extent in enumerate(x.shape) if axis not in axes)
    return x.viewed(shape, layout.drop(x.order, axes))
