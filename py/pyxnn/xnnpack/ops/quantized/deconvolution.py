"""ConvTranspose on integers: a convolution that makes, of each pixel of the image, as many of the output as the strides say."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pyxnn.graph import Graph, Node
from pyxnn.quantization import Quantization
from pyxnn.xnnpack import kernels, layout
from pyxnn.xnnpack.kernels import Channels, Slide, Window
from pyxnn.xnnpack.lowering import Lowering
from pyxnn.xnnpack.ops import windows
from pyxnn.xnnpack.ops.quantized import conditions, convolution, operands
from pyxnn.xnnpack.ops.windows import Cropping
from pyxnn.xnnpack.registry import quantized
from pyxnn.xnnpack.values import Value


def supports_conv_transpose(node: Node, graph: Graph, target: Quantization) -> str | None:
    """Constant weights, in all or by output channel; windows over up to three axes."""
    return (
        conditions.activation(node, graph)
        or conditions.weights(node, graph, 1, axis=1)
        or conditions.bias(node, graph, 2)
        or windows.supports(node, graph, 1)
        or conditions.multipliers(node, graph, target)
    )


class _Axis(NamedTuple):
    """Along one axis, the convolution whose window k makes the pixels from stride * k on of the output.

    Attributes:
        taps: of its window.
        stride: pixels of the output by window.
        before, after: pixels around the image.
        first: the first pixel that is wanted.
    """

    taps: int
    stride: int
    before: int
    after: int
    first: int

    @staticmethod
    def of(image: int, reach: int, cropping: Cropping) -> _Axis:
        """The one that an axis of a ConvTranspose needs, whose window spans `reach` pixels."""
        taps = math.ceil(reach / cropping.stride)
        skipped = min(cropping.before // cropping.stride, taps - 1)
        windows_wanted = math.ceil((cropping.before + cropping.extent) / cropping.stride)
        return _Axis(
            taps,
            cropping.stride,
            taps - 1 - skipped,
            max(windows_wanted - image, 0),
            cropping.before - skipped * cropping.stride,
        )


_STILL = _Axis(1, 1, 0, 0, 0)


@quantized("ConvTranspose", supports=supports_conv_transpose)
def lower_conv_transpose(node: Node, ctx: Lowering, target: Quantization) -> None:
    """ConvTranspose (opsets 1 to 22) of int8 X (N, C, [[D,] H,] W), W (C, M/group, [[kD,] kH,] kW) and int32 B (M)."""
    x, source = ctx.quantized(node.input(0))
    weights, kernel = operands.weights(ctx, node.input(1))
    groups = node.attribute("group", 1)
    if x.rank != weights.ndim or x.shape[1] != weights.shape[0]:
        raise ValueError(f"weights {weights.shape} don't fit an input {x.shape}")
    rank, of_group = x.rank - 2, weights.shape[1]
    image, taps = x.shape[2:], weights.shape[2:]
    dilations = node.attribute("dilations") or [1] * rank
    croppings = windows.croppings(node, image, taps)
    axes = [
        _Axis.of(extent, dilation * (count - 1) + 1, cropping)
        for extent, count, dilation, cropping in zip(image, taps, dilations, croppings, strict=True)
    ]
    channels = operands.channels(ctx, source, kernel, node.input(2), target, groups * of_group)
    zeros = np.tile(kernel.zero_point, of_group // kernel.zero_point.size)
    by_pixel = _by_pixels(weights, dilations, groups, axes, zeros)
    repeated = _repeated(channels, groups, math.prod(axis.stride for axis in axes))
    if rank == 3:
        slides = [
            Slide(
                extent,
                extent + axis.before + axis.after - axis.taps + 1,
                axis.taps,
                offset=-axis.before,
            )
            for extent, axis in zip(image, axes, strict=True)
        ]
        output = convolution.over_volumes(
            ctx, x, source, slides, by_pixel, repeated, node.output(0), target
        )
    else:
        high, wide = [_STILL] * (2 - rank) + axes
        window = Window(
            (high.taps, wide.taps),
            (1, 1),
            (1, 1),
            (high.before, wide.before),
            (high.after, wide.after),
        )
        output = kernels.convolution_qs8(
            ctx,
            x,
            window,
            by_pixel.reshape(*by_pixel.shape[:2], *window.kernel, -1),
            repeated,
            node.output(0),
            operands.requantization(source, target, ctx.bounds),
        )
    pixels = _side_by_side(ctx, output, groups, axes)
    parts = [
        slice(axis.first, axis.first + cropping.extent)
        for axis, cropping in zip(axes, croppings, strict=True)
    ]
    ctx.define(node.output(0), kernels.cut(ctx, pixels, [slice(None), slice(None), *parts]))


def _by_pixels(
    weights: np.ndarray,
    dilations: Sequence[int],
    groups: int,
    axes: Sequence[_Axis],
    zeros: np.ndarray,
) -> np.ndarray:
    """Weights [C, M/group, taps along each axis] as [group, pixels of the output and its channels, taps, channels of a group].

    Tap t makes pixel p of the weight stride * (taps - 1 - t) + p; where there is none, of the zero point of the channel.
    """
    channels, of_group, *counts = weights.shape
    rank = len(axes)
    whole = np.empty((channels, of_group, *(axis.taps * axis.stride for axis in axes)), np.int8)
    whole[:] = zeros.reshape(-1, *[1] * rank)
    spread = (
        slice(0, dilation * (count - 1) + 1, dilation)
        for count, dilation in zip(counts, dilations, strict=True)
    )
    whole[:, :, *spread] = weights
    steps = (extent for axis in axes for extent in (axis.taps, axis.stride))
    parts = whole.reshape(groups, channels // groups, of_group, *steps)
    of_taps, of_pixels = range(3, 3 + 2 * rank, 2), range(4, 4 + 2 * rank, 2)
    moved = np.flip(parts, tuple(of_taps)).transpose(0, *of_pixels, 2, *of_taps, 1)
    return moved.reshape(groups, -1, *(axis.taps for axis in axes), channels // groups)


def _repeated(channels: Channels, groups: int, times: int) -> Channels:
    """What belongs to channels of groups, for each pixel that a window makes."""

    def repeated(array: np.ndarray) -> np.ndarray:
        return np.repeat(array.reshape(groups, 1, -1), times, axis=1).reshape(-1)

    multipliers, bias, zeros = channels
    return Channels(
        repeated(multipliers), None if bias is None else repeated(bias), repeated(zeros)
    )


def _side_by_side(ctx: Lowering, x: Value, groups: int, axes: Sequence[_Axis]) -> Value:
    """(N, pixels of all groups and their channels, ...) with the pixels where they belong, channels last."""
    batch, channels, *places = x.shape
    strides = [axis.stride for axis in axes]
    of_group = channels // groups // math.prod(strides)
    parts = ctx.reshape(x, (batch, groups, *strides, of_group, *places))
    rank = len(axes)
    steps = [axis for place in range(rank) for axis in (3 + rank + place, 2 + place)]
    arranged = ctx.arrange(parts, (0, *steps, 1, 2 + rank))
    extents = [count * stride for count, stride in zip(places, strides, strict=True)]
    return arranged.viewed((batch, groups * of_group, *extents), layout.channels_last(2 + rank))
