"""QuantizeLinear and DequantizeLinear."""

from __future__ import annotations

import numpy as np
import onnx

from pyxnn.graph import Graph, Node
from pyxnn.tensor_types import dtype_of
from pyxnn.xnnpack import kernels
from pyxnn.xnnpack.lowering import Lowering
from pyxnn.xnnpack.ops import conditions
from pyxnn.xnnpack.registry import register
from pyxnn.xnnpack.values import Value

_INTEGERS = {np.dtype(name) for name in ("int8", "uint8", "int16", "uint16")}
"""What floats are quantized to."""

_NARROW = {
    dtype_of(type): (np.dtype(name), limits)
    for type, name, limits in (
        (onnx.TensorProto.INT4, "int8", (-8, 7)),
        (onnx.TensorProto.UINT4, "uint8", (0, 15)),
        (onnx.TensorProto.INT2, "int8", (-2, 1)),
        (onnx.TensorProto.UINT2, "uint8", (0, 3)),
    )
}
"""Integers of less than a byte: the type that they are computed in, the least and the greatest."""


def supports_quantize(node: Node, graph: Graph) -> str | None:
    """To integers of 2 to 16 bits."""
    reason = conditions.floating(node, graph, [0, 1])
    dtype = _quantized_dtype(node, graph.dtype(node.input(2)))
    if reason is None and dtype not in _INTEGERS and dtype not in _NARROW:
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
    if dtype in _NARROW:
        working, limits = _NARROW[dtype]
        y = kernels.quantize(ctx, parts, scale, zero, working, limits)
        y = kernels.lookup(ctx, y, _all_bytes(working).astype(dtype))
    else:
        y = kernels.quantize(ctx, parts, scale, zero, dtype)
    ctx.define(node.output(0), _whole(y, x))


def supports_dequantize(node: Node, graph: Graph) -> str | None:
    """Of int32 and integers of 2 to 16 bits."""
    dtype = graph.dtype(node.input(0))
    if dtype not in {*_INTEGERS, *_NARROW, np.dtype(np.int32)}:
        return f"input '{node.input(0)}' is {dtype}, not an integer that is dequantized"
    return conditions.floating(node, graph, [1])


@register("DequantizeLinear", supports=supports_dequantize)
def lower_dequantize(node: Node, ctx: Lowering) -> None:
    """DequantizeLinear (opsets 10 to 25): x of any shape, x_scale and x_zero_point as of QuantizeLinear, to y of the scale's
    type or `output_dtype`."""
    x = _in_bytes(ctx, ctx.value(node.input(0)))
    parts, scale, zero = _with_parameters(node, ctx, x)
    ctx.define(node.output(0), _whole(kernels.dequantize(ctx, parts, scale, zero), x))


def _quantized_dtype(node: Node, zero: np.dtype | None) -> np.dtype | None:
    """The type of QuantizeLinear's result, by that of its zero point."""
    if node.input(2):
        return zero
    return dtype_of(node.attribute("output_dtype", 0) or onnx.TensorProto.UINT8)


def _in_bytes(ctx: Lowering, x: Value) -> Value:
    """Integers of less than a byte in whole ones."""
    if x.dtype not in _NARROW:
        return x
    working, _ = _NARROW[x.dtype]
    if x.is_constant:
        return kernels.cast(ctx, x, working)
    return kernels.lookup(ctx, x, _all_bytes(x.dtype).astype(working))


def _all_bytes(dtype: np.dtype) -> np.ndarray:
    """All values that the bytes of a type have, in the order of their bits."""
    return np.arange(256, dtype=np.uint8).view(dtype)


def _with_parameters(node: Node, ctx: Lowering, x: Value) -> tuple[Value, Value, Value]:
    """`x`, with an axis of blocks cut in two, and scale and zero point, which broadcast with it."""
    scale = ctx.value(node.input(1))
    zero = Value.constant(np.zeros(scale.shape, np.int32))
    if node.input(2):
        zero = _in_bytes(ctx, ctx.value(node.input(2)))
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
