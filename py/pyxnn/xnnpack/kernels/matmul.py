"""Matrix products."""

from __future__ import annotations

import math
from collections.abc import Hashable
from typing import TYPE_CHECKING

import numpy as np

from pyxnn.engine import Kind
from pyxnn.xnnpack import layout
from pyxnn.xnnpack.fusion import NO_BOUNDS, Bounds
from pyxnn.xnnpack.kernels.nest import MAX_DIMS, outermost
from pyxnn.xnnpack.values import Value

if TYPE_CHECKING:
    from pyxnn.xnnpack.lowering import Lowering


MOST_SMALL_ROWS, MOST_SMALL_ELEMENTS = 32, 4096
"""Of matrices that are multiplied as they lie: rows of the left one, and elements of the right one, which the first-level
cache holds."""


def fully_connected(
    ctx: Lowering,
    x: Value,
    kernel: np.ndarray,
    bias: np.ndarray | None,
    key: Hashable,
    *,
    transposed: bool,
    bounds: Bounds = NO_BOUNDS,
) -> Value:
    """The product of `x` [..., k] with constant weights, [k, n] if transposed, else [n, k], plus bias [n]."""
    x = ctx.arrange(x, layout.axis_last(x.order, x.rank - 1))
    k, n = kernel.shape if transposed else kernel.shape[::-1]
    if x.shape[-1] != k:
        raise ValueError(f"{x.shape[-1]} columns can't be multiplied with {k} rows")
    output = ctx.new((*x.shape[:-1], n), x.order)
    params = [k, n, *bounds, int(transposed)]
    return ctx.step(
        Kind.FULLY_CONNECTED,
        params,
        [math.prod(x.shape[:-1]), k, n],
        [x],
        output,
        kernel=kernel,
        bias=bias,
        key=key,
    )


def matmul_nbits(
    ctx: Lowering,
    x: Value,
    kernel: np.ndarray,
    scales: np.ndarray,
    zeros: np.ndarray | None,
    bias: np.ndarray | None,
    key: Hashable,
    *,
    bits: int,
    block_size: int,
    columns: int,
    row_bits: int,
    bounds: Bounds,
) -> Value:
    """The product of `x` [..., k] with columns of 4 or 8 bits, packed by blocks, plus bias [columns].

    Args:
        kernel: [columns, blocks, bytes of a block].
        scales: float32 [columns, blocks].
        zeros: uint8, packed as the kernel is, or floats [columns, blocks]; None for half of the range.
        row_bits: of the integers that rows are rounded to by blocks: 16, where rows are few, 8, for a kernel of 4 bits, or 0 for none.
    """
    x = ctx.arrange(x, layout.axis_last(x.order, x.rank - 1))
    k = x.shape[-1]
    zeros_type, others = 0, [scales.reshape(-1).view(np.uint8)]
    if bias is not None:
        others.append(bias.astype(np.float32).reshape(-1).view(np.uint8))
    if zeros is not None:
        zeros_type = 1 if zeros.dtype == np.uint8 else 2
        packed = zeros if zeros_type == 1 else zeros.astype(np.float32)
        others.append(packed.reshape(-1).view(np.uint8))
    params = [bits, block_size, k, columns, row_bits, zeros_type, int(bias is not None), *bounds]
    return ctx.step(
        Kind.MATMUL_NBITS,
        params,
        [math.prod(x.shape[:-1])],
        [x],
        ctx.new((*x.shape[:-1], columns), x.order),
        kernel=kernel,
        bias=np.concatenate(others),
        key=key,
    )


def batch_matmul(ctx: Lowering, a: Value, b: Value) -> Value:
    """The product of `a` [..., m, k] and `b` [..., k, n], both of rank 2 at least, their batches broadcast."""
    rank = max(a.rank, b.rank)
    a, b = ctx.row_major(a.expanded(rank)), b.expanded(rank)
    order = layout.row_major(rank)
    swapped = (*order[:-2], rank - 1, rank - 2)
    transpose_b = b.has_order(swapped) and not b.has_order(order)
    b = ctx.arrange(b, swapped if transpose_b else order)
    (m, k), n = a.shape[-2:], b.shape[-1]
    if b.shape[-2] != k:
        raise ValueError(f"{k} columns can't be multiplied with {b.shape[-2]} rows")
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    output = ctx.new((*batch, m, n), order)
    return _batch_products(ctx, a, b, int(transpose_b), (m, k, n), output)


def _batch_products(
    ctx: Lowering, a: Value, b: Value, transpose_b: int, mkn: tuple[int, int, int], output: Value
) -> Value:
    batch_a, batch_b = layout.fold_broadcast(a.shape[:-2], b.shape[:-2])
    if len(batch_a) <= MAX_DIMS:
        dims = [len(batch_a), *batch_a, *batch_b, *mkn]
        m, k, n = mkn
        if not transpose_b and m <= MOST_SMALL_ROWS and k * n <= MOST_SMALL_ELEMENTS:
            return ctx.step(Kind.SMALL_MATMUL, [], dims, [a, b], output)
        return ctx.step(Kind.BATCH_MATMUL, [transpose_b], dims, [a, b], output)
    for index in range(output.shape[0]):
        part_a, part_b = outermost(a, index), outermost(b, index)
        _batch_products(ctx, part_a, part_b, transpose_b, mkn, outermost(output, index))
    return output
