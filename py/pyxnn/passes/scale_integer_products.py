"""Lets constants that scale a product of integers join what makes it real numbers.

    * (x * s) * c is x * (s * c), and (x * s + a) * c is x * (s * c) + a * c,
where x is a MatMulInteger or ConvInteger after its Cast, s may be computed, a and c are constants that stand second (see
`constants_second`).
Must not fire when a value between is used elsewhere or is a graph output, when constants add a dimension or a new one would not
be finite, nor when the shape of s is unknown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pyxnn.graph import Graph, Node, TensorType
from pyxnn.passes.rewrite import each_node, either_way, made_by, swallow

_PRODUCTS = ("MatMulInteger", "ConvInteger")


def run(graph: Graph) -> bool:
    return each_node(graph, _join)


def _join(node: Node, graph: Graph) -> Sequence[Node] | None:
    factor = graph.constant(node.input(1)) if node.is_op("Mul") else None
    if factor is None or not _adds_no_dimension(factor, node, graph):
        return None
    add = made_by(graph, node.input(0), "Add")
    addend = None if add is None else graph.constant(add.input(1))
    if add is not None and (addend is None or not _adds_no_dimension(addend, add, graph)):
        return None
    scaled = made_by(graph, node.input(0) if add is None else add.input(0), "Mul")
    found = None if scaled is None else _scale_of(scaled, graph)
    if scaled is None or found is None:
        return None
    product, scale = found
    shape = graph.type(scale).static_shape
    with np.errstate(over="ignore", invalid="ignore"):
        shift = None if addend is None else addend * factor
    if shape is None or (shift is not None and not np.isfinite(shift).all()):
        return None
    if not swallow(graph, {scaled, node} if add is None else {scaled, add, node}, node):
        return None
    dtype = graph.dtype(scale)
    both = graph.add_value(scale, TensorType(dtype, np.broadcast_shapes(shape, factor.shape)))
    scaling = replace(node, inputs=[scale, node.input(1)], outputs=[both])
    if add is None or shift is None:
        return scaling, replace(node, inputs=[product, both])
    between = graph.add_value(node.output(0), graph.type(node.output(0)))
    shifted = [between, graph.add_constant(shift, f"{node.output(0)}_addend")]
    return (
        scaling,
        replace(node, inputs=[product, both], outputs=[between]),
        replace(add, inputs=shifted, outputs=list(node.outputs)),
    )


def _adds_no_dimension(constant: np.ndarray, node: Node, graph: Graph) -> bool:
    rank = graph.rank(node.input(0))
    return rank is not None and constant.ndim <= rank


def _scale_of(scaled: Node, graph: Graph) -> tuple[str, str] | None:
    """The real numbers of a product of integers, and what a Mul multiplies them with; None when it multiplies no such product."""
    for x, scale in either_way(scaled):
        cast = made_by(graph, x, "Cast")
        if cast is not None and made_by(graph, cast.input(0), *_PRODUCTS) is not None:
            return x, scale
    return None
