"""Makes one operation of two in a row by constants: sums of sums, products of products, of floating-point numbers.

    * (x + a) + b is x + (a + b), where Sub of a constant is a sum too.
    * (x * a) * b is x * (a * b), where Div by a constant is a product too.
The constants are of one shape, or one of them is one number that adds no dimension; constants stand second (see
`constants_second`).
Must not fire when the value between is used elsewhere or is a graph output, nor when the new constant isn't finite
or, of a product, is 0.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pyxnn.graph import Graph, Node
from pyxnn.passes.rewrite import each_node, is_float, made_by, swallow

_KINDS = {
    "Add": ("Add", "Sub"),
    "Sub": ("Add", "Sub"),
    "Mul": ("Mul", "Div"),
    "Div": ("Mul", "Div"),
}


def run(graph: Graph) -> bool:
    return each_node(graph, _merge)


def _merge(node: Node, graph: Graph) -> Sequence[Node] | None:
    if not node.is_op(*_KINDS) or node.input(1) not in graph.initializers:
        return None
    kind = _KINDS[node.op_type]
    before = made_by(graph, node.input(0), *kind)
    if (
        before is None
        or before.input(1) not in graph.initializers
        or not is_float(graph, before.input(0))
    ):
        return None
    a, b = (graph.initializers[n.input(1)] for n in (before, node))
    if a.shape != b.shape and not _is_number(a, b) and not _is_number(b, a):
        return None
    with np.errstate(all="ignore"):
        merged = np.asarray(_merged(kind[0], before, a, node, b), a.dtype)
    if not np.isfinite(merged).all() or (kind[0] == "Mul" and (merged == 0).any()):
        return None
    if not swallow(graph, {before, node}, node):
        return None
    inputs = [before.input(0), graph.add_constant(merged, f"{node.output(0)}_constant")]
    return (Node(kind[0], inputs, node.outputs, name=node.name, since=14),)


def _merged(kind: str, first: Node, a: np.ndarray, second: Node, b: np.ndarray) -> np.ndarray:
    a, b = a.astype(np.float64), b.astype(np.float64)
    if kind == "Add":
        return (-a if first.op_type == "Sub" else a) + (-b if second.op_type == "Sub" else b)
    return (1 / a if first.op_type == "Div" else a) * (1 / b if second.op_type == "Div" else b)


def _is_number(a: np.ndarray, b: np.ndarray) -> bool:
    return a.size == 1 and a.ndim <= b.ndim
