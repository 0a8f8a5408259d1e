"""RoiAlign and MaxRoiPool."""

from __future__ import annotations

import numpy as np

from pyxnn.graph import Graph, Node
from pyxnn.xnnpack import kernels
from pyxnn.xnnpack.lowering import Lowering
from pyxnn.xnnpack.ops import conditions
from pyxnn.xnnpack.registry import register
from pyxnn.xnnpack.values import Value

_IMAGES = np.dtype(np.int32)


def supports_roi_align(node: Node, graph: Graph) -> str | None:
    """Means and maxima."""
    mode = node.attribute("mode", "avg")
    if mode not in ("avg", "max"):
        return f"its mode is '{mode}'"
    return conditions.floating(node, graph, [0, 1])


@register("RoiAlign", supports=supports_roi_align)
def lower_roi_align(node: Node, ctx: Lowering) -> None:
    """RoiAlign (opsets 10 to 22): X (N, C, H, W), rois (R, 4), batch_indices (R) to Y (R, C, output_height, output_width)."""
    x, regions, images = (ctx.value(name) for name in node.inputs)
    _check(x, regions, 4)
    if images.shape != regions.shape[:1]:
        raise ValueError(f"there are {images.shape} batch_indices of rois {regions.shape}")
    half_pixel = node.attribute("coordinate_transformation_mode", "half_pixel") == "half_pixel"
    output = kernels.roi_align(
        ctx,
        x,
        regions,
        kernels.cast(ctx, images, _IMAGES),
        (node.attribute("output_height", 1), node.attribute("output_width", 1)),
        max(node.attribute("sampling_ratio", 0), 0),
        node.attribute("spatial_scale", 1.0),
        is_maximum=node.attribute("mode", "avg") == "max",
        is_half_pixel=half_pixel,
    )
    ctx.define(node.output(0), output)


@register("MaxRoiPool", supports=conditions.floating)
def lower_max_roi_pool(node: Node, ctx: Lowering) -> None:
    """MaxRoiPool (opsets 1, 22): X (N, C, H, W), rois (R, 5) to Y (R, C, *pooled_shape)."""
    x, regions = (ctx.value(name) for name in node.inputs)
    _check(x, regions, 5)
    height, width = node.attributes["pooled_shape"]
    scale = node.attribute("spatial_scale", 1.0)
    ctx.define(node.output(0), kernels.roi_pool(ctx, x, regions, (height, width), scale))


def _check(x: Value, regions: Value, size: int) -> None:
    if x.rank != 4 or regions.rank != 2 or regions.shape[1] != size:
        raise ValueError(f"rois {regions.shape} don't fit an input {x.shape}")
