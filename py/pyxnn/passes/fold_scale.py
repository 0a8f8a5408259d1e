"""Folds a product with a constant into the constant weights of a MatMul or Gemm.

    * MatMul(x, W) * c is MatMul(x, W * c), and (MatMul(x, W) + a) * c is MatMul(x, W * c) + a * c, where a and c are one
      number or one for each column;
    * MatMul(x * c, W) is MatMul(x, W * c), where c is one number, and x no product itself: that may be an activation;
    * the alpha of a Gemm goes into a constant B, its beta into a constant C.
Div by a constant is a product too.
Must not fire when a value between, or the old weights, are used elsewhere or are a graph output, when a constant adds a
dimension, nor when new constants would not be finite.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pyxnn.graph import Graph, Node
from pyxnn.passes.rewrite import each_node, is_float, made_by, swallow


def run(graph: Graph) -> bool:
    return each_node(graph, _fold)


def _fold(node: Node, graph: Graph) -> Sequence[Node] | None:
    if node.is_op("Gemm"):
        return _without_factors(node, graph)
    if node.is_op("MatMul"):
        return _with_what_scales_its_input(node, graph)
    return _into_the_product_before(node, graph) if node.is_op("Mul", "Div") else None


def _without_factors(node: Node, graph: Graph) -> Sequence[Node] | None:
    inputs, attributes = list(node.inputs), dict(node.attributes)
    for position, name in ((1, "alpha"), (2, "beta")):
        factor = np.array(node.attribute(name, 1.0))
        scaled = _scaled(graph, node.input(position), factor) if factor != 1 else None
        if scaled is not None:
            inputs[position] = graph.add_constant(scaled, f"{node.output(0)}_{name}")
            del attributes[name]
    return (replace(node, inputs=inputs, attributes=attributes),) if inputs != node.inputs else None


def _with_what_scales_its_input(node: Node, graph: Graph) -> Sequence[Node] | None:
    scale = made_by(graph, node.input(0), "Mul", "Div")
    factor = None if scale is None else _factor(graph, scale, 1)
    if scale is None or factor is None or factor.size != 1:
        return None
    if made_by(graph, scale.input(0), "Mul") is not None:
        return None
    weights = _scaled(graph, node.input(1), factor)
    if weights is None or not swallow(graph, {scale, node}, node):
        return None
    name = graph.add_constant(weights, f"{node.output(0)}_weights")
    return (replace(node, inputs=[scale.input(0), name]),)


def _into_the_product_before(node: Node, graph: Graph) -> Sequence[Node] | None:
    add = made_by(graph, node.input(0), "Add")
    product = made_by(graph, node.input(0) if add is None else add.input(0), "MatMul")
    factor = None if product is None else _factor(graph, node, graph.rank(node.input(0)) or 1)
    if product is None or factor is None:
        return None
    weights = _scaled(graph, product.input(1), factor)
    if weights is None:
        return None
    addend = None if add is None else _row(graph, add.input(1), weights.shape[-1])
    shift = None if addend is None else _finite(addend * factor, weights.dtype)
    if (add is None) != (shift is None):
        return None
    if not swallow(graph, {product, node} if add is None else {product, add, node}, node):
        return None
    inputs = [product.input(0), graph.add_constant(weights, f"{node.output(0)}_weights")]
    if add is None or shift is None:
        return (replace(product, inputs=inputs, outputs=list(node.outputs)),)
    between = graph.add_value(product.output(0), graph.type(node.output(0)))
    return (
        replace(product, inputs=inputs, outputs=[between]),
        replace(
            add,
            inputs=[between, graph.add_constant(shift, f"{node.output(0)}_addend")],
            outputs=list(node.outputs),
        ),
    )


def _factor(graph: Graph, node: Node, rank: int) -> np.ndarray | None:
    """What a Mul or Div multiplies its first input, of that rank, with: a number, or a row; None for anything else."""
    constant = graph.constant(node.input(1))
    if (
        constant is None
        or constant.ndim > rank
        or constant.shape[-1:] not in ((), (constant.size,))
    ):
        return None
    factor = constant.astype(np.float64).reshape(-1)
    with np.errstate(divide="ignore"):
        return 1 / factor if node.is_op("Div") else factor


def _row(graph: Graph, name: str, columns: int) -> np.ndarray | None:
    """A constant addend of rows, which adds no dimension to them; None for anything else."""
    constant = graph.constant(name)
    if constant is None or constant.ndim > 1 or constant.size not in (1, columns):
        return None
    return constant.astype(np.float64).reshape(-1)


def _scaled(graph: Graph, name: str, factor: np.ndarray) -> np.ndarray | None:
    """Constant weights times a factor; None where they aren't constant, or not for this."""
    weights = graph.constant(name)
    if weights is None or not is_float(graph, name) or len(graph.consumers(name)) != 1:
        return None
    has_columns = weights.ndim > 1 and factor.size == weights.shape[-1]
    if graph.is_output(name) or not (factor.size == 1 or has_columns):
        return None
    return _finite(weights.astype(np.float64) * factor, weights.dtype)


def _finite(array: np.ndarray, dtype: np.dtype) -> np.ndarray | None:
    with np.errstate(over="ignore", invalid="ignore"):
        narrowed = array.astype(dtype)
    return narrowed if np.isfinite(narrowed.astype(np.float64)).all() else None
