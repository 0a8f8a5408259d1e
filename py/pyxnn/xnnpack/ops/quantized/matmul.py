"""Gemm and MatMul on integers."""

from __future__ import annotations

import math

import numpy as np

from pyxnn.graph import Graph, Node
from pyxnn.quantization import Quantization
from pyxnn.xnnpack import kernels
from pyxnn.xnnpack.lowering import Lowering
from pyxnn.xnnpack.ops.matmul import as_matrices
from pyxnn.xnnpack.ops.quantized import conditions, operands
from pyxnn.xnnpack.registry import quantized


def supports_gemm(node: Node, graph: Graph, target: Quantization) -> str | None:
    """Constant weights, in all or by column, and a constant C of one row."""
    columns = 0 if node.attribute("transB", 0) else 1
    shape = graph.type(node.input(2)).static_shape if node.input(2) else ()
    if shape is None or math.prod(shape[:-1]) != 1:
        return f"input '{node.input(2)}' is not one row"
    return (
        conditions.activation(node, graph)
        or conditions.weights(node, graph, 1, columns)
        or conditions.bias(node, graph, 2)
        or conditions.multipliers(node, graph, target, abs(_alpha(node)) or 1.0)
    )


def _alpha(node: Node) -> float:
    return node.attribute("alpha", 1.0)


@quantized("Gemm", supports=supports_gemm)
def lower_gemm(node: Node, ctx: Lowering, target: Quantization) -> None:
    """Gemm (opsets 7 to 13) of int8 A (M, K) or (K, M), B (K, N) or (N, K) and int32 C (N) or (1, N)."""
    a, source = ctx.quantized(node.input(0))
    a = a.permuted((1, 0)) if node.attribute("transA", 0) else a
    weights, kernel = operands.weights(ctx, node.input(1))
    alpha, beta = _alpha(node), node.attribute("beta", 1.0)
    if (
        alpha < 0
    ):  # what all bits are flipped of, less a zero point of which they are, too, has the other sign
        weights, kernel = ~weights, kernel._replace(zero_point=~kernel.zero_point)
    elif alpha == 0:
        weights = np.zeros_like(weights)
        kernel = kernel._replace(zero_point=np.zeros_like(kernel.zero_point))
    source = source._replace(scale=source.scale * (abs(alpha) or 1.0))
    is_transposed = not node.attribute("transB", 0)
    bias = node.input(2) if beta != 0 else ""
    count = weights.shape[int(is_transposed)]
    product = kernels.fully_connected_qs8(
        ctx,
        a,
        weights,
        operands.channels(ctx, source, kernel, bias, target, count, beta or 1.0),
        node.output(0),
        operands.requantization(source, target, ctx.bounds),
        transposed=is_transposed,
    )
    ctx.define(node.output(0), product)


def supports_matmul(node: Node, graph: Graph, target: Quantization) -> str | None:
    """One matrix of constant weights, in all or by column; or two tensors of one scale and zero point each."""
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
    """MatMul (opsets 1 to 13) of int8 A (..., M, K) or (K) and B (..., K, N) or (K), broadcast as by numpy.matmul."""
    (a, source), (b, other) = (ctx.quantized(name) for name in node.inputs)
    rows, columns, shape = as_matrices(ctx, a, b)
    requantization = operands.requantization(source, target, ctx.bounds)
    if isinstance(b.source, np.ndarray) and b.rank == 2:
        weights, kernel = operands.weights(ctx, node.input(1))
        channels = operands.channels(ctx, source, kernel, "", target, weights.shape[1])
        product = kernels.fully_connected_qs8(
            ctx, rows, weights, channels, node.output(0), requantization, transposed=True
        )
    else:
        multiplier = float(source.scale * other.scale / target.scale)
        product = kernels.batch_matmul_qs8(
            ctx, rows, columns, int(other.zero_point), multiplier, requantization
        )
    ctx.define(node.output(0), ctx.reshape(product, shape))
