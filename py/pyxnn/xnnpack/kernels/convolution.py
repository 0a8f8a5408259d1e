"""Convolutions, transposed ones, and those with computed weights."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from pyxnn.engine import Kind
from pyxnn.xnnpack import layout
from pyxnn.xnnpack.fusion import Bounds
from pyxnn.xnnpack.kernels.windows import MAX_SLIDES, STILL, Slide, Window, image_words
from pyxnn.xnnpack.layout import Shape
from pyxnn.xnnpack.values import Value

if TYPE_CHECKING:
    from pyxnn.xnnpack.lowering import Lowering


MOST_MINIMAL_CHANNELS = 1536
"""Input channels of a group that the engine's minimal filtering has room for."""


def convolution(
    ctx: Lowering,
    x: Value,
    window: Window,
    kernel: np.ndarray,
    bias: np.ndarray | None,
    key: Hashable,
    bounds: Bounds,
    *,
    minimal: bool = False,
) -> Value:
    """2-D convolution; of a rank-3 `x`, 1-D.

    Args:
        x: (N, C, ...).
        kernel: [groups, output channels of a group, height, width, input channels of a group].
        bias: [output channels] or None.
        minimal: by Winograd's minimal filtering, for a window that has one (`Window.has_minimal_filter`) and at most
            MOST_MINIMAL_CHANNELS input channels of a group.
    """
    groups, outputs = kernel.shape[:2]
    shape = window.output_shape(x.shape, groups * outputs)
    if kernel.shape[1] == kernel.shape[4] == 1 and window.has_depthwise_kernel:
        x = ctx.arrange(x, layout.channels_last(x.rank))
        params = [*window.kernel, *window.strides, groups, *bounds]
        dims = [*image_words(x, window), groups, groups]
        output = ctx.new(shape, x.order)
        return ctx.step(
            Kind.DEPTHWISE, params, dims, [x], output, kernel=kernel, bias=bias, key=key
        )
    kind = Kind.WINOGRAD if minimal else Kind.CONVOLUTION
    return _convolution(ctx, kind, x, window, kernel, bias, key, bounds, shape)


def deconvolution(
    ctx: Lowering,
    x: Value,
    window: Window,
    kernel: np.ndarray,
    bias: np.ndarray | None,
    key: Hashable,
    bounds: Bounds,
) -> Value:
    """2-D transposed convolution; of a rank-3 `x`, 1-D.

    The arguments are those of `convolution`; the window's padding is taken off the output, which must not be smaller than
    the strides.
    """
    extents = window.transposed_extents(x.shape[2:])
    shape = (x.shape[0], kernel.shape[0] * kernel.shape[1], *extents[4 - x.rank :])
    return _convolution(ctx, Kind.DECONVOLUTION, x, window, kernel, bias, key, bounds, shape)


def _convolution(
    ctx: Lowering,
    kind: Kind,
    x: Value,
    window: Window,
    kernel: np.ndarray,
    bias: np.ndarray | None,
    key: Hashable,
    bounds: Bounds,
    shape: Shape,
) -> Value:
    """The step of a kind whose parameters are those of CONVOLUTION, for an output of a shape."""
    x = ctx.arrange(x, layout.channels_last(x.rank))
    groups, outputs, inputs = kernel.shape[0], kernel.shape[1], kernel.shape[4]
    params = [*window.words, groups, inputs, outputs, int(window.may_pad), *bounds]
    dims = [*image_words(x, window), groups * inputs, groups * outputs]
    output = ctx.new(shape, x.order)
    return ctx.step(kind, params, dims, [x], output, kernel=kernel, bias=bias, key=key)


def convolution_nd(
    ctx: Lowering,
    x: Value,
    slides: Sequence[Slide],
    kernel: np.ndarray | Value,
    bias: np.ndarray | Value | None,
    key: Hashable,
    output: Value,
    steps: Sequence[int],
    bounds: Bounds,
) -> None:
    """Convolution over the axes of (N, C, ...), of which there may be three, with weights that are constant or computed.

    Args:
        x: channels last.
        kernel: [groups, output channels of a group, taps along each axis, input channels of a group].
        bias: [output channels], constant or computed as the kernel is; None only for a constant one.
        output: where the first pixel goes.
        steps: by axis, batch first, floats from one pixel of the output to the next.
    """
    missing = MAX_SLIDES - len(slides)
    out_steps = [0] * missing + list(steps[1:])
    axes = zip([STILL] * missing + list(slides), out_steps, strict=True)
    words = [word for slide, step in axes for word in (*slide, step)]
    shape = kernel.shape
    params = [math.prod(shape[2:-1]), shape[0], shape[-1], shape[1], *bounds]
    dims = [x.shape[0], steps[0], *words]
    if isinstance(kernel, Value):
        assert isinstance(bias, Value)
        ctx.step(Kind.CONVOLUTION_COMPUTED, params, dims, [x, kernel, bias], output)
        return
    assert not isinstance(bias, Value)
    ctx.step(
        Kind.CONVOLUTION_ND, params, dims, [x], output, kernel=kernel, bias=bias, key=(key, shape)
    )
