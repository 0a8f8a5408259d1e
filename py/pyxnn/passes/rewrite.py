"""What passes that look at one node at a time have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pyxnn.graph import Graph, Node


def each_node(graph: Graph, rewrite: Callable[[Node, Graph], Sequence[Node] | None]) -> bool:
    """Puts what `rewrite` gives in the place of each node for which it is not None.

    Returns:
        Whether there was any.
    """
    changed = False
    for node in list(graph.nodes):
        new = rewrite(node, graph)
        if new is not None:
            graph.replace(node, *new)
            changed = True
    return changed
