"""DynamicQuantizeLinear, MatMulInteger and ConvInteger."""

from __future__ import annotations

import math

import numpy as np

from pyxnn.graph import Graph, Node
from pyxnn.xnnpack import kernels, layout
from pyxnn.xnnpack.kernels import Scaling, Weights
from pyxnn.xnnpack.layout import Order, Shape
from pyxnn.xnnpack.lowering import Lowering
from pyxnn.xnnpack.ops import conditions, windows
from pyxnn.xnnpack.registry import register
from pyxnn.xnnpack.values import Value


def supports_dynamic_quantize(node: Node, graph: Graph) -> str | None:
    """Float32 and floats of 16 bits."""
    return conditions.floating(node, graph)


@register("DynamicQuantizeLinear", supports=supports_dynamic_quantize)
def lower_dynamic_quantize(node: Node, ctx: Lowering) -> None:
    """DynamicQuantizeLinear (opset 11): x of any shape to y, uint8 of the same shape, its scale and its zero point."""
    results = kernels.dynamic_quantize(ctx, ctx.value(node.input(0)))
    for name, value in zip(node.outputs, results, strict=False):
        if name:
            ctx.define(name, value)


def supports_matmul(node: Node, graph: Graph) -> str | None:
    """Zero points of any form."""
    return conditions.bytes_of_integers(node, graph, [0, 1, 2, 3])


@register("MatMulInteger", supports=supports_matmul, clamps=True)
def lower_matmul(node: Node, ctx: Lowering) -> None:
    """MatMulInteger (opset 10): A and B, uint8 or int8, less zero points (one, or one for each row of A and each column of B),
    multiplied and broadcast as by numpy.matmul, to int32.

    With a fifth input, which `fusion` gives to one constant matrix, sums become floats: times one scale, one for each column, or 1
    where it is absent. A sixth is a constant row that is then added, a seventh a tensor.
    """
    a, b = ctx.value(node.input(0)), ctx.value(node.input(1))
    a_zeros, b_zeros = (_zeros(node, ctx, index + 2, x) for index, x in enumerate((a, b)))
    kept_rows, kept_columns = a.shape[-2:-1], b.shape[-1:] if b.rank > 1 else ()
    a_zeros = a_zeros.viewed((*a_zeros.shape, 1), (0, 1)) if a_zeros.rank == 1 else a_zeros
    a = a if a.rank > 1 else ctx.reshape(a, (1, *a.shape))
    b = b if b.rank > 1 else ctx.reshape(b, (*b.shape, 1))
    (m, k), n = a.shape[-2:], b.shape[-1]
    if b.shape[-2] != k:
        raise ValueError(f"{k} columns can't be multiplied with {b.shape[-2]} rows")
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    if math.prod(b.shape[:-2]) > 1:
        a, b = kernels.expand(ctx, a, (*batch, m, k)), kernels.expand(ctx, b, (*batch, k, n))
    a = a.expanded(len(batch) + 2)
    if a_zeros.size > 1:
        a_zeros = ctx.row_major(kernels.expand(ctx, a_zeros, (*a.shape[:-1], 1)))
    if b_zeros.size > 1:
        b_zeros = ctx.row_major(kernels.expand(ctx, b_zeros, (*b.shape[:-2], 1, n)))
    if a_zeros.size > 1 or math.prod(b.shape[:-2]) > 1:
        a = ctx.row_major(a)
    product: Value
    if k == 0:
        product = Value.constant(np.zeros((*batch, m, n), np.int32))
    else:
        permutation = (*range(b.rank - 2), b.rank - 1, b.rank - 2)
        shape = (math.prod(b.shape[:-2]), n, 1, k)
        weights = _weights(node, ctx, b, permutation, shape, b_zeros)
        scaling = _scaling(node, ctx, (*batch, m, n), n)
        product = kernels.matmul_integer(ctx, a, a_zeros, weights, (*batch, m, n), scaling)
    ctx.define(node.output(0), ctx.reshape(product, (*batch, *kept_rows, *kept_columns)))


