"""Drops a QuantizeLinear of what a DequantizeLinear made with the same parameters, so that integers go straight on.

Must not fire on a DequantizeLinear of what a QuantizeLinear made: that rounds.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyxnn import quantization
from pyxnn.graph import Graph, Node
from pyxnn.passes.rewrite import each_node, identity, made_by


def run(graph: Graph) -> bool:
    return each_node(graph, _cancel)


def _cancel(node: Node, graph: Graph) -> Sequence[Node] | None:
    if not node.is_op("QuantizeLinear"):
        return None
    before = made_by(graph, node.input(0), "DequantizeLinear")
    if before is None:
        return None
    source, target = quantization.of(before, graph), quantization.of(node, graph)
    if source is None or target is None or not source.same_as(target):
        return None
    return identity(Node("Identity", [before.input(0)], node.outputs, name=node.name))
