"""Softmax and its kin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyxnn.engine import Kind, SoftmaxType
from pyxnn.quantization import Quantization
from pyxnn.xnnpack import layout
from pyxnn.xnnpack.kernels.nest import along
from pyxnn.xnnpack.values import Quantized, Value

if TYPE_CHECKING:
    from pyxnn.xnnpack.lowering import Lowering


def softmax(ctx: Lowering, type: SoftmaxType, x: Value, axis: int) -> Value:
    """The softmax along an axis, or one of its kin."""
    outer, length, inner = along(x, axis)
    strides = [length * inner] * 2
    output = ctx.new(x.shape, x.order)
    return ctx.step(Kind.SOFTMAX, [type], [outer, length, inner, *strides], [x], output)


def softmax_qs8(
    ctx: Lowering,
    type: SoftmaxType,
    x: Quantized,
    axis: int,
    target: Quantization,
    limits: tuple[int, int, int],
) -> Value:
    """The softmax of an int8 tensor along an axis, or its logarithm, as int8.

    Args:
        type: not HARDMAX.
        target: what the result's integers stand for.
        limits: the zero point of the result, and bounds of its integers.
    """
    integers = ctx.arrange(x.integers, layout.axis_last(x.integers.order, axis))
    params = [type, float(x.quantization.scale), 1 / float(target.scale), *limits]
    length = integers.shape[axis]
    dims = [integers.size // max(length, 1), length]
    output = ctx.new(integers.shape, integers.order, integers.dtype)
    return ctx.step(Kind.SOFTMAX_QS8, params, dims, [integers], output)
