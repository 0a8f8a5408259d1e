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


def to_fixed_point(graph: Graph, passes: Sequence[Callable[[Graph], bool]]) -> None:
    """Runs passes in order, again and again, until none changes anything."""
    changed = True
    while changed:
        changed = False
        for apply in passes:
            changed |= apply(graph)


def swallow(graph: Graph, nodes: set[Node], last: Node) -> bool:
    """Removes nodes that come together to one, `last`, which is left to be replaced.

    Returns:
        Whether it did: not when a value between them is a graph output or used by others.
    """
    inner = nodes - {last}
    for node in inner:
        for name in node.defines():
            if graph.is_output(name) or not nodes.issuperset(graph.consumers(name)):
                return False
    for node in inner:
        graph.replace(node)
    return True
