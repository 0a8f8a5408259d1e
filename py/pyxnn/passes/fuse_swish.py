"""Makes one Swish (opset 24), also known as SiLU, of x * Sigmoid(x) or x * Sigmoid(x * alpha).

alpha is a constant number that stands second (see `constants_second`) and adds no dimension.
Must not fire when a value between is used elsewhere or is a graph output, nor where XNNPACK would not run the Swish.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyxnn import xnnpack
from pyxnn.graph import Graph, Node
from pyxnn.passes.rewrite import each_node, either_way, made_by, scalar, swallow


def run(graph: Graph) -> bool:
    return each_node(graph, _fuse)


def _fuse(node: Node, graph: Graph) -> Sequence[Node] | None:
    if not node.is_op("Mul"):
        return None
    for x, gate in either_way(node):
        sigmoid = made_by(graph, gate, "Sigmoid")
        if sigmoid is None:
            continue
        nodes, alpha = {node, sigmoid}, 1.0
        scaled = made_by(graph, sigmoid.input(0), "Mul")
        if sigmoid.input(0) != x:
            factor = scalar(graph, scaled.input(1)) if scaled and scaled.input(0) == x else None
            if scaled is None or factor is None or graph.rank(x) != graph.rank(node.output(0)):
                continue
            nodes, alpha = {*nodes, scaled}, factor
        attributes = {"alpha": alpha} if alpha != 1 else {}
        swish = Node("Swish", [x], node.outputs, attributes, name=node.name, since=24)
        if xnnpack.supports(swish, graph) is None and swallow(graph, nodes, node):
            return (swish,)
    return None
