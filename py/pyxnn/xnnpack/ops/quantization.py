"""QuantizeLinear and DequantizeLinear."""

from __future__ import annotations

import numpy as np
import onnx

from pyxnn.engine import BinaryType
from pyxnn.graph import Graph, Node
from pyxnn.tensor_types import dtype_of
from pyxnn.xnnpack import kernels
from pyxnn.xnnpack.lowering import Lowering
from pyxnn.xnnpack.ops import conditions, small_types
from pyxnn.xnnpack.registry import register
from pyxnn.xnnpack.values import FLOAT32, Value

_INTEGERS = {np.dtype(name) for name in ("int8", "uint8", "int16", "uint16")}
"""What floats are quantized to."""


def supports_quantize(node: Node, graph: Graph) -> str | None:
    """To integers of 2 to 16 bits, and floats of 4 and 8."""
    reason = conditions.floating(node, graph, [0, 1])
    dtype = _quantized_dtype(node, graph.dtype(node.input(2)))
    if reason is None and dtype not in {*_INTEGERS, *small_types.INTEGERS, *small_types.FLOATS}:
        reason = f"no kernel makes {dtype}"
    return reason


@register("QuantizeLinear", supports=supports_quantize)
def lower_quantize(node: Node, ctx: Lowering) -> None:
    """QuantizeLinear (opsets 10 to 25): x of any shape, y_scale and y_zero_point of one element, of one for each index along
    `axis`, or of one for each block of `block_size` along it, to y of the zero point's type or `output_dtype`."""
    dtype = _quantized_dtype(node, ctx.dtype(node.input(2)))
    assert dtype is not None
    x = ctx.value(node.input(0))
    parts, scale, zero = _with_parameters(node, ctx, x)
    if dtype in small_types.FLOATS:
        y = kernels.binary(ctx, BinaryType.DIVIDE, parts, scale)
        if node.input(2):
            y = kernels.binary(ctx, BinaryType.ADD, y, zero)
        y = small_types.floats(ctx, y, dtype, saturate=bool(node.attribute("saturate", 1)))
    elif dtype in small_types.INTEGERS:
        working, limits = small_types.INTEGERS[dtype]
        y = kernels.quantize(ctx, parts, scale, zero, working, limits)
        y = small_types.integers(ctx, y, dtype)
    else:
        y = kernels.quantize(ctx, parts, scale, zero, dtype)
    ctx.define(node.output(0), _whole(y, x))


def supports_dequantize(node: Node, graph: Graph) -> str | None:
    """Of int32, integers of 2 to 16 bits, and floats of 4 and 8."""
    dtype = graph.dtype(node.input(0))
    known = {*_INTEGERS, np.dtype(np.int32), *small_types.INTEGERS, *small_types.FLOATS}
    if dtype not in known:
        return f"input '{node.input(0)}' is {dtype}, not a number that is dequantized"
    return conditions.floating(node, graph, [1])


@register("DequantizeLinear", supports=supports_dequantize)
def lower_dequantize(node: Node, ctx: Lowering) -> None:
    """DequantizeLinear (opsets 10 to 25): x of any shape, x_scale and x_zero_point as of QuantizeLinear, to y of the scale's
    type or `output_dtype`."""
    x = small_types.widened(ctx, ctx.value(node.input(0)))
    parts, scale, zero = _with_parameters(node, ctx, x)
    if x.dtype == FLOAT32:
        if node.input(2):
            parts = kernels.binary(ctx, BinaryType.SUBTRACT, parts, zero)
        y = kernels.binary(ctx, BinaryType.MULTIPLY, parts, scale)
    else:
        y = kernels.dequantize(ctx, parts, scale, zero)
    ctx.define(node.output(0), _whole(y, x))


def _quantized_dtype(node: Node, zero: np.dtype | None) -> np.dtype | None:
    """The type of QuantizeLinear's result, by that of its zero point."""
    if node.input(2):
        return zero
    return dtype_of(node.attribute("output_dtype", 0) or onnx.TensorProto.UINT8)


def _with_parameters(node: Node, ctx: Lowering, x: Value) -> tuple[Value, Value, Value]:
    """`x`, with an axis of blocks cut in two, and scale and zero point, which broadcast with it."""
    scale = ctx.value(node.input(1))
    zero = Value.constant(np.zeros(scale.shape, np.int32))
    if node.input(2):
        zero = small_types.widened(ctx, ctx.value(node.input(2)))
    if zero.shape != scale.shape and zero.size * scale.size != 1:
        raise ValueError(f"scales {scale.shape} and zero points {zero.shape} differ in shape")
    if scale.size == 1:
        shape = (1,) * x.rank
        return x, ctx.reshape(scale, shape), ctx.reshape(zero, shape)
    axis = node.attribute("axis", 1) % x.rank
    block = node.attribute("block_size", 0)
    if block == 0:
        if scale.shape != x.shape[axis : axis + 1]:
            raise ValueError(f"there are {scale.shape} scales for axis {axis} of {x.shape}")
        shape = tuple(extent if a == axis else 1 for a, extent in enumerate(x.shape))
        return x, ctx.reshape(scale, shape), ctx.reshape(zero, shape)
    blocks = -(-x.shape[axis] // block)
    if scale.shape != (*x.shape[:axis], blocks, *x.shape[axis + 1 :]):
        raise ValueError(f"there are {scale.shape} scales for blocks of {block} in {x.shape}")
    scale, zero = (ctx.arrange(value, x.order) for value in (scale, zero))
    if x.shape[axis] % block:
        return x, _repeated(ctx, scale, axis, block, x), _repeated(ctx, zero, axis, block, x)
    return (
        _split(x, axis, block),
        _split(scale, axis, 1),
        _split(zero, axis, 1),
    )


def _split(x: Value, axis: int, block: int) -> Value:
    """An axis seen as two: of blocks, and within them."""
    shape = (*x.shape[:axis], x.shape[axis] // block, block, *x.shape[axis + 1 :])
    order: list[int] = []
    for a in x.order:
        order += [axis, axis + 1] if a == axis else [a + (a > axis)]
    return x.viewed(shape, tuple(order))


def _whole(y: Value, x: Value) -> Value:
    """What was made of `x`, or of its blocks, in its shape."""
    return y if y.shape == x.shape else y.viewed(x.shape, x.order)


def _repeated(ctx: Lowering, scale: Value, axis: int, block: int, x: Value) -> Value:
    """The scales of blocks, the last of which is cut short, for each element."""
    counts = [block if a == axis else 1 for a in range(x.rank)]
    repeated = kernels.repeat(ctx, scale, counts, whole=False)
    return kernels.cut(ctx, repeated, [slice(extent) for extent in x.shape])
