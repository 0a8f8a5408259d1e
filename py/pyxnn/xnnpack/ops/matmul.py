"""Gemm and MatMul."""

from __future__ import annotations

import math

import numpy as np

from pyxnn.engine import BinaryType
from pyxnn.graph import Node
from pyxnn.xnnpack import kernels
from pyxnn.xnnpack.fusion import NO_BOUNDS
from pyxnn.xnnpack.layout import Shape
from pyxnn.xnnpack.lowering import Lowering
from pyxnn.xnnpack.ops import conditions
from pyxnn.xnnpack.registry import register
from pyxnn.xnnpack.values import Value


@register("Gemm", supports=conditions.floating, clamps=True)
def lower_gemm(node: Node, ctx: Lowering) -> None:
    """Gemm (opsets 7 to 13): A (M, K) or (K, M), B (K, N) or (N, K), C that broadcasts to (M, N), to alpha * A' * B' + beta * C.

    Constant weights take alpha in; a constant C of one row becomes the bias of the product.
    """
    alpha, beta = node.attribute("alpha", 1.0), node.attribute("beta", 1.0)
    a, b = ctx.value(node.input(0)), ctx.value(node.input(1))
    if node.attribute("transA", 0):
        a = a.permuted((1, 0))
    if node.attribute("transB", 0):
        b = b.permuted((1, 0))
    shape = (a.shape[0], b.shape[1])
    addend = _addend(node, ctx, beta)
    if a.shape[1] == 0:
        product = zeros(shape)
    elif isinstance(b.source, np.ndarray):
        bias = _bias(addend, shape[1])
        addend = None if bias is not None else addend
        bounds = ctx.bounds if addend is None else NO_BOUNDS
        key = (ctx.weights_key(*node.inputs[1:]), alpha, beta, bias is None)
        kernel = ctx.weights(node.input(1)) if alpha == 1 else b.source * np.float32(alpha)
        transposed = b.order == (0, 1)
        product = kernels.fully_connected(
            ctx, a, kernel, bias, key, transposed=transposed, bounds=bounds
        )
        if addend is None:
            ctx.define(node.output(0), product)
            return
    else:
        product = kernels.batch_matmul(ctx, a, b)
        if alpha != 1:
            product = kernels.binary(ctx, BinaryType.MULTIPLY, product, Value.scalar(alpha))
    if addend is not None:
        product = kernels.binary(ctx, BinaryType.ADD, product, addend)
    ctx.define(node.output(0), kernels.clamp(ctx, product, ctx.bounds))


def _addend(node: Node, ctx: Lowering, beta: float) -> Value | None:
    """beta * C, None when there is none."""
    if not node.input(2) or beta == 0:
        return None
    c = ctx.value(node.input(2))
    if beta == 1:
        return c
    if isinstance(c.source, np.ndarray):
        return Value.constant(c.source * np.float32(beta))
    return kernels.binary(ctx, BinaryType.MULTIPLY, c, Value.scalar(beta))


def _bias(addend: Value | None, columns: int) -> np.ndarray | None:
    """A constant addend as the bias of each row, None when it differs between rows or is computed."""
    if addend is None or not isinstance(addend.source, np.ndarray):
        return None
    if addend.rank == 2 and addend.shape[0] != 1:
        return None
    row = addend.source.reshape(-1)
    return row if row.size == columns else np.broadcast_to(row, columns)


@register("MatMul", supports=conditions.floating, clamps=True)
def lower_matmul(node: Node, ctx: Lowering) -> None:
    """MatMul (opsets 1 to 13): A and B, multiplied and broadcast as by numpy.matmul.

    Constant weights, the same for all of A, are a fully-connected layer over the flattened rows of A. With a third input, which
    `fusion` gives to constant weights, each row has that added.
    """
    rows, columns, shape = as_matrices(ctx, ctx.value(node.input(0)), ctx.value(node.input(1)))
    if rows.shape[-1] == 0:
        product = zeros(shape)
        if node.input(2):
            product = kernels.binary(ctx, BinaryType.ADD, product, ctx.value(node.input(2)))
        product = kernels.clamp(ctx, product, ctx.bounds)
    elif isinstance(columns.source, np.ndarray) and math.prod(columns.shape[:-2]) == 1:
        product = kernels.fully_connected(
            ctx,
            rows.expanded(max(rows.rank, columns.rank)),
            ctx.weights(node.input(1)).reshape(columns.shape[-2:]),
            _bias(ctx.value(node.input(2)), columns.shape[-1]) if node.input(2) else None,
            ctx.weights_key(*node.inputs[1:]),
            transposed=True,
            bounds=ctx.bounds,
        )
    else:
        product = kernels.clamp(ctx, kernels.batch_matmul(ctx, rows, columns), ctx.bounds)
    ctx.define(node.output(0), ctx.reshape(product, shape))


def as_matrices(ctx: Lowering, a: Value, b: Value) -> tuple[Value, Value, Shape]:
    """The operands of numpy.matmul, of which vectors are a row or a column, and the shape of their product."""
    rows = a if a.rank > 1 else ctx.reshape(a, (1, *a.shape))
    columns = b if b.rank > 1 else ctx.reshape(b, (*b.shape, 1))
    batch = np.broadcast_shapes(rows.shape[:-2], columns.shape[:-2])
    return rows, columns, (*batch, *a.shape[-2:-1], *(b.shape[-1:] if b.rank > 1 else ()))


def zeros(shape: Shape) -> Value:
    """A product over no elements."""
    return Value.constant(np.zeros(shape, np.float32))
