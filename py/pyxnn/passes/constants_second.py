"""Puts the constant operand of Add and Mul second, so that other passes need to look there only.

Fires when the first operand is a constant and the second isn't.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pyxnn.graph import Graph, Node
from pyxnn.passes.rewrite import each_node


def run(graph: Graph) -> bool:
    return each_node(graph, _swap)


def _swap(node: Node, graph: Graph) -> Sequence[Node] | None:
    if not node.is_op("Add", "Mul"):
        return None
    first, second = (name in graph.initializers for name in node.inputs)
    return (replace(node, inputs=node.inputs[::-1]),) if first and not second else None
