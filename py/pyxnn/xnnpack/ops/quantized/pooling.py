"""Means of windows on integers; maxima are moved numbers (see `passes.move_integers`)."""

from __future__ import annotations

import math

from pyxnn.graph import Graph, Node
from pyxnn.quantization import Quantization
from pyxnn.xnnpack import kernels
from pyxnn.xnnpack.lowering import Lowering
from pyxnn.xnnpack.ops import windows
from pyxnn.xnnpack.ops.quantized import conditions, operands
from pyxnn.xnnpack.registry import quantized

_MOST_TAPS = 1 << 23
"""Sums of more bytes don't fit 32 bits."""


def supports_average_pool(node: Node, graph: Graph, target: Quantization) -> str | None:
    """Windows of up to 2^23 pixels over one, two or three axes."""
    reason = conditions.activation(node, graph) or windows.supports(node, graph)
    if reason is None and math.prod(node.attributes["kernel_shape"]) > _MOST_TAPS:
        reason = f"its window has more than {_MOST_TAPS} pixels"
    return reason


@quantized("AveragePool", supports=supports_average_pool)
def lower_average_pool(node: Node, ctx: Lowering, target: Quantization) -> None:
    """AveragePool (opsets 7 to 22) of int8 X (N, C, [[D,] H,] W)."""
    x = ctx.quantized(node.input(0))
    kernel = node.attributes["kernel_shape"]
    slides, padding = windows.slides(node, x.integers.shape[2:], kernel)
    counted = padding if node.attribute("count_include_pad", 0) else ()
    factor = float(x.quantization.scale / target.scale)
    limits = operands.limits(target, ctx.bounds)
    ctx.define(node.output(0), kernels.mean_pool_qs8(ctx, x, slides, factor, limits, counted))
