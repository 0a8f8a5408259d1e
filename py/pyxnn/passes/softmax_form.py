"""Brings Softmax, LogSoftmax and Hardmax below opset 13 to the later form.

They work on all axes from `axis` on (1 where it isn't given) taken together, as one row; from opset
13 on, on `axis` alone.
    * `axis` is the last one: only the attribute changes.
    * else: Flatten(axis) -> the operator on the last axis -> Reshape to the shape of the input.
Where the rank of the input is not known and `axis` is not -1, the longer form is right whichever
axis is the last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pyxnn.graph import Graph, Node, TensorType
from pyxnn.passes.rewrite import each_node


def run(graph: Graph) -> bool:
    return each_node(graph, _unflatten)


def _unflatten(node: Node, graph: Graph) -> Sequence[Node] | None:
    if not node.is_op("Softmax", "LogSoftmax", "Hardmax") or node.since >= 13:
        return None
    x, y = node.input(0), node.output(0)
    rank = graph.rank(x)
    axis = node.attribute("axis", 1)
    if axis == -1 or (rank is not None and axis == rank - 1):
        return (replace(node, attributes={"axis": -1}, since=13),)
    dtype = graph.dtype(x)
    flat = graph.add_value(f"{y}_flat", TensorType(dtype, (None, None)))
    rows = graph.add_value(f"{y}_rows", TensorType(dtype, (None, None)))
    shape = graph.add_value(f"{y}_shape", TensorType(np.dtype(np.int64), (rank,)))
    return (
        Node("Flatten", [x], [flat], {"axis": axis}, since=13),
        replace(node, inputs=[flat], outputs=[rows], attributes={"axis": -1}, since=13),
        Node("Shape", [x], [shape], since=13),
        Node("Reshape", [rows, shape], [y], since=13),
    )
