"""DeformConv."""

from __future__ import annotations

import math

import numpy as np

from pyxnn.engine import BinaryType, CoordinateType, PaddingType, SampleType
from pyxnn.graph import Graph, Node
from pyxnn.xnnpack import kernels
from pyxnn.xnnpack.kernels import Slide, Window
from pyxnn.xnnpack.lowering import Lowering
from pyxnn.xnnpack.ops import conditions, windows
from pyxnn.xnnpack.ops.convolution import is_constant, over_axes
from pyxnn.xnnpack.registry import register
from pyxnn.xnnpack.values import Value


def supports_deform_conv(node: Node, graph: Graph) -> str | None:
    """Images of two axes."""
    return conditions.floating(node, graph) or conditions.rank(node, graph, 0, 4)


@register("DeformConv", supports=supports_deform_conv, clamps=True)
def lower_deform_conv(node: Node, ctx: Lowering) -> None:
    """DeformConv (opsets 19, 22): X (N, C, H, W), W (M, C/group, kH, kW), offset (N, offset_group * kH * kW * 2, oH, oW), B
    (M), mask (N, offset_group * kH * kW, oH, oW) to Y (N, M, oH, oW).

    Each tap of each window is sampled where its offset says. The taps of a window lie side by side then: a convolution by as
    many columns is left.
    """
    x, offset = ctx.value(node.input(0)), ctx.value(node.input(2))
    names = node.input(1), node.input(3)
    weights = ctx.value(names[0])
    outputs, *_, tap_height, tap_width = weights.shape
    groups, parts = node.attribute("group", 1), node.attribute("offset_group", 1)
    slides, _ = windows.slides(node, x.shape[2:], (tap_height, tap_width))
    height, width = (slide.out_extent for slide in slides)
    taps = tap_height * tap_width
    batch, channels = x.shape[:2]
    if (
        channels != weights.shape[1] * groups
        or channels % parts
        or offset.shape != (batch, parts * taps * 2, height, width)
    ):
        raise ValueError(
            f"weights {weights.shape} and offset {offset.shape} don't fit an input {x.shape}"
        )
    offsets = ctx.reshape(offset, (batch, parts, taps, 2, height, width))
    masks = None
    if node.input(4):
        masks = ctx.reshape(ctx.value(node.input(4)), (batch, parts, taps, height, width))
    whole, own = slice(None), channels // parts
    sampled = []
    for part in range(parts):
        image = kernels.cut(ctx, x, [whole, slice(part * own, (part + 1) * own), whole, whole])
        here = [whole, slice(part, part + 1), whole]
        backwards = slice(None, None, -1)  # a grid names the last axis first
        moved = kernels.cut(ctx, offsets, [*here, backwards, whole, whole])
        moved = ctx.reshape(moved, (batch, taps, 2, height, width)).permuted((0, 3, 4, 1, 2))
        grid = kernels.binary(ctx, BinaryType.ADD, moved, _places(slides))
        pixels = kernels.grid_sample(
            ctx,
            image,
            ctx.reshape(grid, (batch, height, width * taps, 2)),
            SampleType.SAMPLE_LINEAR,
            PaddingType.PADDING_ZEROS,
            CoordinateType.COORDINATES_PIXELS,
        )
        if masks is not None:
            mask = ctx.reshape(
                kernels.cut(ctx, masks, [*here, whole, whole]), (batch, taps, height, width)
            )
            mask = ctx.reshape(mask.permuted((0, 2, 3, 1)), (batch, 1, height, width * taps))
            pixels = kernels.binary(ctx, BinaryType.MULTIPLY, pixels, mask)
        sampled.append(pixels)
    columns = sampled[0] if parts == 1 else kernels.concat(ctx, sampled, 1)
    if not is_constant(ctx, *names):
        steps = [Slide(height, height, 1), Slide(width * taps, width, taps, taps)]
        ctx.define(node.output(0), over_axes(ctx, columns, steps, groups, *names))
        return
    kernel = ctx.weights(names[0]).reshape(groups, outputs // groups, -1, 1, taps)
    output = kernels.convolution(
        ctx,
        columns,
        Window((1, taps), (1, taps), (1, 1), (0, 0), (0, 0)),
        np.moveaxis(kernel, 2, 4),
        ctx.constant(names[1]),
        ctx.weights_key(*names),
        ctx.bounds,
    )
    ctx.define(node.output(0), output)


def _places(slides: list[Slide]) -> Value:
    """Where the taps of windows are without offsets, column first: (1, height, width, taps, 2)."""
    rows, columns = (
        slide.offset
        + slide.stride * np.arange(slide.out_extent)[:, None]
        + slide.dilation * np.arange(slide.kernel)
        for slide in slides
    )
    shape = (len(rows), len(columns), rows.shape[1], columns.shape[1])
    pair = [
        np.broadcast_to(columns[None, :, None, :], shape),
        np.broadcast_to(rows[:, None, :, None], shape),
    ]
    places = np.stack(pair, axis=-1).astype(np.float32)
    return Value.constant(places.reshape(1, *shape[:2], math.prod(shape[2:]), 2))
