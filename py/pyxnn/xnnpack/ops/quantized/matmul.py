"""Gemm and MatMul on integers."""

from __future__ import annotations

import math

import numpy as np

from pyxnn.graph import Graph, Node
from pyxnn.quantization import Quantization
from pyxnn.xnnpack import kernels
from pyxnn.xnnpack.lowering import Lowering
from pyxnn.xnnpack.ops.quantized import conditions, operands
from pyxnn.xnnpack.registry import quantized
from pyxnn.xnnpack.values import Value


def supports_gemm(node: Node, graph: Graph, target: Quantization) -> str | None:
    """Constant weights, in all or by column, and a constant C of one row; alpha and beta above 0."""
    if node.attribute("alpha", 1.0) <= 0 or node.attribute("beta", 1.0) <= 0:
        return "its alpha or beta is not positive"
    columns = 0 if node.attribute("transB", 0) else 1
    shape = graph.type(node.input(2)).static_shape if node.input(2) else ()
    if shape is None or math.prod(shape[:-1]) != 1:
        return f"input '{node.input(2)}' is not one row"
    return (
        conditions.activation(node, graph)
        or conditions.weights(node, graph, 1, columns)
        or conditions.bias(node, graph, 2)
        or conditions.multipliers(node, graph, target)
    )


@quantized("Gemm", supports=supports_gemm)
def lower_gemm(node: Node, ctx: Lowering, target: Quantization) -> None:
    """Gemm (opsets 7 to 13) of int8 A (M, K) or (K, M), B (K, N) or (N, K) and int32 C (N) or (1, N)."""
    a, source = ctx.quantized(node.input(0))
    a = a.permuted((1, 0)) if node.attribute("transA", 0) else a
    transposed = not node.attribute("transB", 0)
    source = source._replace(scale=source.scale * node.attribute("alpha", 1.0))
    product = _product(node, ctx, a, source, target, transposed=transposed)
    ctx.define(node.output(0), product)


def supports_matmul(node: Node, graph: Graph, target: Quantization) -> str | None:
    """One matrix of constant weights, in all or by column; or two tensors of one scale and zero point each. No vectors."""
    if any(graph.rank(name) in (None, 0, 1) for name in node.inputs):
        return "one of its inputs is no matrix"
    return (
        conditions.activation(node, graph)
        or (
            conditions.weights(node, graph, 1, 1)
            if _is_fully_connected(node, graph)
            else conditions.activation(node, graph, 1)
        )
        or conditions.multipliers(node, graph, target)
    )


def _is_fully_connected(node: Node, graph: Graph) -> bool:
    return graph.rank(node.input(1)) == 2 and conditions.integers(node, graph, 1) is not None


@quantized("MatMul", supports=supports_matmul)
def lower_matmul(node: Node, ctx: Lowering, target: Quantization) -> None:
    """MatMul (opsets 1 to 13) of int8 A (..., M, K) and B (..., K, N), broadcast as by numpy.matmul."""
    (a, source), (b, other) = (ctx.quantized(name) for name in node.inputs)
    if isinstance(b.source, np.ndarray) and b.rank == 2:
        product = _product(node, ctx, a, source, target, transposed=True)
    else:
        multiplier = float(source.scale * other.scale / target.scale)
        requantization = operands.requantization(source, target, ctx.bounds)
        product = kernels.batch_matmul_qs8(
            ctx, a, b, int(other.zero_point), multiplier, requantization
        )
    ctx.define(node.output(0), product)


def _product(
    node: Node,
    ctx: Lowering,
    a: Value,
    source: Quantization,
    target: Quantization,
    *,
    transposed: bool,
) -> Value:
    weights, kernel = operands.weights(ctx, node.input(1))
    count = weights.shape[int(transposed)]
    return kernels.fully_connected_qs8(
        ctx,
        a,
        weights,
        operands.channels(
            ctx, source, kernel, node.input(2), target, count, node.attribute("beta", 1.0)
        ),
        node.output(0),
        operands.requantization(source, target, ctx.bounds),
        transposed=transposed,
    )
