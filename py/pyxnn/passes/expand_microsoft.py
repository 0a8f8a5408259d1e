"""Puts ONNX's operators in the place of onnxruntime's own (com.microsoft): see `pyxnn.microsoft`.

Must not fire on an operator, or a form of one, whose body isn't known, nor on one that XNNPACK has.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyxnn import errors, microsoft, xnnpack
from pyxnn.graph import Graph, Node
from pyxnn.passes.rewrite import each_node


def run(graph: Graph) -> bool:
    return each_node(graph, _expand)


def _expand(node: Node, graph: Graph) -> Sequence[Node] | None:
    if not microsoft.is_known(node) or xnnpack.supports(node, graph) is None:
        return None
    try:
        return microsoft.body(node, graph).nodes
    except errors.NotImplemented:
        return None
