"""Makes one Softplus (opset 22) of Log(Exp(x) + 1).

Where Exp overflows, from 88 on, the result is x, no longer infinity.
Must not fire when a value between is used elsewhere or is a graph output, when the 1 adds a dimension, nor where
XNNPACK would not run the Softplus.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyxnn import xnnpack
from pyxnn.graph import Graph, Node
from pyxnn.passes.rewrite import each_node, made_by, scalar, swallow


def run(graph: Graph) -> bool:
    return each_node(graph, _fuse)


def _fuse(node: Node, graph: Graph) -> Sequence[Node] | None:
    sum = made_by(graph, node.input(0), "Add") if node.is_op("Log") else None
    exp = made_by(graph, sum.input(0), "Exp") if sum is not None else None
    if sum is None or exp is None or scalar(graph, sum.input(1)) != 1:
        return None
    x, y = exp.input(0), node.output(0)
    if graph.rank(x) is None or graph.rank(x) != graph.rank(y):
        return None
    softplus = Node("Softplus", [x], [y], name=node.name, since=22)
    if xnnpack.supports(softplus, graph) is not None or not swallow(graph, {node, sum, exp}, node):
        return None
    return (softplus,)
