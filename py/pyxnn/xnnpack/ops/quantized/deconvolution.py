"""ConvTranspose on integers: a convolution that makes, of each pixel of the image, as many of the output as the strides say."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from pyxnn.graph import Graph, Node
from pyxnn.quantization import Quantization
from pyxnn.xnnpack import kernels, layout
from pyxnn.xnnpack.kernels import Channels, Window
from pyxnn.xnnpack.lowering import Lowering
from pyxnn.xnnpack.ops import windows
from pyxnn.xnnpack.ops.quantized import conditions, operands
from pyxnn.xnnpack.registry import quantized
from pyxnn.xnnpack.values import Value


def supports_conv_transpose(node: Node, graph: Graph, target: Quantization) -> str | None:
    """Constant weights, in all or by output channel; windows over one or two axes, without dilation."""
    reason = (
        conditions.activation(node, graph)
        or conditions.weights(node, graph, 1, axis=1)
        or conditions.bias(node, graph, 2)
        or windows.supports(node, graph, 1)
        or conditions.multipliers(node, graph, target)
    )
    if reason is None and any(step > 1 for step in node.attribute("dilations", [])):
        reason = "its window is dilated"
    if reason is None and graph.rank(node.input(1)) == 5:
        reason = "its windows are over three axes"
    return reason


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
    def of(image: int, kernel: int, stride: int, cropped: int, extent: int) -> _Axis:
        """The one that an axis of a ConvTranspose needs.

        Args:
            image, kernel: extents.
            stride: pixels of the output from one of the image to the next.
            cropped: pixels that are taken off before the output.
            extent: of the output.
        """
        taps = math.ceil(kernel / stride)
        skipped = min(cropped // stride, taps - 1)
        after = max(math.ceil((cropped + extent) / stride) - image, 0)
        return _Axis(taps, stride, taps - 1 - skipped, after, cropped - skipped * stride)


@quantized("ConvTranspose", supports=supports_conv_transpose)
def lower_conv_transpose(node: Node, ctx: Lowering, target: Quantization) -> None:
    """ConvTranspose (opsets 1 to 22) of int8 X (N, C, [H,] W), W (C, M/group, [kH,] kW) and int32 B (M)."""
    x, source = ctx.quantized(node.input(0))
    weights, kernel = operands.weights(ctx, node.input(1))
    groups = node.attribute("group", 1)
    if x.rank != weights.ndim or x.shape[1] != weights.shape[0]:
        raise ValueError(f"weights {weights.shape} don't fit an input {x.shape}")
    placed, _, extents = windows.place_transposed(node, x.shape[2:], weights.shape[2:])
    rank = x.rank - 2
    image, sizes = (1, *x.shape[2:])[-2:], (1, *weights.shape[2:])[-2:]
    wanted = (1, *extents)[-2:]
    axes = [
        _Axis.of(*axis)
        for axis in zip(image, sizes, placed.strides, placed.before, wanted, strict=True)
    ]
    window = Window(
        (axes[0].taps, axes[1].taps),
        (1, 1),
        (1, 1),
        (axes[0].before, axes[1].before),
        (axes[0].after, axes[1].after),
    )
    of_group = weights.shape[1]
    channels = operands.channels(ctx, source, kernel, node.input(2), target, groups * of_group)
    zeros = np.tile(kernel.zero_point, of_group // kernel.zero_point.size)
    by_pixel = math.prod(axis.stride for axis in axes)
    output = kernels.convolution_qs8(
        ctx,
        x,
        window,
        _by_pixels(weights.reshape(*weights.shape[:2], *sizes), groups, axes, zeros),
        _repeated(channels, groups, by_pixel),
        node.output(0),
        operands.requantization(source, target, ctx.bounds),
    )
    pixels = _side_by_side(ctx, output, groups, axes[-rank:])
    parts = [
        slice(axis.first, axis.first + extent)
        for axis, extent in zip(axes[-rank:], extents, strict=True)
    ]
    ctx.define(node.output(0), kernels.cut(ctx, pixels, [slice(None), slice(None), *parts]))


def _by_pixels(
    weights: np.ndarray, groups: int, axes: list[_Axis], zeros: np.ndarray
) -> np.ndarray:
    """Weights [C, M/group, height, width] as [group, pixels of the output and its channels, taps, channels of a group].

    Tap t makes pixel p of the weight stride * (taps - 1 - t) + p; where there is none, of the zero point of the channel.
    """
    channels, of_group, *sizes = weights.shape
    (high, high_stride, *_), (wide, wide_stride, *_) = axes
    whole = np.empty((channels, of_group, high * high_stride, wide * wide_stride), np.int8)
    whole[:] = zeros[:, None, None]
    whole[:, :, : sizes[0], : sizes[1]] = weights
    parts = whole.reshape(
        groups, channels // groups, of_group, high, high_stride, wide, wide_stride
    )[:, :, :, ::-1, :, ::-1]
    moved = parts.transpose(0, 4, 6, 2, 3, 5, 1)
    return moved.reshape(groups, -1, high, wide, channels // groups)


def _repeated(channels: Channels, groups: int, times: int) -> Channels:
    """What belongs to channels of groups, for each pixel that a window makes."""

    def repeated(array: np.ndarray) -> np.ndarray:
        return np.repeat(array.reshape(groups, 1, -1), times, axis=1).reshape(-1)

    multipliers, bias, zeros = channels
    return Channels(
        repeated(multipliers), None if bias is None else repeated(bias), repeated(zeros)
    )


def _side_by_side(ctx: Lowering, x: Value, groups: int, axes: list[_Axis]) -> Value:
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
