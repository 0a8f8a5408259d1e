"""Makes one HardSigmoid (opset 22) of Clip(a * x + b, 0, h) / h, as exporters write it: Relu6(x + 3) / 6.

The division may be a product, and is absent where h is 1; a * x + b is any sequence of Add, Sub, Mul and Div with
constant numbers, at least one.
Must not fire when a value between is used elsewhere or is a graph output, when a constant is no number or adds a
dimension, nor where XNNPACK would not run the HardSigmoid.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyxnn import xnnpack
from pyxnn.graph import Graph, Node
from pyxnn.passes.polynomials import close, polynomial, sources
from pyxnn.passes.rewrite import each_node, scalar, swallow

_REACH = 2
"""The most arithmetic nodes from x to Clip."""


def run(graph: Graph) -> bool:
    return each_node(graph, _fuse)


def _fuse(node: Node, graph: Graph) -> Sequence[Node] | None:
    if not node.is_op("Clip", "Div", "Mul"):
        return None
    y = node.output(0)
    clip = node if node.is_op("Clip") else graph.producer(node.input(0))
    height = clip_height(graph, clip)
    if clip is None or height is None:
        return None
    for x in reversed(dict.fromkeys(sources(graph, clip.input(0), _REACH))):
        nodes = {clip}
        argument = polynomial(graph, clip.input(0), [x], nodes)
        if argument is None or (1,) not in argument or not argument.keys() <= {(0,), (1,)}:
            continue
        attributes = {"alpha": argument[1,] / height, "beta": argument.get((0,), 0.0) / height}
        hard_sigmoid = Node("HardSigmoid", [x], [y], attributes, name=node.name, since=22)
        if (
            close(polynomial(graph, y, clip.outputs, nodes), {(1,): 1 / height})
            and graph.rank(x) is not None
            and graph.rank(x) == graph.rank(y)
            and xnnpack.supports(hard_sigmoid, graph) is None
            and swallow(graph, nodes, node)
        ):
            return (hard_sigmoid,)
    return None


def clip_height(graph: Graph, node: Node | None) -> float | None:
    """The upper bound of a Clip whose lower is 0; None of other nodes and bounds."""
    if node is None or not node.is_op("Clip") or scalar(graph, node.input(1)) != 0:
        return None
    height = scalar(graph, node.input(2))
    return height if height and 0 < height < float("inf") else None
