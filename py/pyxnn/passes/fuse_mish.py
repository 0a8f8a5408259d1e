"""Makes one Mish (opset 22) of x * Tanh(Softplus(x)).

Must not fire when a value between is used elsewhere or is a graph output, nor where XNNPACK would not run the Mish.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyxnn import xnnpack
from pyxnn.graph import Graph, Node
from pyxnn.passes.rewrite import each_node, either_way, made_by, swallow


def run(graph: Graph) -> bool:
    return each_node(graph, _fuse)


def _fuse(node: Node, graph: Graph) -> Sequence[Node] | None:
    if not node.is_op("Mul"):
        return None
    for x, gate in either_way(node):
        tanh = made_by(graph, gate, "Tanh")
        softplus = made_by(graph, tanh.input(0), "Softplus") if tanh is not None else None
        if tanh is None or softplus is None or softplus.input(0) != x:
            continue
        mish = Node("Mish", [x], node.outputs, name=node.name, since=22)
        nodes = {node, tanh, softplus}
        if xnnpack.supports(mish, graph) is None and swallow(graph, nodes, node):
            return (mish,)
    return None
