"""Pooling over windows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from pyxnn.engine import Kind, PoolType
from pyxnn.xnnpack import layout
from pyxnn.xnnpack.fusion import NO_BOUNDS, Bounds
from pyxnn.xnnpack.kernels.cast import element
from pyxnn.xnnpack.kernels.windows import MAX_SLIDES, STILL, Slide
from pyxnn.xnnpack.values import Value

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
    missing = MAX_SLIDES - len(slides)
    beyond = [(0, 0)] * missing + list(counted or [(0, 0)] * len(slides))
    axes = zip([STILL] * missing + list(slides), beyond, strict=True)
    words = [word for slide, pair in axes for word in (*slide.words, *pair)]
    is_place = type in (PoolType.POOL_ARGMAX, PoolType.POOL_ARGMAX_COLUMN_MAJOR)
    shape = (batch, channels, *(slide.out_extent for slide in slides))
    output = ctx.new(shape, x.order, np.dtype(np.int64) if is_place else x.dtype)
    if x.dtype.kind != "f":
        bounds = bounds.then(Bounds(*map(float, (np.iinfo(x.dtype).min, np.iinfo(x.dtype).max))))
    params = [type, element(x.dtype), float(power), *bounds]
    return ctx.step(Kind.POOL, params, [batch, *[channels] * 3, *words], [x], output)
