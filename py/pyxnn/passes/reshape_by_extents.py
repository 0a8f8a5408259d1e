"""Gives a Reshape a constant shape, where what changes of its extents are its input's own.

An extent of the result that is known stands as it is, one that the input has in the same place as 0, which keeps it. Where there
are none of these, one that isn't known is -1.
Must not fire when the shape is a constant by now, when 0 is an extent, or with `allowzero`, nor when the result is a graph
output, whose extents the model may name as it likes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pyxnn.graph import Graph, Node, Shape
from pyxnn.passes.rewrite import each_node


def run(graph: Graph) -> bool:
    return each_node(graph, _by_extents)


def _by_extents(node: Node, graph: Graph) -> Sequence[Node] | None:
    if not node.is_op("Reshape") or node.input(1) in graph.initializers:
        return None
    x, y = graph.shape(node.input(0)), graph.shape(node.output(0))
    if x is None or y is None or node.attribute("allowzero", 0) or graph.is_output(node.output(0)):
        return None
    extents = constant_shape(x, y)
    if extents is None:
        return None
    shape = graph.add_constant(np.array(extents, np.int64), f"{node.output(0)}_shape")
    return (replace(node, inputs=[node.input(0), shape]),)


def constant_shape(x: Shape, y: Shape) -> list[int] | None:
    """What a Reshape from shape `x` to shape `y` takes, whatever their extents that aren't known; None when there is nothing."""
    extents = []
    for place, extent in enumerate(y):
        if extent == 0:
            return None
        if isinstance(extent, int):
            extents.append(extent)
        else:
            is_kept = extent is not None and x[place : place + 1] == (extent,)
            extents.append(0 if is_kept else -1)
    # Where a kept extent is 0, what -1 stands for can't be told.
    return extents if extents.count(-1) <= (0 not in extents) else None
