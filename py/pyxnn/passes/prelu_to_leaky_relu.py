"""Turns PRelu with one constant slope, which adds no dimension, into LeakyRelu (opset 16).

Must not fire where XNNPACK would not run the LeakyRelu.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyxnn import xnnpack
from pyxnn.graph import Graph, Node
from pyxnn.passes.rewrite import each_node, scalar


def run(graph: Graph) -> bool:
    return each_node(graph, _to_leaky_relu)


def _to_leaky_relu(node: Node, graph: Graph) -> Sequence[Node] | None:
    if not node.is_op("PRelu"):
        return None
    slope, rank = scalar(graph, node.input(1)), graph.rank(node.input(0))
    if slope is None or rank is None or graph.initializers[node.input(1)].ndim > rank:
        return None
    attributes = {"alpha": slope}
    leaky_relu = Node(
        "LeakyRelu", node.inputs[:1], node.outputs, attributes, name=node.name, since=16
    )
    return (leaky_relu,) if xnnpack.supports(leaky_relu, graph) is None else None
