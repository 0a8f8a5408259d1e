"""Makes one Clip of two in a row.

Fires when all bounds are constants or absent and no lower one is above its upper.
Must not fire when the value between is used elsewhere or is a graph output.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pyxnn.graph import Graph, Node
from pyxnn.passes.rewrite import each_node, is_float, made_by, scalar, swallow


def run(graph: Graph) -> bool:
    return each_node(graph, _merge)


def _merge(node: Node, graph: Graph) -> Sequence[Node] | None:
    before = made_by(graph, node.input(0), "Clip") if node.is_op("Clip") else None
    if before is None or not is_float(graph, before.input(0)):
        return None
    first, second = _bounds(before, graph), _bounds(node, graph)
    if first is None or second is None or not swallow(graph, {before, node}, node):
        return None
    inputs = before.inputs[:1]
    for name, bound in zip(("min", "max"), first, strict=True):
        value = min(max(bound, second[0]), second[1])
        dtype = graph.dtype(before.input(0)) or np.float32
        inputs.append(graph.add_constant(np.array(value, dtype), f"{node.output(0)}_{name}"))
    return (replace(node, inputs=inputs),)


def _bounds(node: Node, graph: Graph) -> tuple[float, float] | None:
    low = scalar(graph, node.input(1)) if node.input(1) else -math.inf
    high = scalar(graph, node.input(2)) if node.input(2) else math.inf
    return None if low is None or high is None or low > high else (low, high)
