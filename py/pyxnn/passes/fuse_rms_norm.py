"""Makes one RMSNormalization (opset 23) of the nodes that exporters write it with.

    root = Sqrt(ReduceMean(x^2) + epsilon); scale * (x / root)
where x^2 is Pow(x, 2) or Mul(x, x), x / root is Div(x, root) or x times Div(1, root), Reciprocal(root) or
Pow(ReduceMean(x^2) + epsilon, -0.5), and the operands of Add and Mul stand either way. The mean is over the last axes, which it
keeps; scale is a constant of the extents of those, epsilon is a constant scalar.
Must not fire when a value between is used elsewhere or is a graph output, or when the extents of the last axes aren't known.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pyxnn.graph import Graph, Node
from pyxnn.passes.rewrite import each_node, either_way, made_by, scalar, swallow


def run(graph: Graph) -> bool:
    return each_node(graph, _fuse)


def _fuse(node: Node, graph: Graph) -> Sequence[Node] | None:
    if not node.is_op("Mul"):
        return None
    for normal, scale in either_way(node):
        if graph.constant(scale) is None:
            continue
        for x, total, nodes in _ratios(graph, normal):
            found = _mean_square(graph, total, x)
            if found is None:
                continue
            mean, epsilon, inner = found
            axes = _last_axes(graph, mean)
            if not axes or (graph.shape(x) or ())[-axes:] != graph.shape(scale):
                continue
            if swallow(graph, {node, mean, *nodes, *inner}, node):
                attributes = {"axis": -axes, "epsilon": epsilon}
                inputs, outputs = [x, scale], list(node.outputs)
                return (
                    Node("RMSNormalization", inputs, outputs, attributes, name=node.name, since=23),
                )
    return None


def _ratios(graph: Graph, name: str) -> Iterator[tuple[str, str, set[Node]]]:
    """The ways to see a value as x / Sqrt(total): x, total, and the nodes."""
    ratio = graph.producer(name)
    if ratio is None:
        return
    if ratio.is_op("Div"):
        root = made_by(graph, ratio.input(1), "Sqrt")
        if root is not None:
            yield ratio.input(0), root.input(0), {ratio, root}
    if not ratio.is_op("Mul"):
        return
    for x, factor in either_way(ratio):
        inverse = made_by(graph, factor, "Reciprocal", "Div", "Pow")
        if inverse is None:
            continue
        if inverse.is_op("Pow"):
            if scalar(graph, inverse.input(1)) == -0.5:
                yield x, inverse.input(0), {ratio, inverse}
            continue
        if inverse.is_op("Div") and scalar(graph, inverse.input(0)) != 1:
            continue
        root = made_by(graph, inverse.inputs[-1], "Sqrt")
        if root is not None:
            yield x, root.input(0), {ratio, inverse, root}


def _mean_square(graph: Graph, name: str, x: str) -> tuple[Node, float, set[Node]] | None:
    """The mean of a value that is ReduceMean(x^2) + epsilon, epsilon, and the other nodes."""
    total = made_by(graph, name, "Add")
    for value, constant in either_way(total) if total is not None else ():
        mean, epsilon = made_by(graph, value, "ReduceMean"), scalar(graph, constant)
        square = made_by(graph, mean.input(0), "Pow", "Mul") if mean is not None else None
        if total is None or mean is None or square is None or epsilon is None:
            continue
        squares_x = (
            square.inputs == [x, x]
            if square.is_op("Mul")
            else (square.input(0) == x and scalar(graph, square.input(1)) == 2)
        )
        if squares_x:
            return mean, epsilon, {total, square}
    return None


def _last_axes(graph: Graph, mean: Node) -> int:
    """How many axes a mean is over, when they are the last ones and kept; else 0."""
    given, rank = graph.constant(mean.input(1)), graph.rank(mean.input(0))
    if mean.since < 18 or not mean.attribute("keepdims", 1) or given is None or rank is None:
        return 0
    axes = {int(axis) % rank - rank for axis in given.reshape(-1)}
    return len(axes) if axes == set(range(-len(axes), 0)) else 0
