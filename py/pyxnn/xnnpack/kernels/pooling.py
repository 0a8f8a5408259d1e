"""Pooling over windows, and over regions that are computed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from pyxnn.engine import Kind, PoolType
from pyxnn.xnnpack import layout
from pyxnn.xnnpack.fusion import NO_BOUNDS, Bounds
from pyxnn.xnnpack.kernels.cast import element
from pyxnn.xnnpack.kernels.windows import MAX_SLIDES, STILL, Slide
from pyxnn.xnnpack.values import Quantized, Value

if TYPE_CHECKING:
    from pyxnn.xnnpack.lowering import Lowering


def pool(
    ctx: Lowering,
    type: PoolType,
    x: Value,
    slides: Sequence[Slide],
    bounds: Bounds = NO_BOUNDS,
    counted: Sequence[tuple[int, int]] = (),
    power: float = 0.0,
) -> Value:
    """Windows over the axes of (N, C, ...), of which there may be three.

    Args:
        x: float32; of a maximum also uint8 or int8.
        counted: by axis, how many pixels before and after the image count in a mean.
        power: of a norm.
    """
    x = ctx.arrange(x, layout.channels_last(x.rank))
    batch, channels = x.shape[:2]
    words = _slide_words(slides, counted)
    is_place = type in (PoolType.POOL_ARGMAX, PoolType.POOL_ARGMAX_COLUMN_MAJOR)
    shape = (batch, channels, *(slide.out_extent for slide in slides))
    output = ctx.new(shape, x.order, np.dtype(np.int64) if is_place else x.dtype)
    if x.dtype.kind != "f":
        bounds = bounds.then(Bounds(*map(float, (np.iinfo(x.dtype).min, np.iinfo(x.dtype).max))))
    params = [type, element(x.dtype), float(power), *bounds]
    return ctx.step(Kind.POOL, params, [batch, *[channels] * 3, *words], [x], output)


def mean_pool_qs8(
    ctx: Lowering,
    x: Quantized,
    slides: Sequence[Slide],
    factor: float,
    limits: tuple[int, int, int],
    counted: Sequence[tuple[int, int]] = (),
) -> Value:
    """The means of windows over the axes of int8 (N, C, ...), of which there may be three.

    Args:
        factor: the scale of the input over that of the result.
        limits: the zero point of the result, and bounds of its integers.
        counted: as `pool` has it.
    """
    integers = ctx.arrange(x.integers, layout.channels_last(x.integers.rank))
    shape = (*integers.shape[:2], *(slide.out_extent for slide in slides))
    params = [int(x.quantization.zero_point), factor, *limits]
    dims = [*shape[:2], *_slide_words(slides, counted)]
    output = ctx.new(shape, integers.order, integers.dtype)
    return ctx.step(Kind.MEAN_POOL_QS8, params, dims, [integers], output)


def _slide_words(slides: Sequence[Slide], counted: Sequence[tuple[int, int]]) -> list[int]:
    """For each of three axes how the window slides, and how many pixels beyond the image count."""
    missing = MAX_SLIDES - len(slides)
    beyond = [(0, 0)] * missing + list(counted or [(0, 0)] * len(slides))
    axes = zip([STILL] * missing + list(slides), beyond, strict=True)
    return [word for slide, pair in axes for word in (*slide, *pair)]


def roi_align(
    ctx: Lowering,
    x: Value,
    regions: Value,
    images: Value,
    extents: tuple[int, int],
    sampling_ratio: int,
    scale: float,
    *,
    is_maximum: bool,
    is_half_pixel: bool,
) -> Value:
    """Regions of (N, C, H, W) resampled to (regions, C, *extents).

    Args:
        regions: (regions, 4), left, top, right and bottom.
        images: (regions), int32.
        sampling_ratio: places along each axis of a bin, one for each pixel for 0.
    """
    params = [int(is_maximum), int(is_half_pixel), sampling_ratio, scale]
    return _regions(ctx, Kind.ROI_ALIGN, params, x, [regions, images], extents)


def roi_pool(
    ctx: Lowering, x: Value, regions: Value, extents: tuple[int, int], scale: float
) -> Value:
    """The maxima of regions of (N, C, H, W): (regions, C, *extents).

    Args:
        regions: (regions, 5), the number of the image, left, top, right and bottom.
    """
    return _regions(ctx, Kind.ROI_POOL, [scale], x, [regions], extents)


def _regions(
    ctx: Lowering,
    kind: Kind,
    params: Sequence[int | float],
    x: Value,
    regions: Sequence[Value],
    extents: tuple[int, int],
) -> Value:
    x = ctx.arrange(x, layout.channels_last(x.rank))
    batch, channels, height, width = x.shape
    count = regions[0].shape[0]
    output = ctx.new((count, channels, *extents), x.order)
    dims = [batch, channels, height, width, count, *extents]
    return ctx.step(kind, params, dims, [x, *map(ctx.row_major, regions)], output)
