"""Makes one Gelu (opset 20) of the nodes that exporters write it with.

    * x * (1 + erf(x / sqrt(2))) / 2
    * x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3))) / 2, the approximation by tanh
in whichever sequence of Add, Sub, Mul, Div and Pow with scalar constants, the last of them a Mul.
Must not fire when a value between is used elsewhere or is a graph output, when a constant is
another or is no scalar, or when the ranks of x and the result aren't known to be the same.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from pyxnn.graph import Graph, Node
from pyxnn.passes.polynomials import Polynomial, close, polynomial, sources
from pyxnn.passes.rewrite import each_node, swallow

_SLOPE = math.sqrt(2 / math.pi)
_ARGUMENTS: dict[str, tuple[str, Polynomial]] = {
    "Erf": ("none", {(1,): math.sqrt(0.5)}),
    "Tanh": ("tanh", {(1,): _SLOPE, (3,): 0.044715 * _SLOPE}),
}
"""What the function in the middle is applied to, as a polynomial of x."""

_RESULT: Polynomial = {(1, 0): 0.5, (1, 1): 0.5}
"""The result as a polynomial of x and of what that function gives."""

_REACH = 5
"""The most arithmetic nodes from x to the function, or from there to the result."""


def run(graph: Graph) -> bool:
    return each_node(graph, _fuse)


def _fuse(node: Node, graph: Graph) -> Sequence[Node] | None:
    if not node.is_op("Mul"):
        return None
    y = node.output(0)
    dtype = graph.dtype(y)
    is_half = dtype is not None and dtype.itemsize == 2
    tolerance = 4e-3 if is_half else 1e-4
    for gate in dict.fromkeys(sources(graph, y, _REACH)):
        function = graph.producer(gate)
        if function is None or not function.is_op(*_ARGUMENTS):
            continue
        approximate, argument = _ARGUMENTS[function.op_type]
        for x in dict.fromkeys(sources(graph, function.input(0), _REACH)):
            nodes = {function}
            if (
                close(polynomial(graph, function.input(0), [x], nodes), argument, tolerance)
                and close(polynomial(graph, y, [x, gate], nodes), _RESULT, tolerance)
                and graph.rank(x) is not None
                and graph.rank(x) == graph.rank(y)
                and swallow(graph, nodes, node)
            ):
                attributes = {"approximate": approximate}
                return (Node("Gelu", [x], [y], attributes, name=node.name, since=20),)
    return None
