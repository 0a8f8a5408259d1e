"""GridSample and AffineGrid."""

from __future__ import annotations

import numpy as np

from pyxnn.engine import CoordinateType, PaddingType, SampleType
from pyxnn.graph import Graph, Node
from pyxnn.xnnpack import kernels
from pyxnn.xnnpack.lowering import Lowering
from pyxnn.xnnpack.ops import conditions
from pyxnn.xnnpack.registry import register
from pyxnn.xnnpack.values import Value

_MODES = {
    "bilinear": SampleType.SAMPLE_LINEAR,
    "linear": SampleType.SAMPLE_LINEAR,
    "nearest": SampleType.SAMPLE_NEAREST,
    "bicubic": SampleType.SAMPLE_CUBIC,
    "cubic": SampleType.SAMPLE_CUBIC,
}
_PADDINGS = {
    "zeros": PaddingType.PADDING_ZEROS,
    "border": PaddingType.PADDING_BORDER,
    "reflection": PaddingType.PADDING_REFLECTION,
}


def supports_grid_sample(node: Node, graph: Graph) -> str | None:
    """Images of one, two or three axes."""
    mode, padding = node.attribute("mode", "linear"), node.attribute("padding_mode", "zeros")
    if mode not in _MODES:
        return f"its mode is '{mode}'"
    if padding not in _PADDINGS:
        return f"its padding_mode is '{padding}'"
    return conditions.floating(node, graph) or conditions.rank(node, graph, 0, 3, 4, 5)


@register("GridSample", supports=supports_grid_sample)
def lower_grid_sample(node: Node, ctx: Lowering) -> None:
    """GridSample (opsets 16 to 22): X (N, C, [[D,] H,] W) at the places of grid (N, [[oD,] oH,] oW, rank) to Y."""
    x, grid = (ctx.value(name) for name in node.inputs)
    if grid.rank != x.rank or grid.shape[-1] != x.rank - 2 or grid.shape[0] != x.shape[0]:
        raise ValueError(f"a grid {grid.shape} does not fit an input {x.shape}")
    aligned = node.attribute("align_corners", 0)
    output = kernels.grid_sample(
        ctx,
        x,
        grid,
        _MODES[node.attribute("mode", "linear")],
        _PADDINGS[node.attribute("padding_mode", "zeros")],
        CoordinateType.COORDINATES_MIDDLES if aligned else CoordinateType.COORDINATES_BORDERS,
    )
    ctx.define(node.output(0), output)


def supports_affine_grid(node: Node, graph: Graph) -> str | None:
    """Images of two or three axes."""
    return conditions.floating(node, graph, [0])


@register("AffineGrid", supports=supports_affine_grid, planned=(1,))
def lower_affine_grid(node: Node, ctx: Lowering) -> None:
    """AffineGrid (opset 20): theta (N, rank, rank + 1), size (N, C, [D,] H, W) to grid (N, [D,] H, W, rank)."""
    theta = ctx.value(node.input(0))
    batch, _, *extents = ctx.array(node.input(1)).reshape(-1).tolist()
    if theta.shape != (batch, len(extents), len(extents) + 1):
        raise ValueError(f"theta {theta.shape} does not fit an image of {extents}")
    align = bool(node.attribute("align_corners", 0))
    axes = np.meshgrid(*(_places(extent, align) for extent in extents), indexing="ij")
    places = np.stack([*axes[::-1], np.ones(extents)], axis=-1).astype(np.float32)
    base = Value.constant(places.reshape(1, -1, len(extents) + 1))
    grid = kernels.batch_matmul(ctx, base, theta.permuted((0, 2, 1)))
    ctx.define(node.output(0), ctx.reshape(grid, (batch, *extents, len(extents))))


def _places(extent: int, align_corners: bool) -> np.ndarray:
    """Where the pixels of an axis are, from -1 to 1."""
    if align_corners:
        return np.linspace(-1, 1, extent)
    return (2 * np.arange(extent) + 1) / extent - 1
