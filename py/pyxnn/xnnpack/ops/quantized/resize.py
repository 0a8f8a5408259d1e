"""Weighted sums of neighbours on integers; the nearest pixels are moved numbers (see `passes.move_integers`)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pyxnn.graph import Graph, Node
from pyxnn.quantization import Quantization
from pyxnn.xnnpack import kernels
from pyxnn.xnnpack.kernels import Taps
from pyxnn.xnnpack.lowering import Lowering
from pyxnn.xnnpack.ops import resize
from pyxnn.xnnpack.ops.quantized import conditions, operands
from pyxnn.xnnpack.registry import quantized
from pyxnn.xnnpack.values import Quantized, Value


def supports_resize(node: Node, graph: Graph, target: Quantization) -> str | None:
    """Modes linear and cubic."""
    if node.attribute("mode", "nearest") == "nearest":
        return "its mode is 'nearest'"
    return conditions.activation(node, graph)


@quantized("Resize", supports=supports_resize)
def lower_resize(node: Node, ctx: Lowering, target: Quantization) -> None:
    """Resize (opsets 11 to 19) of int8 X, as on floats."""
    integers, source = ctx.quantized(node.input(0))
    limits = operands.limits(target, ctx.bounds)

    def resample(x: Value, taps: Mapping[int, Taps]) -> Value:
        if not taps:
            every = np.arange(256, dtype=np.uint8).view(np.int8)
            return kernels.lookup(ctx, x, target.integers(source.numbers(every)))
        return kernels.resample_qs8(ctx, Quantized(x, source), taps, float(target.scale), limits)

    fill = target.integer(node.attribute("extrapolation_value", 0.0))
    ctx.define(node.output(0), resize.resized(node, ctx, integers, resample, fill))
