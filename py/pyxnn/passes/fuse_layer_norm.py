"""Makes one LayerNormalization (opset 17) of the nodes that exporters write it with below opset 17.

    mean = ReduceMean(x); d = x - mean; variance = ReduceMean(d^2)
    d / Sqrt(variance + epsilon) * scale + bias
where d^2 is Pow(d, 2) or Mul(d, d), the operands of Add and Mul stand either way, and d may be
computed twice. Both means are over the same last axes, which they keep; scale and bias are
constants of the extents of those, epsilon is a constant scalar.
Must not fire when a value between is used elsewhere or is a graph output, or when the extents of
the last axes aren't known.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pyxnn.graph import Graph, Node
from pyxnn.passes.rewrite import each_node, either_way, made_by, swallow


class _Normal(NamedTuple):
    """A value that is x with the mean taken off and divided by the deviation."""

    x: str
    axes: frozenset[int]
    epsilon: float
    nodes: set[Node]


def run(graph: Graph) -> bool:
    return each_node(graph, _fuse)


def _fuse(node: Node, graph: Graph) -> Sequence[Node] | None:
    if not node.is_op("Add"):
        return None
    for scaled, bias in either_way(node):
        product = made_by(graph, scaled, "Mul")
        for value, scale in either_way(product) if product is not None else ():
            normal = _normal(graph, value)
            if product is None or normal is None or not _fit(graph, normal, scale, bias):
                continue
            if swallow(graph, {node, product, *normal.nodes}, node):
                attributes = {"axis": -len(normal.axes), "epsilon": normal.epsilon}
                inputs = [normal.x, scale, bias]
                return (
                    Node(
                        "LayerNormalization",
                        inputs,
                        list(node.outputs),
                        attributes,
                        name=node.name,
                        since=17,
                    ),
                )
    return None


def _normal(graph: Graph, name: str) -> _Normal | None:
    ratio = made_by(graph, name, "Div")
    root = made_by(graph, ratio.input(1), "Sqrt") if ratio is not None else None
    total = made_by(graph, root.input(0), "Add") if root is not None else None
    if ratio is None or root is None or total is None:
        return None
    for value, constant in either_way(total):
        epsilon = graph.constant(constant)
        variance = made_by(graph, value, "ReduceMean")
        if variance is None or epsilon is None or epsilon.size != 1:
            continue
        square = graph.producer(variance.input(0))
        if square is None or not _is_square(graph, square):
            return None
        differences = {graph.producer(ratio.input(0)), graph.producer(square.input(0))}
        origins = {_origin(graph, difference) for difference in differences}
        axes = _axes(graph, variance)
        (x, mean), *others = origins
        if others or mean is None or axes is None or axes != _axes(graph, mean):
            return None
        nodes = {ratio, root, total, variance, square, mean, *filter(None, differences)}
        return _Normal(x, axes, float(epsilon.reshape(-1)[0]), nodes)
    return None


def _is_square(graph: Graph, node: Node) -> bool:
    if node.is_op("Mul"):
        return node.inputs[0] == node.inputs[1]
    exponent = graph.constant(node.input(1))
    return node.is_op("Pow") and exponent is not None and exponent.size == 1 and exponent == 2


def _origin(graph: Graph, difference: Node | None) -> tuple[str, Node | None]:
    """x and the node of its mean, when a node is their difference."""
    if difference is None or not difference.is_op("Sub"):
        return "", None
    mean = made_by(graph, difference.input(1), "ReduceMean")
    same = mean is not None and mean.input(0) == difference.input(0)
    return difference.input(0), mean if same else None


def _axes(graph: Graph, mean: Node) -> frozenset[int] | None:
    """The axes of a mean, counted from the last, when they are the last ones and kept."""
    given, rank = graph.constant(mean.input(1)), graph.rank(mean.input(0))
    if mean.since < 18 or not mean.attribute("keepdims", 1) or given is None or rank is None:
        return None
    axes = frozenset(int(axis) % rank - rank for axis in given.reshape(-1))
    return axes if axes and axes == frozenset(range(-len(axes), 0)) else None


def _fit(graph: Graph, normal: _Normal, *names: str) -> bool:
    """Whether values are constants of the extents of the normalized axes."""
    row = (graph.shape(normal.x) or ())[-len(normal.axes) :]
    return all(graph.constant(name) is not None and graph.shape(name) == row for name in names)
