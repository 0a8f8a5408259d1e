"""Normalization by moments and across channels."""

from __future__ import annotations

import math
from collections.abc import Hashable
from typing import TYPE_CHECKING

import numpy as np

from pyxnn.engine import Kind, NormalizeType
from pyxnn.xnnpack import layout
from pyxnn.xnnpack.fusion import NO_BOUNDS, Bounds
from pyxnn.xnnpack.values import Quantized, Value

if TYPE_CHECKING:
    from pyxnn.xnnpack.lowering import Lowering


def normalize(
    ctx: Lowering,
    type: NormalizeType,
    x: Value,
    sizes: tuple[int, int, int, int],
    block: int,
    scale: Value,
    bias: Value,
    epsilon: float,
    bounds: Bounds = NO_BOUNDS,
) -> Value:
    """Normalization by moments, of a tensor that lies as [outer, positions, groups, depth], over positions and depth.

    Args:
        sizes: these four.
        block: how many elements of [groups, depth] that follow each other share an element of `scale` and `bias`.
        scale, bias: dense.
    """
    params = [type, float(epsilon), *bounds]
    inputs, output = [x, scale, bias], ctx.new(x.shape, x.order)
    return ctx.step(Kind.NORMALIZE, params, [*sizes, block], inputs, output)


def local_response(
    ctx: Lowering, x: Value, sides: tuple[int, int], alpha: float, beta: float, bias: float
) -> Value:
    """`x` (N, C, ...) / (bias + alpha * the sum of squares of the channels from `sides[0]` before to `sides[1]` behind) ^ beta."""
    if not x.has_order(layout.channels_last(x.rank)):
        x = ctx.row_major(x)
        sizes = [x.shape[0], x.shape[1], math.prod(x.shape[2:])]
    else:
        sizes = [x.size // max(x.shape[1], 1), x.shape[1], 1]
    params = [*sides, alpha, beta, bias]
    return ctx.step(Kind.LOCAL_RESPONSE, params, sizes, [x], ctx.new(x.shape, x.order))


def normalize_qs8(
    ctx: Lowering,
    x: Quantized,
    axis: int,
    scale: np.ndarray,
    bias: np.ndarray,
    epsilon: float,
    key: Hashable,
    limits: tuple[int, int, int],
    *,
    is_centered: bool,
) -> Value:
    """An int8 tensor normalized over the axes from `axis` on, as int8.

    Args:
        scale, bias: of the extents of these axes; in steps of the result.
        key: tells scale and bias apart from those of other steps.
        limits: the zero point of the result, and bounds of its integers.
        is_centered: whether the mean is taken off.
    """
    integers = ctx.row_major(x.integers)
    in_scale, in_zero = x.quantization.scale, x.quantization.zero_point
    squared = epsilon / float(in_scale) ** 2
    params = [scale.size, int(is_centered), int(in_zero), squared, *limits]
    output = ctx.new(integers.shape, integers.order, integers.dtype)
    return ctx.step(
        Kind.NORMALIZE_QS8,
        params,
        [math.prod(integers.shape[:axis])],
        [integers],
        output,
        kernel=scale,
        bias=bias,
        key=key,
    )
