"""What passes that look at one node at a time have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

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


def identity(node: Node) -> tuple[Node]:
    """What takes the place of a node whose first output is its first input."""
    return (Node("Identity", node.inputs[:1], node.outputs[:1], name=node.name, since=13),)


def made_by(graph: Graph, name: str, *op_types: str) -> Node | None:
    """The node that makes a value, when it is one of these operators of ONNX's own domain."""
    node = graph.producer(name)
    return node if node is not None and node.is_op(*op_types) else None


def either_way(node: Node) -> Iterator[tuple[str, str]]:
    """The two inputs of a node in both sequences."""
    a, b = node.inputs
    yield a, b
    yield b, a


def scalar(graph: Graph, name: str) -> float | None:
    """The number that a constant of one element is, None for all other values."""
    constant = graph.constant(name)
    return float(constant.item()) if constant is not None and constant.size == 1 else None


def is_float(graph: Graph, name: str) -> bool:
    """Whether a value is known to be of a floating-point type."""
    dtype = graph.dtype(name)
    return dtype is not None and (dtype.kind == "f" or dtype.name == "bfloat16")
