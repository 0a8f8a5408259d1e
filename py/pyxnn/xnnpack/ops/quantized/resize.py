"""Weighted sums of neighbours on integers; the nearest pixels are moved numbers (see `passes.move_integers`)."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np

from pyxnn.graph import Graph, Node
from pyxnn.quantization import Quantization
from pyxnn.xnnpack import kernels, sampling
from pyxnn.xnnpack.lowering import Lowering
from pyxnn.xnnpack.ops import resize
from pyxnn.xnnpack.ops.quantized import conditions, operands
from pyxnn.xnnpack.registry import quantized
from pyxnn.xnnpack.sampling import Axis
from pyxnn.xnnpack.values import Quantized, Value

_PIXELS = {2: [(0, 1)], 4: [(2, 3), (1, 2)]}
"""By the rank of a tensor, the axes of pixels."""


def supports_resize(node: Node, graph: Graph, target: Quantization) -> str | None:
    """Modes linear and cubic."""
    if node.attribute("mode", "nearest") == "nearest":
        return "its mode is 'nearest'"
    return conditions.activation(node, graph)


def _pixels(node: Node, x: Value, axes: Collection[int]) -> tuple[int, ...]:
    """The two axes along which onnxruntime adds up neighbours at once, though one be as long as before; none if it doesn't."""
    if node.attributes["mode"] == "linear" and not node.attribute("antialias", 0):
        for pixels in _PIXELS.get(x.rank, ()):
            if set(axes) <= set(pixels):
                return pixels
    return ()


@quantized("Resize", supports=supports_resize)
def lower_resize(node: Node, ctx: Lowering, target: Quantization) -> None:
    """Resize (opsets 11 to 19) of int8 X, as on floats."""
    integers, source = ctx.quantized(node.input(0))
    limits = operands.limits(target, ctx.bounds)

    def resample(x: Value, axes: Mapping[int, Axis], at: Mapping[int, np.ndarray]) -> Value:
        if not axes:
            every = np.arange(256, dtype=np.uint8).view(np.int8)
            return kernels.lookup(ctx, x, target.integers(source.numbers(every)))
        taps = {
            axis: sampling.pairs(at.get(axis, np.arange(x.shape[axis])), x.shape[axis])
            for axis in _pixels(node, x, axes)
        } or resize.neighbours(node, axes, at)
        return kernels.resample_qs8(ctx, Quantized(x, source), taps, float(target.scale), limits)

    fill = target.integer(node.attribute("extrapolation_value", 0.0))
    ctx.define(node.output(0), resize.resized(node, ctx, integers, resample, fill))
