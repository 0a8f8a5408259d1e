"""Makes one HardSwish (opset 22) of the nodes that exporters write it with.

    * x * HardSigmoid(x), with alpha = 1/6 and beta = 1/2
    * x * Clip(x + 3, 0, 6) / 6, in whichever sequence of Add, Sub, Mul and Div with constant numbers
Must not fire when a value between is used elsewhere or is a graph output, when a constant is another or no number, when the
ranks of x and the result aren't known to be the same, nor where XNNPACK would not run the HardSwish.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from pyxnn import xnnpack
from pyxnn.graph import Graph, Node
from pyxnn.passes.fuse_hard_sigmoid import clip_height
from pyxnn.passes.polynomials import Polynomial, close, polynomial, sources
from pyxnn.passes.rewrite import each_node, swallow

_REACH = 2
"""The most arithmetic nodes from x to Clip, or from there to the result."""


def run(graph: Graph) -> bool:
    return each_node(graph, _fuse)


def _fuse(node: Node, graph: Graph) -> Sequence[Node] | None:
    if not node.is_op("Mul", "Div"):
        return None
    y = node.output(0)
    for gate in dict.fromkeys(sources(graph, y, _REACH)):
        function = graph.producer(gate)
        if function is None or not function.is_op("HardSigmoid", "Clip"):
            continue
        argument = function.input(0)
        for x in (argument, *sources(graph, argument, _REACH)):
            nodes = {function}
            hard_swish = Node("HardSwish", [x], [y], name=node.name, since=22)
            height = _height(graph, function, polynomial(graph, argument, [x], nodes))
            if (
                height is not None
                and close(polynomial(graph, y, [x, gate], nodes), {(1, 1): 1 / height})
                and graph.rank(x) is not None
                and graph.rank(x) == graph.rank(y)
                and xnnpack.supports(hard_swish, graph) is None
                and swallow(graph, nodes, node)
            ):
                return (hard_swish,)
    return None


def _height(graph: Graph, function: Node, argument: Polynomial | None) -> float | None:
    """h, when the function applied to this polynomial of x is h * min(max(x / 6 + 1/2, 0), 1); else None."""
    if function.op_type == "Clip":
        height = clip_height(graph, function)
        wanted: Polynomial = {(1,): (height or 0) / 6, (0,): (height or 0) / 2}
        return height if height is not None and close(argument, wanted) else None
    alpha, beta = function.attribute("alpha", 0.2), function.attribute("beta", 0.5)
    is_sixth = math.isclose(alpha, 1 / 6, rel_tol=1e-4) and beta == 0.5
    return 1.0 if is_sixth and argument == {(1,): 1.0} else None
