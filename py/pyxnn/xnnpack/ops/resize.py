"""Resize of images: bilinear, and nearest by whole factors."""

from __future__ import annotations

import math

import numpy as np

from pyxnn import errors
from pyxnn.engine import ResizeType
from pyxnn.graph import Graph, Node
from pyxnn.xnnpack import kernels, layout
from pyxnn.xnnpack.layout import Shape
from pyxnn.xnnpack.lowering import Lowering
from pyxnn.xnnpack.ops import conditions
from pyxnn.xnnpack.registry import register
from pyxnn.xnnpack.values import Value

_RANK = 4
_TYPES = {
    "align_corners": ResizeType.ALIGN_CORNERS,
    "asymmetric": ResizeType.ASYMMETRIC,
    "half_pixel": ResizeType.HALF_PIXEL,
    "half_pixel_symmetric": ResizeType.HALF_PIXEL,
    "pytorch_half_pixel": ResizeType.HALF_PIXEL,
}
_REPEATS = {
    ("asymmetric", "floor"),
    *(
        (place, rounding)
        for place in ("half_pixel", "half_pixel_symmetric", "pytorch_half_pixel")
        for rounding in ("round_prefer_floor", "round_prefer_ceil")
    ),
}
"""Where a whole factor makes each pixel that many: (coordinate_transformation_mode, nearest_mode)."""


def supports_resize(node: Node, graph: Graph) -> str | None:
    mode, place = node.attribute("mode", "nearest"), _place(node)
    rounding = node.attribute("nearest_mode", "round_prefer_floor")
    if mode not in ("linear", "nearest"):
        return f"its mode is '{mode}', not 'linear' or 'nearest'"
    if mode == "linear" and place not in _TYPES:
        return f"its coordinate_transformation_mode is '{place}'"
    if mode == "nearest" and (place, rounding) not in _REPEATS:
        return f"it takes the nearest pixel by '{place}' and '{rounding}'"
    if node.attribute("antialias", 0):
        return "antialias is set"
    if node.attribute("keep_aspect_ratio_policy", "stretch") != "stretch":
        return "keep_aspect_ratio_policy is not 'stretch'"
    return (
        conditions.floating(node, graph, [0])
        or conditions.rank(node, graph, 0, _RANK)
        or _supports_extents(node, graph, mode)
    )


def _place(node: Node) -> str:
    place: str = node.attribute("coordinate_transformation_mode", "half_pixel")
    return place


def _supports_extents(node: Node, graph: Graph, mode: str) -> str | None:
    """Whether the factors, as far as they are known, are of the image only, and whole where they must be."""
    shape = graph.type(node.input(0)).shape or (None,) * _RANK
    sizes = node.input(3)
    if sizes:
        wanted = graph.constant(sizes)
        if wanted is None:
            return f"input '{sizes}' is computed, not constant" if mode == "nearest" else None
        for axis, size in _by_axis(node, wanted).items():
            extent = shape[axis]
            if axis < 2 and size != extent:
                return f"sizes change axis {axis}"
            if mode == "nearest" and not (
                isinstance(extent, int) and extent and size % extent == 0
            ):
                return f"sizes don't multiply axis {axis} by a whole number"
        return None
    factors = graph.constant(node.input(2))
    if factors is None:
        return f"input '{node.input(2)}' is computed, not constant"
    for axis, factor in _by_axis(node, factors).items():
        extent = shape[axis]
        if axis < 2 and factor != 1:
            return f"scales change axis {axis}"
        if factor % 1 and mode == "nearest":
            return f"scales don't multiply axis {axis} by a whole number"
        if factor % 1 and (not isinstance(extent, int) or extent * factor % 1):
            return f"scales don't make a whole number of pixels along axis {axis}"
    return None


def _by_axis(node: Node, array: np.ndarray) -> dict[int, float]:
    """Sizes or scales by axis, of those that `axes` names."""
    axes = node.attribute("axes") or range(_RANK)
    numbers = array.reshape(-1).tolist()
    return {axis % _RANK: number for axis, number in zip(axes, numbers, strict=True)}


@register("Resize", supports=supports_resize, planned=(2, 3))
def lower_resize(node: Node, ctx: Lowering) -> None:
    """Resize (opsets 11 to 19): X (N, C, H, W) to Y (N, C, oH, oW), of extents `sizes` or `scales` times those of X."""
    x = ctx.value(node.input(0))
    height, width = _pixels(node, ctx, x.shape)
    if node.attribute("mode", "nearest") == "nearest":
        counts = (1, 1, height // x.shape[2], width // x.shape[3])
        pixels = ctx.arrange(x, layout.channels_last(_RANK))
        ctx.define(node.output(0), kernels.repeat(ctx, pixels, counts, whole=False))
        return
    if _place(node) == "pytorch_half_pixel" and 1 in (height, width):
        # Along an axis of one pixel that is the first, not the one in the middle.
        first = (1 if height == 1 else x.shape[2], 1 if width == 1 else x.shape[3])
        x = _bilinear(ctx, x, ResizeType.ASYMMETRIC, first)
    ctx.define(node.output(0), _bilinear(ctx, x, _TYPES[_place(node)], (height, width)))


def _bilinear(ctx: Lowering, x: Value, type: ResizeType, pixels: tuple[int, int]) -> Value:
    return x if x.shape[2:] == pixels else kernels.resize_bilinear(ctx, x, type, pixels)


def _pixels(node: Node, ctx: Lowering, shape: Shape) -> tuple[int, int]:
    """(height, width) of the output."""
    sizes = ctx.constant(node.input(3))
    out = list(shape)
    if sizes is not None:
        for axis, size in _by_axis(node, sizes).items():
            out[axis] = int(size)
    else:
        for axis, factor in _by_axis(node, ctx.array(node.input(2))).items():
            out[axis] = math.floor(shape[axis] * factor)
    if tuple(out[:2]) != shape[:2]:
        raise errors.NotImplemented(f"{node}: XNNPACK resizes images, not {shape} to {out}")
    return out[2], out[3]
