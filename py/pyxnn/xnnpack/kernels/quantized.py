"""Products of int8 numbers with constant weights, summed exactly and brought back to int8."""

from __future__ import annotations

import math
from collections.abc import Hashable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pyxnn.engine import Kind
from pyxnn.xnnpack import layout
from pyxnn.xnnpack.kernels.windows import Window, image_words
from pyxnn.xnnpack.layout import Shape
from pyxnn.xnnpack.values import Value

if TYPE_CHECKING:
    from pyxnn.xnnpack.lowering import Lowering

INT8 = np.dtype(np.int8)


class Requantization(NamedTuple):
    """How sums become int8 numbers, but for the multipliers of channels.

    Attributes:
        in_zero: the input's zero point.
        kernel_zero: the weights'.
        out_zero: the output's.
        min, max: bounds of the output's integers.
    """

    in_zero: int
    kernel_zero: int
    out_zero: int
    min: int = -128
    max: int = 127

    @property
    def words(self) -> list[int]:
        return [number & 0xFFFFFFFF for number in self]


def convolution_qs8(
    ctx: Lowering,
    x: Value,
    window: Window,
    groups: int,
    kernel: np.ndarray,
    bias: np.ndarray | None,
    multipliers: np.ndarray,
    key: Hashable,
    shape: Shape,
    requantization: Requantization,
) -> Value:
    """2-D convolution; of a rank-3 `x`, 1-D. Padding counts as the input's zero point.

    Args:
        x: int8 (N, C, ...).
        kernel: int8 [groups, output channels of a group, height, width, input channels of a group].
        bias: int32 [output channels] or None.
        multipliers: float32 [output channels]: what a sum is multiplied with before it is rounded.
        key: tells kernel, bias and multipliers apart from those of other steps.
        shape: of the output.
    """
    if kernel.shape[1] == kernel.shape[4] == 1:
        x = ctx.arrange(x, layout.channels_last(x.rank))
        return ctx.step(
            Kind.DEPTHWISE_QS8,
            [*window.words, groups, *requantization.words],
            [*image_words(x, window), groups, groups],
            [x],
            ctx.new(shape, x.order, INT8),
            kernel=kernel,
            bias=_per_channel(bias, multipliers),
            key=key,
        )
    return _convolution(
        ctx,
        Kind.CONVOLUTION_QS8,
        x,
        window,
        groups,
        kernel,
        _per_channel(bias, multipliers),
        key,
        shape,
        requantization,
    )


def deconvolution_qs8(
    ctx: Lowering,
    x: Value,
    window: Window,
    groups: int,
    kernel: np.ndarray,
    bias: np.ndarray | None,
    multipliers: np.ndarray,
    key: Hashable,
    requantization: Requantization,
) -> Value:
    """2-D transposed convolution; of a rank-3 `x`, 1-D.

    The arguments are those of `convolution_qs8`, multipliers in (0, 256) and weights whose zero point is 0; for the window see
    `deconvolution`.
    """
    extents = window.transposed_extents(x.shape[2:])
    return _convolution(
        ctx,
        Kind.DECONVOLUTION_QS8,
        x,
        window,
        groups,
        kernel,
        _per_channel(bias, multipliers),
        key,
        (x.shape[0], groups * kernel.shape[1], *extents[4 - x.rank :]),
        requantization,
    )


def _convolution(
    ctx: Lowering,
    kind: Kind,
    x: Value,
    window: Window,
    groups: int,
    kernel: np.ndarray,
    per_channel: np.ndarray,
    key: Hashable,
    shape: Shape,
    requantization: Requantization,
) -> Value:
    x = ctx.arrange(x, layout.channels_last(x.rank))
    group_channels = kernel.shape[4], kernel.shape[1]
    channels = groups * group_channels[0], groups * group_channels[1]
    params = [*window.words, groups, *group_channels, int(window.may_pad), *requantization.words]
    dims = [*image_words(x, window), *channels]
    output = ctx.new(shape, x.order, INT8)
    return ctx.step(kind, params, dims, [x], output, kernel=kernel, bias=per_channel, key=key)


def fully_connected_qs8(
    ctx: Lowering,
    x: Value,
    kernel: np.ndarray,
    bias: np.ndarray | None,
    multipliers: np.ndarray,
    key: Hashable,
    requantization: Requantization,
    *,
    transposed: bool,
) -> Value:
    """The product of int8 `x` [..., k] with constant weights, [k, n] if transposed, else [n, k], plus bias [n].

    Bias, multipliers and key are those of `convolution_qs8`.
    """
    x = ctx.arrange(x, layout.axis_last(x.order, x.rank - 1))
    k, n = kernel.shape if transposed else kernel.shape[::-1]
    if x.shape[-1] != k:
        raise ValueError(f"{x.shape[-1]} columns can't be multiplied with {k} rows")
    output = ctx.new((*x.shape[:-1], n), x.order, INT8)
    return ctx.step(
        Kind.FULLY_CONNECTED_QS8,
        [k, n, *requantization.words, int(transposed)],
        [math.prod(x.shape[:-1]), k, n],
        [x],
        output,
        kernel=kernel,
        bias=_per_channel(bias, multipliers),
        key=key,
    )


def _per_channel(bias: np.ndarray | None, multipliers: np.ndarray) -> np.ndarray:
    """The second weights array of quantized kinds."""
    if bias is None:
        bias = np.zeros(multipliers.size, np.int32)
    return np.concatenate([bias, multipliers.view(np.int32)])
