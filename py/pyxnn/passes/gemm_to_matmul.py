"""Turns a Gemm between two Reshapes into a MatMul of tensors of any rank.

    Reshape(Gemm(Reshape(x), W, c)), where the Gemm multiplies rows with constant weights and the result has columns, is
    Add(MatMul(Reshape(x), W), c), where the Reshape gives x the result's extents; it is left out where x has them.
Linear layers are exported so, and with them goes the arithmetic on shapes around them.
Must not fire when a value between is used elsewhere or is a graph output, when the result is one, when the Gemm
scales or transposes x, or weights that others use too, when its C isn't a constant row, or when extents aren't known to be
those of x.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pyxnn.graph import Graph, Node, TensorType
from pyxnn.passes.reshape_by_extents import constant_shape
from pyxnn.passes.rewrite import each_node, made_by, swallow


def run(graph: Graph) -> bool:
    return each_node(graph, _to_matmul)


def _to_matmul(node: Node, graph: Graph) -> Sequence[Node] | None:
    gemm = made_by(graph, node.input(0), "Gemm") if node.is_op("Reshape") else None
    flat = None if gemm is None else made_by(graph, gemm.input(0), "Reshape")
    y = graph.shape(node.output(0))
    if gemm is None or flat is None or y is None or graph.is_output(node.output(0)):
        return None
    weights, addend = graph.constant(gemm.input(1)), graph.constant(gemm.input(2))
    if weights is None or gemm.attribute("transA", 0) or gemm.attribute("alpha", 1.0) != 1:
        return None
    if gemm.input(2) and (addend is None or gemm.attribute("beta", 1.0) != 1):
        return None
    if addend is not None and addend.shape[-1:] not in ((), (addend.size,)):
        return None
    if gemm.attribute("transB", 0) and len(graph.consumers(gemm.input(1))) > 1:
        return None
    matrix = weights.T if gemm.attribute("transB", 0) else weights
    inner, columns = matrix.shape
    if len(y) < 2 or y[-1] != columns or (addend is not None and addend.size not in (1, columns)):
        return None
    x, rows = graph.shape(flat.input(0)), (*y[:-1], inner)
    extents = None if x is None else constant_shape(x, rows)
    if extents is None or not swallow(graph, {flat, gemm, node}, node):
        return None
    dtype, name = graph.dtype(node.output(0)), flat.input(0)
    nodes = []
    if x != rows:
        shape = graph.add_constant(np.array(extents, np.int64), f"{name}_shape")
        given, name = name, graph.add_value(flat.output(0), TensorType(dtype, rows))
        nodes.append(Node("Reshape", [given, shape], [name], name=flat.name, since=14))
    factor = gemm.input(1)
    if matrix is not weights:
        factor = graph.add_constant(np.ascontiguousarray(matrix), f"{factor}_transposed")
    product = node.output(0)
    if addend is not None:
        product = graph.add_value(gemm.output(0), TensorType(dtype, y))
        row = graph.add_constant(addend.reshape(-1).copy(), f"{gemm.input(2)}_row")
    nodes.append(Node("MatMul", [name, factor], [product], name=gemm.name, since=13))
    if addend is not None:
        nodes.append(Node("Add", [product, row], list(node.outputs), name=node.name, since=14))
    return nodes
