"""ConvTranspose."""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import replace
from itertools import product

import numpy as np

from pyxnn.graph import Graph, Node
from pyxnn.xnnpack import kernels, layout
from pyxnn.xnnpack.kernels import Window
from pyxnn.xnnpack.lowering import Lowering
from pyxnn.xnnpack.ops import conditions, windows
from pyxnn.xnnpack.ops.convolution import bias_of, is_constant, supports_conv
from pyxnn.xnnpack.registry import register
from pyxnn.xnnpack.values import Value


@register("ConvTranspose", supports=supports_conv, clamps=True)
def lower_conv_transpose(node: Node, ctx: Lowering) -> None:
    """ConvTranspose (opsets 1 to 22): X (N, C, [[D,] H,] W), W (C, M/group, [[kD,] kH,] kW), B (M) to Y (N, M, [[oD,] oH,] oW)."""
    x = ctx.value(node.input(0))
    weights = ctx.value(node.input(1))
    if x.rank != weights.rank or x.shape[1] != weights.shape[0]:
        raise ValueError(f"weights {weights.shape} don't fit an input {x.shape}")
    if is_constant(ctx, *node.inputs[1:]) and x.rank < 5:
        ctx.define(node.output(0), _by_xnnpack(node, ctx, x))
        return
    groups = node.attribute("group", 1)
    output = _by_phases(
        node,
        ctx,
        x,
        groups,
        ctx.array(node.input(1)) if is_constant(ctx, *node.inputs[1:]) else ctx.row_major(weights),
        bias_of(ctx, node.input(1), node.input(2), groups * weights.shape[1]),
        ctx.weights_key(*node.inputs[1:]),
    )
    ctx.define(node.output(0), output)


def _by_phases(
    node: Node,
    ctx: Lowering,
    x: Value,
    groups: int,
    weights: np.ndarray | Value,
    bias: np.ndarray | Value | None,
    key: Hashable,
) -> Value:
    """Convolutions of which each makes the pixels at one phase of the strides, by the taps that reach these."""
    phases, extents = windows.phases(node, x.shape[2:], weights.shape[2:])
    x = ctx.arrange(x, layout.channels_last(x.rank))
    output = ctx.new((x.shape[0], groups * weights.shape[1], *extents), x.order)
    batch, _, *steps = layout.strides(output.shape, output.order)
    strides = node.attribute("strides") or [1] * len(extents)
    for phase in product(*phases):
        first = sum(step * axis.first for step, axis in zip(steps, phase, strict=True))
        shape = (*output.shape[:2], *(axis.slide.out_extent for axis in phase))
        kernels.convolution_nd(
            ctx,
            x,
            [axis.slide for axis in phase],
            _taps(ctx, weights, groups, [axis.taps for axis in phase]),
            bias,
            (key, *(str(axis.taps) for axis in phase)),
            replace(output, shape=shape, offset=first * output.dtype.itemsize),
            [batch, *(step * stride for step, stride in zip(steps, strides, strict=True))],
            ctx.bounds,
        )
    return output


def _taps(
    ctx: Lowering, weights: np.ndarray | Value, groups: int, taps: list[slice]
) -> np.ndarray | Value:
    """Some of the weights: [groups, output channels of a group, taps, input channels of a group]."""
    parts = [slice(None), slice(None), *taps]
    channels = weights.shape[0] // groups
    if isinstance(weights, np.ndarray):
        array = weights[tuple(parts)]
        return np.moveaxis(array.reshape(groups, channels, *array.shape[1:]), 1, -1)
    part = ctx.row_major(kernels.cut(ctx, weights, parts))
    shape = (groups, channels, *part.shape[1:])
    order = layout.axis_last(layout.row_major(len(shape)), 1)
    grouped = ctx.arrange(part.viewed(shape, layout.row_major(len(shape))), order)
    return grouped.viewed(grouped.physical, layout.row_major(len(shape)))


def _by_xnnpack(node: Node, ctx: Lowering, x: Value) -> Value:
    weights = ctx.weights(node.input(1))
    groups = node.attribute("group", 1)
    window, pixels, extents = windows.place_transposed(node, x.shape[2:], weights.shape[2:])
    if any(pixels):
        x = kernels.pad_pixels(ctx, x, Window((1, 1), (1, 1), (1, 1), (0, 0), pixels), 0.0)
    grouped = weights.reshape(groups, weights.shape[0] // groups, weights.shape[1], *window.kernel)
    output = kernels.deconvolution(
        ctx,
        x,
        window,
        np.moveaxis(grouped, 1, 4),
        ctx.constant(node.input(2)),
        ctx.weights_key(*node.inputs[1:]),
        ctx.bounds,
    )
    return kernels.cut(ctx, output, [slice(None), slice(None), *map(slice, extents)])


def supports_col2im(node: Node, graph: Graph) -> str | None:
    """Images of one, two or three axes."""
    shape = graph.shape(node.input(1))
    if shape is None or shape[0] not in range(1, 1 + kernels.MAX_SLIDES):
        return "its image has not 1, 2 or 3 axes"
    return conditions.floating(node, graph, [0])


@register("Col2Im", supports=supports_col2im, planned=(1, 2))
def lower_col2im(node: Node, ctx: Lowering) -> None:
    """Col2Im (opset 18): input (N, C * taps, L), image_shape, block_shape to the sum of the blocks, (N, C, ...).

    A ConvTranspose: each of its input channels is added to one pixel of the window.
    """
    x = ctx.value(node.input(0))
    image, block = (ctx.array(name).reshape(-1).tolist() for name in node.inputs[1:])
    taps = math.prod(block)
    channels = x.shape[1] // taps
    slides, _ = windows.slides(node, tuple(image), block)
    counts = [slide.out_extent for slide in slides]
    if x.shape[1:] != (channels * taps, math.prod(counts)):
        raise ValueError(f"{x.shape} does not hold blocks of {block} of an image of {image}")
    blocks = ctx.reshape(x, (x.shape[0], x.shape[1], *counts))
    each = np.tile(np.eye(taps, dtype=np.float32), (channels, 1))
    weights = each.reshape(channels * taps, 1, *block)
    output = _by_phases(node, ctx, blocks, channels, weights, None, ("Col2Im", *block))
    missing = [(0, e - have) for e, have in zip(image, output.shape[2:], strict=True)]
    ctx.define(node.output(0), kernels.pad(ctx, output, [(0, 0), (0, 0), *missing]))
