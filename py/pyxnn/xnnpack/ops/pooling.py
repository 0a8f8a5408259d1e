"""MaxPool, AveragePool, GlobalMaxPool and GlobalAveragePool."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pyxnn.engine import BinaryType, Kind
from pyxnn.graph import Graph, Node
from pyxnn.xnnpack import kernels
from pyxnn.xnnpack.fusion import NO_BOUNDS, Bounds
from pyxnn.xnnpack.kernels import Window
from pyxnn.xnnpack.layout import Shape
from pyxnn.xnnpack.lowering import Lowering
from pyxnn.xnnpack.ops import conditions, windows
from pyxnn.xnnpack.ops.reduction import mean
from pyxnn.xnnpack.registry import register
from pyxnn.xnnpack.values import Value

_LOWEST = float(np.finfo(np.float32).min)
"""What a maximum begins with, in onnxruntime too."""


def supports_pool(node: Node, graph: Graph) -> str | None:
    if node.output(1):
        return "its output Indices is used"
    if max(node.attribute("pads") or [0]) >= max(node.attributes["kernel_shape"]):
        return "a pad is not smaller than the kernel"
    return (
        conditions.floating(node, graph)
        or conditions.rank(node, graph, 0, 3, 4)
        or windows.supports(node, graph)
    )


@register("MaxPool", supports=supports_pool, clamps=True)
def lower_max_pool(node: Node, ctx: Lowering) -> None:
    """MaxPool (opsets 8 to 22): X (N, C, [H,] W) to Y (N, C, [oH,] oW)."""
    x = ctx.value(node.input(0))
    window, _ = windows.place(node, x.shape[2:], node.attributes["kernel_shape"])
    shape = windows.output_shape(x.shape, x.shape[1], window)
    if max(window.dilations) > 1 and any((*window.before, *window.after)):
        # XNNPACK reads outside the image when a dilated window hangs over its edge.
        x = kernels.pad_pixels(ctx, x, window, _LOWEST)
        window = replace(window, before=(0, 0), after=(0, 0))
    if math.prod(window.kernel) == 1:
        output = _pick(ctx, x, window, shape)
    elif any(stride > k for stride, k in zip(window.strides, window.kernel, strict=True)):
        # XNNPACK wants no gaps between windows: it pools everywhere, and the pixels asked for are picked.
        dense = replace(window, strides=(1, 1))
        everywhere = windows.output_shape(x.shape, x.shape[1], dense)
        pooled = kernels.pool(ctx, Kind.MAX_POOL, x, dense, everywhere, NO_BOUNDS)
        output = _pick(ctx, pooled, replace(kernels.PIXEL, strides=window.strides), shape)
    else:
        output = kernels.pool(ctx, Kind.MAX_POOL, x, window, shape, ctx.bounds)
    ctx.define(node.output(0), output)


@register("AveragePool", supports=supports_pool, clamps=True)
def lower_average_pool(node: Node, ctx: Lowering) -> None:
    """AveragePool (opsets 7 to 22): X (N, C, [H,] W) to Y (N, C, [oH,] oW).

    XNNPACK divides by the number of pixels that a window has inside the image. With `count_include_pad` ONNX counts padding
    too, so what XNNPACK gives is multiplied by a map of ratios. Where XNNPACK can't pool, a depthwise convolution with ones
    adds up and the map divides.
    """
    x = ctx.value(node.input(0))
    window, overhang = windows.place(node, x.shape[2:], node.attributes["kernel_shape"])
    shape = windows.output_shape(x.shape, x.shape[1], window)
    if math.prod(window.kernel) == 1:
        ctx.define(node.output(0), _pick(ctx, x, window, shape))
        return
    image = (1, *x.shape[2:])[-2:]
    extents = window.extents(image)
    inside = _count(window, extents, (0, 0), image)
    counted = inside
    if node.attribute("count_include_pad", 0):
        before, after = window.before, window.after
        ends = [e + a - o for e, a, o in zip(image, after, overhang, strict=True)]
        counted = _count(window, extents, [-b for b in before], ends)
    if not _has_average_pool(window, extents):
        output = _depthwise_ones(ctx, x, window, shape, NO_BOUNDS)
        ratios = 1 / np.maximum(counted, 1)
    elif (inside == counted).all():
        output = kernels.pool(ctx, Kind.AVERAGE_POOL, x, window, shape, ctx.bounds)
        ctx.define(node.output(0), output)
        return
    else:
        output = kernels.pool(ctx, Kind.AVERAGE_POOL, x, window, shape, NO_BOUNDS)
        ratios = inside / counted
    factors = Value.constant(ratios.astype(np.float32).reshape(1, 1, *shape[2:]))
    output = kernels.binary(ctx, BinaryType.MULTIPLY, output, factors)
    ctx.define(node.output(0), kernels.clamp(ctx, output, ctx.bounds))


def _has_average_pool(window: Window, extents: tuple[int, int]) -> bool:
    """Whether XNNPACK averages rightly: no dilation, and between rows of windows that hang over the upper edge and rows that
    hang over the lower there is one that hangs over neither (else it mixes them up)."""
    over_upper, over_lower = (
        -(-padding[0] // window.strides[0]) for padding in (window.before, window.after)
    )
    return window.dilations == (1, 1) and over_upper + over_lower < extents[0]


def _count(
    window: Window, extents: Sequence[int], begins: Sequence[int], ends: Sequence[int]
) -> np.ndarray:
    """How many pixels of each window lie between `begins` and `ends`: an array of the output's (height, width)."""
    counts = []
    for axis in range(2):
        starts = np.arange(extents[axis]) * window.strides[axis] - window.before[axis]
        pixels = starts[:, None] + np.arange(window.kernel[axis]) * window.dilations[axis]
        counts.append(((pixels >= begins[axis]) & (pixels < ends[axis])).sum(axis=1))
    return np.outer(*counts)


