"""ConvTranspose."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np

from pyxnn.graph import Node
from pyxnn.xnnpack import kernels, layout
from pyxnn.xnnpack.kernels import Window
from pyxnn.xnnpack.lowering import Lowering
from pyxnn.xnnpack.ops import windows
from pyxnn.xnnpack.ops.convolution import bias_of, is_constant, supports_conv
from pyxnn.xnnpack.ops.windows import Phase
from pyxnn.xnnpack.registry import register
from pyxnn.xnnpack.values import Value


@register("ConvTranspose", supports=supports_conv, clamps=True)
def lower_conv_transpose(node: Node, ctx: Lowering) -> None:
    """ConvTranspose (opsets 1 to 22): X (N, C, [[D,] H,] W), W (C, M/group, [[kD,] kH,] kW), B (M) to Y (N, M, [[oD,] oH,] oW)."""
    x = ctx.value(node.input(0))
    weights = ctx.value(node.input(1))
    if x.rank != weights.rank or x.shape[1] != weights.shape[0]:
        raise ValueError(f"weights {weights.shape} don't fit an input {x.shape}")
    if is_constant(node, ctx) and x.rank < 5:
        ctx.define(node.output(0), _by_xnnpack(node, ctx, x))
        return
    phases, extents = windows.phases(node, x.shape[2:], weights.shape[2:])
    groups = node.attribute("group", 1)
    x = ctx.arrange(x, layout.channels_last(x.rank))
    output = ctx.new((x.shape[0], groups * weights.shape[1], *extents), x.order)
    batch, _, *steps = layout.strides(output.shape, output.order)
    strides = node.attribute("strides") or [1] * len(extents)
    bias = bias_of(node, ctx, output.shape[1])
    for phase in product(*phases):
        first = sum(step * axis.first for step, axis in zip(steps, phase, strict=True))
        shape = (*output.shape[:2], *(axis.slide.out_extent for axis in phase))
        kernels.convolution_nd(
            ctx,
            x,
            [axis.slide for axis in phase],
            groups,
            _taps(node, ctx, weights, groups, phase),
            bias,
            (ctx.weights_key(*node.inputs[1:]), *(str(axis.taps) for axis in phase)),
            replace(output, shape=shape, offset=first * output.dtype.itemsize),
            [batch, *(step * stride for step, stride in zip(steps, strides, strict=True))],
            ctx.bounds,
        )
    ctx.define(node.output(0), output)


def _taps(
    node: Node, ctx: Lowering, weights: Value, groups: int, phase: tuple[Phase, ...]
) -> np.ndarray | Value:
    """The weights of a phase: [groups, output channels of a group, taps, input channels of a group]."""
    parts = [slice(None), slice(None), *(axis.taps for axis in phase)]
    channels = weights.shape[0] // groups
    if is_constant(node, ctx):
        array = ctx.array(node.input(1))[tuple(parts)]
        return np.moveaxis(array.reshape(groups, channels, *array.shape[1:]), 1, -1)
    part = ctx.row_major(kernels.cut(ctx, ctx.row_major(weights), parts))
    shape = (groups, channels, *part.shape[1:])
    order = layout.axis_last(layout.row_major(len(shape)), 1)
    grouped = ctx.arrange(part.viewed(shape, layout.row_major(len(shape))), order)
    return grouped.viewed(grouped.physical, layout.row_major(len(shape)))


def _by_xnnpack(node: Node, ctx: Lowering, x: Value) -> Value:
    weights = ctx.array(node.input(1))
    groups = node.attribute("group", 1)
    window, pixels, extents = windows.place_transposed(node, x.shape[2:], weights.shape[2:])
    if any(pixels):
        x = kernels.pad_pixels(ctx, x, Window((1, 1), (1, 1), (1, 1), (0, 0), pixels), 0.0)
    grouped = weights.reshape(groups, weights.shape[0] // groups, weights.shape[1], *window.kernel)
    output = kernels.deconvolution(
        ctx,
        x,
        window,
        groups,
        np.moveaxis(grouped, 1, 4),
        ctx.constant(node.input(2)),
        ctx.weights_key(*node.inputs[1:]),
        ctx.bounds,
    )
    return kernels.cut(ctx, output, [slice(None), slice(None), *map(slice, extents)])
