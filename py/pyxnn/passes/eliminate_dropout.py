"""Turns Dropout into Identity: outside training it lets its input through.

Fires when the mask isn't used and the node doesn't train: below opset 12 always, from there on when
`training_mode` is absent or a constant false. Must not fire otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyxnn.graph import Graph, Node
from pyxnn.passes.rewrite import each_node, identity


def run(graph: Graph) -> bool:
    return each_node(graph, _to_identity)


def _to_identity(node: Node, graph: Graph) -> Sequence[Node] | None:
    if not node.is_op("Dropout") or _trains(node, graph):
        return None
    mask = node.output(1)
    if mask and (graph.consumers(mask) or graph.is_output(mask)):
        return None
    return identity(node)


def _trains(node: Node, graph: Graph) -> bool:
    flag = node.input(2)
    if not flag:
        return False
    value = graph.constant(flag)
    return value is None or bool(value)
