"""ConvTranspose."""

from __future__ import annotations

import numpy as np

from pyxnn.graph import Node
from pyxnn.xnnpack import kernels
from pyxnn.xnnpack.kernels import Window
from pyxnn.xnnpack.lowering import Lowering
from pyxnn.xnnpack.ops import windows
from pyxnn.xnnpack.ops.convolution import supports_conv
from pyxnn.xnnpack.registry import register


@register("ConvTranspose", supports=supports_conv, clamps=True)
def lower_conv_transpose(node: Node, ctx: Lowering) -> None:
    """ConvTranspose (opsets 1, 11, 22): X (N, C, [H,] W), W (C, M/group, [kH,] kW), B (M) to Y (N, M, [oH,] oW)."""
    x = ctx.value(node.input(0))
    weights = ctx.array(node.input(1))
    groups = node.attribute("group", 1)
    if x.rank != weights.ndim or x.shape[1] != weights.shape[0]:
        raise ValueError(f"weights {weights.shape} don't fit an input {x.shape}")
    window, pixels, extents = windows.place_transposed(node, x.shape[2:], weights.shape[2:])
    if any(pixels):
        x = kernels.pad_pixels(ctx, x, Window((1, 1), (1, 1), (1, 1), (0, 0), pixels), 0.0)
    grouped = weights.reshape(groups, weights.shape[0] // groups, weights.shape[1], *window.kernel)
    output = kernels.deconvolution(
        ctx,
        x,
        window,
        groups,
        np.moveaxis(grouped, 1, 4),
        ctx.constant(node.input(2)),
        ctx.weights_key(*node.inputs[1:]),
        ctx.bounds,
    )
    parts = [slice(None), slice(None), *map(slice, extents)]
    ctx.define(node.output(0), kernels.cut(ctx, output, parts))
