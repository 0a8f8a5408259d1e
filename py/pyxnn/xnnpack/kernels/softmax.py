"""Softmax and its kin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyxnn.engine import Kind, SoftmaxType
from pyxnn.xnnpack.kernels.nest import along
from pyxnn.xnnpack.values import Value

if TYPE_CHECKING:
    from pyxnn.xnnpack.lowering import Lowering


def softmax(ctx: Lowering, type: SoftmaxType, x: Value, axis: int) -> Value:
    """The softmax along an axis, or one of its kin: by XNNPACK where the axis is the innermost."""
    output = ctx.new(x.shape, x.order)
    outer, channels, inner = along(x, axis)
    if type == SoftmaxType.SOFTMAX_ITSELF and inner == 1:
        return ctx.step(Kind.SOFTMAX, [], [outer, channels, channels, channels], [x], output)
    return ctx.step(Kind.AXIS_SOFTMAX, [type], [outer, channels, inner], [x], output)