def _pick(ctx: Lowering, x: Value, window: Window, shape: Shape) -> Value:
    """A pool of one pixel: XNNPACK has none, a depthwise convolution with one does it."""
    if window.is_identity:
        return kernels.clamp(ctx, x, ctx.bounds)
    return _depthwise_ones(ctx, x, window, shape, ctx.bounds)


def _depthwise_ones(ctx: Lowering, x: Value, window: Window, shape: Shape, bounds: Bounds) -> Value:
    """The sum over each window, by channel."""
    channels = x.shape[1]
    ones = np.ones((channels, 1, *window.kernel, 1), np.float32)
    return kernels.convolution(ctx, x, window, channels, ones, None, "ones", shape, bounds)


@register("GlobalAveragePool", supports=conditions.floating)
def lower_global_average_pool(node: Node, ctx: Lowering) -> None:
    """GlobalAveragePool (opsets 1, 22): X (N, C, ...) to Y (N, C, 1, ...)."""
    x = ctx.value(node.input(0))
    ctx.define(node.output(0), mean(ctx, x, range(2, x.rank)))


@register("GlobalMaxPool", supports=conditions.floating, clamps=True)
def lower_global_max_pool(node: Node, ctx: Lowering) -> None:
    """GlobalMaxPool (opsets 1, 22): X (N, C, ...) to Y (N, C, 1, ...)."""
    x = ctx.value(node.input(0))
    pixels = math.prod(x.shape[2:])
    shape = (*x.shape[:2], *[1] * (x.rank - 2))
    if pixels == 1:
        ctx.define(node.output(0), kernels.clamp(ctx, x, ctx.bounds))
        return
    signal = ctx.reshape(x, (*x.shape[:2], pixels))
    window = replace(kernels.PIXEL, kernel=(1, pixels))
    pooled = kernels.pool(ctx, Kind.MAX_POOL, signal, window, (*x.shape[:2], 1), ctx.bounds)
    ctx.define(node.output(0), ctx.reshape(pooled, shape))