def supports_conv(node: Node, graph: Graph) -> str | None:
    """Windows over one, two or three axes; one zero point of x, one or one for each channel of w."""
    return conditions.bytes_of_integers(node, graph, [0, 1, 2, 3]) or windows.supports(
        node, graph, 1
    )


@register("ConvInteger", supports=supports_conv, clamps=True)
def lower_conv(node: Node, ctx: Lowering) -> None:
    """ConvInteger (opset 10): x (N, C, [[D,] H,] W) and w (M, C/group, [[kD,] kH,] kW), uint8 or int8, less zero points, to int32
    (N, M, [[oD,] oH,] oW).

    With a fifth input, which `fusion` gives to constant weights, sums become floats: times one scale, one for each channel, or 1
    where it is absent. A sixth is a constant for each channel that is then added, a seventh a tensor.
    """
    x, w = ctx.value(node.input(0)), ctx.value(node.input(1))
    x_zero, w_zeros = (_zeros(node, ctx, index + 2, value) for index, value in enumerate((x, w)))
    groups = node.attribute("group", 1)
    if x.rank != w.rank or x.shape[1] != w.shape[1] * groups or w.shape[0] % groups:
        raise ValueError(f"weights {w.shape} in {groups} groups don't fit an input {x.shape}")
    if x_zero.size != 1 or w_zeros.size not in (1, w.shape[0]):
        raise ValueError(f"zero points {x_zero.shape} and {w_zeros.shape} don't fit")
    slides, _ = windows.slides(node, x.shape[2:], w.shape[2:])
    channels = w.shape[0]
    weights = _weights(
        node,
        ctx,
        w,
        (0, *range(2, w.rank), 1),
        (groups, channels // groups, *w.shape[2:], w.shape[1]),
        w_zeros,
    )
    shape = (x.shape[0], channels, *(slide.out_extent for slide in slides))
    scaling = _scaling(node, ctx, shape, channels)
    ctx.define(
        node.output(0), kernels.convolution_integer(ctx, x, x_zero, slides, weights, scaling)
    )


def _zeros(node: Node, ctx: Lowering, position: int, x: Value) -> Value:
    """Zero points in ONNX's own order; one of 0 where there are none."""
    if not node.input(position):
        return Value.constant(np.zeros((), x.dtype))
    return ctx.row_major(ctx.value(node.input(position)))


def _weights(
    node: Node, ctx: Lowering, kernel: Value, permutation: Order, shape: Shape, zeros: Value
) -> Weights:
    """Those of a kernel whose input channels a permutation makes its last axis."""
    name = node.input(1)
    key = ctx.weights_key(*filter(None, (name, *node.inputs[3:4], *node.inputs[5:6])))
    if kernel.is_constant and isinstance(zeros.source, np.ndarray):
        array = ctx.weights(name).reshape(kernel.shape).transpose(permutation).reshape(shape)
        return Weights(array, zeros.source, key)
    kernel = ctx.row_major(kernel.permuted(permutation))
    return Weights(kernel.viewed(shape, layout.row_major(len(shape))), zeros, key)


def _scaling(node: Node, ctx: Lowering, shape: Shape, channels: int) -> Scaling | None:
    """What makes floats of sums, which have a shape and so many columns or channels; None where they stay integers."""
    if len(node.inputs) < 5:
        return None
    scales = ctx.row_major(ctx.value(node.input(4))) if node.input(4) else Value.scalar(1.0)
    bias = ctx.array(node.input(5)) if node.input(5) else np.zeros(1, np.float32)
    addend = ctx.reshape(ctx.value(node.input(6)), shape) if node.input(6) else None
    return Scaling(scales, np.broadcast_to(bias.reshape(-1), channels), ctx.bounds, addend)
