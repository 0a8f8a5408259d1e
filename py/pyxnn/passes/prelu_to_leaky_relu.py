"""Turns PRelu with one constant slope, which adds no dimension, into LeakyRelu (opset 16)."""

from __future__ import annotations

from collections.abc import Sequence

from pyxnn.graph import Graph, Node
from pyxnn.passes.rewrite import each_node, is_float, scalar


def run(graph: Graph) -> bool:
    return each_node(graph, _to_leaky_relu)


def _to_leaky_relu(node: Node, graph: Graph) -> Sequence[Node] | None:
    if not node.is_op("PRelu") or not is_float(graph, node.input(0)):
        return None
    slope, rank = scalar(graph, node.input(1)), graph.rank(node.input(0))
    if slope is None or rank is None or (graph.rank(node.input(1)) or 0) > rank:
        return None
    attributes = {"alpha": slope}
    return (Node("LeakyRelu", node.inputs[:1], node.outputs, attributes, name=node.name, since=16),)
