"""Makes one Transpose of two in a row, none where the second undoes the first.

Fires also when the first has other users: it is left to them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pyxnn.graph import Graph, Node
from pyxnn.passes.rewrite import each_node, made_by


def run(graph: Graph) -> bool:
    return each_node(graph, _merge)


def _merge(node: Node, graph: Graph) -> Sequence[Node] | None:
    before = made_by(graph, node.input(0), "Transpose") if node.is_op("Transpose") else None
    if before is None:
        return None
    first, second = (_permutation(n, graph) for n in (before, node))
    if first is None or second is None:
        return None
    merged = [first[axis] for axis in second]
    return (replace(node, inputs=before.inputs, attributes={"perm": merged}),)


def _permutation(node: Node, graph: Graph) -> Sequence[int] | None:
    given, rank = node.attribute("perm"), graph.rank(node.input(0))
    return given or (None if rank is None else range(rank)[::-1])
