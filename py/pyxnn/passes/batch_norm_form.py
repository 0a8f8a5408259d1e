"""Brings BatchNormalization to its inference form: five inputs, one output, no attribute but
`epsilon`.

Fires when the node gives only its first output and doesn't train. Must not fire on `training_mode`
= 1 (opset 14 and later), nor on `spatial` = 0 (opsets 7 and 8: statistics per element).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pyxnn.graph import Graph, Node
from pyxnn.passes.rewrite import each_node


def run(graph: Graph) -> bool:
    return each_node(graph, _to_inference)


def _to_inference(node: Node, graph: Graph) -> Sequence[Node] | None:
    if (
        not node.is_op("BatchNormalization")
        or node.attribute("training_mode", 0)
        or not node.attribute("spatial", 1)
    ):
        return None
    if any(
        graph.consumers(name) or graph.is_output(name) for name in filter(None, node.outputs[1:])
    ):
        return None
    attributes = {"epsilon": node.attribute("epsilon", 1e-5)}
    if node.since >= 15 and node.attributes == attributes and len(node.outputs) == 1:
        return None
    return (
        replace(node, outputs=node.outputs[:1], attributes=attributes, since=max(node.since, 15)),
    )
