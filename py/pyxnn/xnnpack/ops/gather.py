"""Gather: rows of an embedding, above all."""

from __future__ import annotations

import numpy as np

from pyxnn.graph import Graph, Node
from pyxnn.xnnpack import kernels
from pyxnn.xnnpack.lowering import Lowering
from pyxnn.xnnpack.ops import conditions
from pyxnn.xnnpack.registry import register


def supports_gather(node: Node, graph: Graph) -> str | None:
    """Indices of int32 or int64."""
    name = node.input(1)
    dtype = graph.dtype(name)
    if dtype not in (np.int32, np.int64):
        return f"input '{name}' is {dtype or 'of unknown type'}, not int32 or int64"
    return conditions.movable_data(node, graph)


@register("Gather", supports=supports_gather)
def lower_gather(node: Node, ctx: Lowering) -> None:
    """Gather (opsets 1 to 13): data of rank r and indices of rank q to the slices along `axis`, of rank q + r - 1."""
    data, indices = (ctx.value(name) for name in node.inputs)
    if ctx.is_initializer(node.input(0)):
        data = ctx.kept(node.input(0), lambda array: array, data.shape, "whole")
    axis = node.attribute("axis", 0) % data.rank
    ctx.define(node.output(0), kernels.gather(ctx, data, indices, axis))
