"""Conv."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from pyxnn.graph import Graph, Node
from pyxnn.xnnpack import kernels, layout
from pyxnn.xnnpack.kernels import Slide, Window
from pyxnn.xnnpack.lowering import Lowering
from pyxnn.xnnpack.ops import conditions, windows
from pyxnn.xnnpack.registry import register
from pyxnn.xnnpack.values import Value

LEAST_CHANNELS, LEAST_PIXELS = 16, 25
"""Of a group and of an image: fewer aren't worth the transforms of minimal filtering, or read its larger weights in vain."""


def supports_conv(node: Node, graph: Graph) -> str | None:
    """Windows over one, two or three axes."""
    weights = graph.constant(node.input(1))
    if weights is not None and weights.size == 0:
        return f"weights '{node.input(1)}' have no elements"
    return conditions.floating(node, graph) or windows.supports(node, graph, 1)


@register("Conv", supports=supports_conv, clamps=True)
def lower_conv(node: Node, ctx: Lowering) -> None:
    """Conv (opsets 1 to 22): X (N, C, [[D,] H,] W), W (M, C/group, [[kD,] kH,] kW), B (M) to Y (N, M, [[oD,] oH,] oW)."""
    x = ctx.value(node.input(0))
    weights = ctx.value(node.input(1))
    groups = node.attribute("group", 1)
    if x.rank != weights.rank or x.shape[1] != weights.shape[1] * groups:
        raise ValueError(f"weights {weights.shape} in {groups} groups don't fit an input {x.shape}")
    if is_constant(ctx, *node.inputs[1:]) and x.rank < 5:
        ctx.define(node.output(0), _over_image(node, ctx, x))
        return
    slides, _ = windows.slides(node, x.shape[2:], weights.shape[2:])
    ctx.define(node.output(0), over_axes(ctx, x, slides, groups, node.input(1), node.input(2)))


def over_axes(
    ctx: Lowering, x: Value, slides: Sequence[Slide], groups: int, weights: str, bias: str
) -> Value:
    """The convolution by windows over up to three axes, with weights (M, C/group, ...) and bias (M) or "", constant or computed."""
    w = ctx.value(weights)
    x = ctx.arrange(x, layout.channels_last(x.rank))
    extents = (slide.out_extent for slide in slides)
    output = ctx.new((x.shape[0], w.shape[0], *extents), x.order)
    batch, _, *steps = layout.strides(output.shape, output.order)
    kernel: np.ndarray | Value
    if is_constant(ctx, weights, bias):
        array = ctx.weights(weights)
        kernel = np.moveaxis(array.reshape(groups, -1, *array.shape[1:]), 2, -1)
    else:
        w = ctx.arrange(w, layout.channels_last(w.rank))
        shape = (groups, w.shape[0] // groups, *w.physical[1:])
        kernel = w.viewed(shape, layout.row_major(len(shape)))
    kernels.convolution_nd(
        ctx,
        x,
        slides,
        kernel,
        bias_of(ctx, weights, bias, w.shape[0]),
        ctx.weights_key(weights, bias),
        output,
        [batch, *steps],
        ctx.bounds,
    )
    return output


def is_constant(ctx: Lowering, *names: str) -> bool:
    """Whether weights and bias are, or absent."""
    return all(ctx.constant(name) is not None for name in filter(None, names))


def bias_of(ctx: Lowering, weights: str, bias: str, channels: int) -> np.ndarray | Value | None:
    """The bias as the kernel takes it, constant or computed as weights and bias together are."""
    if is_constant(ctx, weights, bias):
        return ctx.constant(bias)
    if bias:
        return ctx.row_major(ctx.value(bias))
    return Value.constant(np.zeros(channels, np.float32))


def _over_image(node: Node, ctx: Lowering, x: Value) -> Value:
    """The convolution over one axis or two, with constant weights."""
    weights = ctx.weights(node.input(1))
    groups = node.attribute("group", 1)
    window = windows.place(node, x.shape[2:], weights.shape[2:])
    grouped = weights.reshape(groups, -1, weights.shape[1], *window.kernel)
    pixels = _pixels(node, ctx, window)
    return kernels.convolution(
        ctx,
        x,
        window,
        np.moveaxis(grouped, 2, 4),
        ctx.constant(node.input(2)),
        ctx.weights_key(*node.inputs[1:]),
        ctx.bounds,
        minimal=_is_minimal_faster(window, weights.shape[0] // groups, weights.shape[1], pixels),
    )


def _pixels(node: Node, ctx: Lowering, window: Window) -> int | None:
    """Of the output, if the model says so: the same for all plans, as they share the weights that the first has packed."""
    shape = ctx.static_shape(node.input(0))
    return None if shape is None else math.prod(window.extents(shape[2:]))


def _is_minimal_faster(window: Window, outputs: int, inputs: int, pixels: int | None) -> bool:
    """Whether minimal filtering beats direct sums, as measured in Chromium.

    Args:
        window: that slides over the image.
        outputs: channels of a group.
        inputs: channels of a group.
        pixels: of an output image; None for those of any number, which are thought of as many.
    """
    return (
        window.has_minimal_filter
        and LEAST_CHANNELS <= inputs <= kernels.MOST_MINIMAL_CHANNELS
        and outputs >= LEAST_CHANNELS
        and (pixels is None or pixels >= LEAST_PIXELS)
    )
