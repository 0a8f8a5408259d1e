"""Operators that take parts of a tensor, or put more around or beside it: Slice, Split, Pad, Expand, Tile."""

from __future__ import annotations

from itertools import accumulate, pairwise

import numpy as np

from pyxnn.graph import Graph, Node
from pyxnn.xnnpack import kernels
from pyxnn.xnnpack.lowering import Lowering
from pyxnn.xnnpack.ops import conditions
from pyxnn.xnnpack.registry import register


@register("Slice", supports=conditions.movable_data, planned=(1, 2, 3, 4))
def lower_slice(node: Node, ctx: Lowering) -> None:
    """Slice (opsets 10 to 13): the elements of data from `starts` to `ends` along `axes`, by `steps`."""
    x = ctx.value(node.input(0))
    starts, ends = (ctx.array(name).reshape(-1).tolist() for name in node.inputs[1:3])
    axes, steps = (ctx.constant(node.input(position)) for position in (3, 4))
    parts = [slice(None)] * x.rank
    for index, (start, end) in enumerate(zip(starts, ends, strict=True)):
        axis = index if axes is None else int(axes[index])
        parts[axis] = slice(start, end, 1 if steps is None else int(steps[index]))
    ctx.define(node.output(0), kernels.cut(ctx, x, parts))


@register("Split", supports=conditions.movable_data, planned=(1,))
def lower_split(node: Node, ctx: Lowering) -> None:
    """Split (opset 18): input along `axis` in parts, of the extents `split` or as many alike as `num_outputs` says."""
    x = ctx.value(node.input(0))
    axis = node.attribute("axis", 0) % x.rank
    extent = x.shape[axis]
    split = ctx.constant(node.input(1))
    if split is None:
        count = node.attributes["num_outputs"]
        chunk = -(-extent // count)
        borders = [min(index * chunk, extent) for index in range(count + 1)]
    else:
        borders = list(accumulate(split.reshape(-1).tolist(), initial=0))
        if borders[-1] != extent:
            raise ValueError(f"parts of {split.tolist()} don't make {extent}")
    for name, (start, end) in zip(node.outputs, pairwise(borders), strict=True):
        if name:
            parts = [slice(None)] * x.rank
            parts[axis] = slice(start, end)
            ctx.define(name, kernels.cut(ctx, x, parts))


def supports_pad(node: Node, graph: Graph) -> str | None:
    """Every mode of ONNX."""
    mode = node.attribute("mode", "constant")
    if mode not in ("constant", "edge", "reflect", "wrap"):
        return f"its mode is '{mode}'"
    return conditions.movable_data(node, graph)


@register("Pad", supports=supports_pad, planned=(1, 2, 3))
def lower_pad(node: Node, ctx: Lowering) -> None:
    """Pad (opsets 11 to 25): data with elements before and after along `axes`; negative pads take elements away first.

    Those put there are `constant_value`, or data's own by `mode`.
    """
    x = ctx.value(node.input(0))
    pads = ctx.array(node.input(1)).reshape(2, -1).T.tolist()
    value, axes = (ctx.constant(node.input(position)) for position in (2, 3))
    amounts = [(0, 0)] * x.rank
    for index, (before, after) in enumerate(pads):
        amounts[index if axes is None else int(axes[index])] = before, after
    kept = [
        slice(max(-before, 0), extent - max(-after, 0))
        for extent, (before, after) in zip(x.shape, amounts, strict=True)
    ]
    added = [(max(before, 0), max(after, 0)) for before, after in amounts]
    fill = 0 if value is None else value.reshape(-1)[0]
    mode = node.attribute("mode", "constant")
    ctx.define(node.output(0), kernels.pad(ctx, kernels.cut(ctx, x, kept), added, fill, mode))


@register("Expand", supports=conditions.movable_data, planned=(1,))
def lower_expand(node: Node, ctx: Lowering) -> None:
    """Expand (opsets 8, 13): input broadcast with a shape."""
    x = ctx.value(node.input(0))
    shape = tuple(ctx.array(node.input(1)).reshape(-1).tolist())
    np.broadcast_shapes(x.shape, shape)
    ctx.define(node.output(0), kernels.expand(ctx, x, shape))


@register("Tile", supports=conditions.movable_data, planned=(1,))
def lower_tile(node: Node, ctx: Lowering) -> None:
    """Tile (opsets 6, 13): input as many times along each axis as `repeats` says."""
    x = ctx.value(node.input(0))
    counts = ctx.array(node.input(1)).reshape(-1).tolist()
    ctx.define(node.output(0), kernels.repeat(ctx, x, counts, whole=True))


@register("CenterCropPad", supports=conditions.movable_data, planned=(1,))
def lower_center_crop_pad(node: Node, ctx: Lowering) -> None:
    """CenterCropPad (opset 18): the middle of input_data, of the extents `shape` along `axes`, zeros around it."""
    x = ctx.value(node.input(0))
    wanted = ctx.array(node.input(1)).reshape(-1).tolist()
    axes = node.attribute("axes") or range(x.rank)
    indices = {}
    for axis, extent in zip(axes, wanted, strict=True):
        axis %= x.rank
        have = x.shape[axis]
        start = -((extent - have) // 2) if extent > have else (have - extent) // 2
        places = start + np.arange(extent)
        if extent != have:
            indices[axis] = np.where((places >= 0) & (places < have), places, -1)
    ctx.define(node.output(0), kernels.pick(ctx, x, indices))
