"""Products of int8 numbers, summed exactly and brought back to int8."""

from __future__ import annotations

import math
from collections.abc import Hashable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pyxnn.engine import Kind
from pyxnn.xnnpack import layout
from pyxnn.xnnpack.kernels.movement import expand
from pyxnn.xnnpack.kernels.windows import Window, image_words
from pyxnn.xnnpack.layout import Shape
from pyxnn.xnnpack.values import Value

if TYPE_CHECKING:
    from pyxnn.xnnpack.lowering import Lowering

INT8 = np.dtype(np.int8)


class Requantization(NamedTuple):
    """How sums become int8 numbers, but for what belongs to channels.

    Attributes:
        in_zero: the input's zero point.
        out_zero: the output's.
        min, max: bounds of the output's integers.
    """

    in_zero: int
    out_zero: int
    min: int = -128
    max: int = 127


class Channels(NamedTuple):
    """What belongs to output channels.

    Attributes:
        multipliers: float32 [output channels]: what a sum is multiplied with before it is rounded.
        bias: int32 [output channels] or None.
        zeros: the zero point of the weights of each, or of all.
    """

    multipliers: np.ndarray
    bias: np.ndarray | None
    zeros: np.ndarray

    @property
    def packed(self) -> np.ndarray:
        """The second weights array of quantized kinds."""
        count = self.multipliers.size
        bias = np.zeros(count, np.int32) if self.bias is None else self.bias
        zeros = np.broadcast_to(self.zeros.astype(np.int32), count)
        return np.concatenate([bias, self.multipliers.view(np.int32), zeros])


def convolution_qs8(
    ctx: Lowering,
    x: Value,
    window: Window,
    kernel: np.ndarray,
    channels: Channels,
    key: Hashable,
    requantization: Requantization,
) -> Value:
    """2-D convolution; of a rank-3 `x`, 1-D. Padding counts as the input's zero point.

    Args:
        x: int8 (N, C, ...).
        kernel: int8 [groups, output channels of a group, height, width, input channels of a group].
        channels: what belongs to the output's.
        key: tells kernel and channels apart from those of other steps.
    """
    x = ctx.arrange(x, layout.channels_last(x.rank))
    groups, outputs, inputs = kernel.shape[0], kernel.shape[1], kernel.shape[4]
    output = ctx.new(window.output_shape(x.shape, groups * outputs), x.order, INT8)
    if inputs == outputs == 1:
        return ctx.step(
            Kind.DEPTHWISE_QS8,
            [*window.words, groups, *requantization],
            [*image_words(x, window), groups, groups],
            [x],
            output,
            kernel=kernel,
            bias=channels.packed,
            key=key,
        )
    params = [*window.words, groups, inputs, outputs, int(window.may_pad), *requantization]
    minimal = window.has_minimal_filter and _is_minimal_faster(inputs, outputs)
    return ctx.step(
        Kind.WINOGRAD_QS8 if minimal else Kind.CONVOLUTION_QS8,
        params,
        [*image_words(x, window), groups * inputs, groups * outputs],
        [x],
        output,
        kernel=kernel,
        bias=channels.packed,
        key=key,
    )


def _is_minimal_faster(inputs: int, outputs: int) -> bool:
    """Whether minimal filtering has a kernel for so many channels of a group, and beats direct sums."""
    return inputs in range(16, 897, 8) and outputs >= 16


def fully_connected_qs8(
    ctx: Lowering,
    x: Value,
    kernel: np.ndarray,
    channels: Channels,
    key: Hashable,
    requantization: Requantization,
    *,
    transposed: bool,
) -> Value:
    """The product of int8 `x` [..., k] with constant weights, [k, n] if transposed, else [n, k], plus bias [n].

    Channels and key are those of `convolution_qs8`.
    """
    x = ctx.arrange(x, layout.axis_last(x.order, x.rank - 1))
    k, n = kernel.shape if transposed else kernel.shape[::-1]
    if x.shape[-1] != k:
        raise ValueError(f"{x.shape[-1]} columns can't be multiplied with {k} rows")
    output = ctx.new((*x.shape[:-1], n), x.order, INT8)
    return ctx.step(
        Kind.FULLY_CONNECTED_QS8,
        [k, n, *requantization, int(transposed)],
        [math.prod(x.shape[:-1]), k, n],
        [x],
        output,
        kernel=kernel,
        bias=channels.packed,
        key=key,
    )


_BATCH_AXES = 2
"""Of those that the kernel goes through."""


def batch_matmul_qs8(
    ctx: Lowering,
    a: Value,
    b: Value,
    b_zero: int,
    multiplier: float,
    requantization: Requantization,
) -> Value:
    """The product of int8 `a` [..., m, k] and `b` [..., k, n], both of rank 2 at least, their batches broadcast.

    It lies as `a` does, where its batch is that of `a`: heads that lie within rows do so again.

    Args:
        b_zero: the zero point of `b`.
        multiplier: what a sum is multiplied with before it is rounded.
    """
    rank = max(a.rank, b.rank)
    a, b = a.expanded(rank), b.expanded(rank)
    (m, k), n = a.shape[-2:], b.shape[-1]
    if b.shape[-2] != k:
        raise ValueError(f"{k} columns can't be multiplied with {b.shape[-2]} rows")
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    if k == 0:
        nothing = np.clip(requantization.out_zero, requantization.min, requantization.max)
        return Value.constant(np.full((*batch, m, n), nothing, INT8))
    a = ctx.arrange(a, layout.axis_last(a.order, rank - 1))
    axes, output = _batch(ctx, a, b, (*batch, m, n))
    if len(axes) > _BATCH_AXES:
        a, b = (ctx.row_major(expand(ctx, x, (*batch, *x.shape[-2:]))) for x in (a, b))
        axes, output = _batch(ctx, a, b, (*batch, m, n))
    extents, a_steps, b_steps, steps = zip(
        *[(1, 0, 0, 0)] * (_BATCH_AXES - len(axes)), *axes, strict=True
    )
    a_row, b_row, b_column, row = (
        layout.strides(x.shape, x.order)[axis]
        for x, axis in ((a, -2), (b, -2), (b, -1), (output, -2))
    )
    return ctx.step(
        Kind.BATCH_MATMUL_QS8,
        [*requantization, b_zero, float(multiplier)],
        [*extents, m, k, n, *a_steps, a_row, *b_steps, b_row, b_column, *steps, row],
        [a, b],
        output,
    )


def _batch(ctx: Lowering, a: Value, b: Value, shape: Shape) -> tuple[list[layout.Axis], Value]:
    """The way through a batch of products, and their tensor of a shape."""
    is_broadcast = a.shape[:-2] != shape[:-2]
    output = ctx.new(shape, layout.row_major(len(shape)) if is_broadcast else a.order, INT8)
    strides = (
        [
            0 if extent == 1 else step
            for extent, step in zip(x.shape, layout.strides(x.shape, x.order), strict=True)
        ]
        for x in (a, b, output)
    )
    axes = list(zip(shape, *strides, strict=True))[:-2]
    return [axis for axis in layout.fold_axes(axes, 3) if axis[0] != 1], output
