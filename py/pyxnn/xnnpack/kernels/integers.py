"""Products of bytes, summed exactly, and how floats become such by their own range."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pyxnn.engine import Kind
from pyxnn.xnnpack import layout
from pyxnn.xnnpack.fusion import NO_BOUNDS, Bounds
from pyxnn.xnnpack.kernels.windows import MAX_SLIDES, STILL, Slide
from pyxnn.xnnpack.values import FLOAT32, Value

if TYPE_CHECKING:
    from pyxnn.xnnpack.lowering import Lowering

INT32, UINT8 = np.dtype(np.int32), np.dtype(np.uint8)


def dynamic_quantize(ctx: Lowering, x: Value) -> tuple[Value, Value, Value]:
    """`x` as uint8 by its own range, the scale and the zero point."""
    begin = -(-x.size // 4) * 4
    block = ctx.new((begin + 5,), (0,), UINT8)
    ctx.step(Kind.DYNAMIC_QUANTIZE, [], [x.size], [x], block)
    scale = Value((), (), block.source, begin, FLOAT32)
    zero = Value((), (), block.source, begin + 4, UINT8)
    return replace(block, shape=x.shape, order=x.order), scale, zero


class Scaling(NamedTuple):
    """How sums become floats.

    Attributes:
        scales: what each is multiplied with: one for all, or one for each output channel.
        bias: what is then added to those of each channel, float32 [channels].
        bounds: of the result.
        addend: what is added before that, float32 of the result's shape; None for nothing.
    """

    scales: Value
    bias: np.ndarray
    bounds: Bounds
    addend: Value | None = None


class Weights(NamedTuple):
    """What bytes are multiplied with.

    Attributes:
        kernel: int8 or uint8 [groups, output channels of a group, taps along each axis, input channels of a group], constant
            or computed.
        zeros: the zero point of each output channel, or one for all; constant or computed as the kernel is, and of its type.
        key: tells the weights apart from others.
    """

    kernel: np.ndarray | Value
    zeros: np.ndarray | Value
    key: Hashable


def convolution_integer(
    ctx: Lowering,
    x: Value,
    x_zero: Value,
    slides: Sequence[Slide],
    weights: Weights,
    scaling: Scaling | None,
) -> Value:
    """Convolution of the bytes (N, C, ...), less a zero point, to int32, or floats if they are scaled.

    There may be three axes. Sums with computed weights can't be scaled.
    """
    x = ctx.arrange(x, layout.channels_last(x.rank))
    groups, channels = weights.kernel.shape[:2]
    extents = (slide.out_extent for slide in slides)
    dtype = INT32 if scaling is None else FLOAT32
    output = ctx.new((x.shape[0], groups * channels, *extents), x.order, dtype)
    steps = x.shape[1] // groups, x.shape[1], channels, groups * channels
    return _step(ctx, x, x_zero, x.shape[0], steps, slides, weights, scaling, output)


def matmul_integer(
    ctx: Lowering,
    a: Value,
    a_zeros: Value,
    weights: Weights,
    shape: layout.Shape,
    scaling: Scaling | None,
) -> Value:
    """The product of the bytes `a`, less their zero points, with a matrix for each batch, or one for all.

    Args:
        a: [..., m, k]; with several matrices, row-major.
        a_zeros: one for all, or one for each row.
        weights: the kernel is [batch, n, 1, k].
        shape: [..., m, n].
    """
    a = ctx.arrange(a, layout.axis_last(a.order, a.rank - 1))
    batch, n, _, k = weights.kernel.shape
    rows = math.prod(shape[:-1]) // batch
    output = ctx.new(shape, a.order, INT32 if scaling is None else FLOAT32)
    slides = [Slide(rows, rows, 1)]
    steps = rows * k, k, rows * n, n
    return _step(ctx, a, a_zeros, 1, steps, slides, weights, scaling, output)


def _step(
    ctx: Lowering,
    x: Value,
    x_zeros: Value,
    batch: int,
    steps: tuple[int, int, int, int],
    slides: Sequence[Slide],
    weights: Weights,
    scaling: Scaling | None,
    output: Value,
) -> Value:
    kernel, zeros, key = weights
    groups, out_channels, *taps, in_channels = kernel.shape
    all_slides = [STILL] * (MAX_SLIDES - len(slides)) + list(slides)
    bounds = NO_BOUNDS if scaling is None else scaling.bounds
    is_scaled = int(scaling is not None)
    signs = [int(dtype.kind == "i") for dtype in (x.dtype, kernel.dtype)]
    addend = None if scaling is None else scaling.addend
    flags = [is_scaled, int(addend is not None)]
    params = [math.prod(taps), groups, in_channels, out_channels, *signs, *flags, *bounds]
    scale_step = 0 if scaling is None else int(scaling.scales.size > 1)
    zero_steps = [int(part.size > 1) for part in (x_zeros, zeros)]
    words = [word for slide in all_slides for word in slide]
    dims = [batch, *steps, *zero_steps, scale_step, *words]
    if isinstance(kernel, Value):
        assert isinstance(zeros, Value) and scaling is None
        inputs = [x, x_zeros, kernel, zeros]
        return ctx.step(Kind.CONVOLUTION_INTEGER_COMPUTED, params, dims, inputs, output)
    assert isinstance(zeros, np.ndarray)
    per_channel = [np.broadcast_to(zeros.reshape(-1), groups * out_channels).astype(np.int32)]
    if scaling is not None:
        per_channel.append(scaling.bias.astype(np.float32).view(np.int32))
    return ctx.step(
        Kind.CONVOLUTION_INTEGER,
        params,
        dims,
        [
            x,
            x_zeros,
            x_zeros if scaling is None else scaling.scales,
            x_zeros if addend is None else ctx.arrange(addend, output.order),
        ],
        output,
        kernel=kernel,
        bias=np.concatenate(per_channel),
        key=(key, kernel.shape),
    )
