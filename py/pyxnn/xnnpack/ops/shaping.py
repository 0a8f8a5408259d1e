"""Operators that rename elements: Reshape and its kin, Transpose, DepthToSpace; and Concat, Identity."""

from __future__ import annotations

import math

import numpy as np

from pyxnn.graph import Graph, Node
from pyxnn.xnnpack import kernels
from pyxnn.xnnpack.layout import Shape
from pyxnn.xnnpack.lowering import Lowering
from pyxnn.xnnpack.ops import conditions
from pyxnn.xnnpack.registry import register
from pyxnn.xnnpack.values import Value


@register("Identity", supports=conditions.movable_data)
def lower_identity(node: Node, ctx: Lowering) -> None:
    """Identity (opsets 1 to 25): the value itself."""
    ctx.define(node.output(0), ctx.value(node.input(0)))


def supports_dropout(node: Node, graph: Graph) -> str | None:
    """Not in training mode."""
    if node.input(2):
        training = graph.constant(node.input(2))
        if training is None or training.any():
            return "it is in training mode"
    return conditions.movable_data(node, graph)


@register("Dropout", supports=supports_dropout)
def lower_dropout(node: Node, ctx: Lowering) -> None:
    """Dropout (opsets 7 to 22), in inference: the value itself, and a mask, bool, that is true."""
    lower_identity(node, ctx)
    if node.output(1):
        shape = ctx.value(node.input(0)).shape
        mask = np.ones(shape, ctx.dtype(node.output(1)) or np.bool_)
        ctx.define(node.output(1), Value.constant(mask))


@register("Reshape", supports=conditions.movable_data, planned=(1,))
def lower_reshape(node: Node, ctx: Lowering) -> None:
    """Reshape (opsets 5 to 25): data and shape, in which 0 keeps an extent (unless `allowzero`) and -1 takes what is left."""
    x = ctx.value(node.input(0))
    shape = ctx.array(node.input(1)).reshape(-1).tolist()
    if not node.attribute("allowzero", 0):
        shape = [x.shape[axis] if extent == 0 else extent for axis, extent in enumerate(shape)]
    if -1 in shape:
        known = math.prod(extent for extent in shape if extent != -1)
        shape[shape.index(-1)] = x.size // known if known else 0
    ctx.define(node.output(0), ctx.reshape(x, _checked(x.shape, tuple(shape))))


@register("Flatten", supports=conditions.movable_data)
def lower_flatten(node: Node, ctx: Lowering) -> None:
    """Flatten (opsets 1 to 25): input (d0, ..., dn) to the matrix (d0 * ... * d(axis-1), d(axis) * ... * dn)."""
    x = ctx.value(node.input(0))
    axis = node.attribute("axis", 1)
    axis = axis + x.rank if axis < 0 else axis
    shape = (math.prod(x.shape[:axis]), math.prod(x.shape[axis:]))
    ctx.define(node.output(0), ctx.reshape(x, shape))


@register("Squeeze", supports=conditions.movable_data, planned=(1,))
def lower_squeeze(node: Node, ctx: Lowering) -> None:
    """Squeeze (opset 13): data without the axes of extent 1 that `axes` names, or without all when it is absent."""
    x = ctx.value(node.input(0))
    given = ctx.constant(node.input(1))
    if given is None:
        axes = {axis for axis, extent in enumerate(x.shape) if extent == 1}
    else:
        axes = {int(axis) % x.rank for axis in given.reshape(-1)}
    shape = tuple(extent for axis, extent in enumerate(x.shape) if axis not in axes)
    ctx.define(node.output(0), ctx.reshape(x, _checked(x.shape, shape)))


@register("Unsqueeze", supports=conditions.movable_data, planned=(1,))
def lower_unsqueeze(node: Node, ctx: Lowering) -> None:
    """Unsqueeze (opset 13): data with new axes of extent 1, which `axes` counts in the result."""
    x = ctx.value(node.input(0))
    given = ctx.array(node.input(1))
    rank = x.rank + given.size
    axes = {int(axis) % rank for axis in given.reshape(-1)}
    extents = iter(x.shape)
    shape = tuple(1 if axis in axes else next(extents) for axis in range(rank))
    ctx.define(node.output(0), ctx.reshape(x, shape))


def _checked(old: Shape, new: Shape) -> Shape:
    if math.prod(old) != math.prod(new) or min(new, default=0) < 0:
        raise ValueError(f"the shape {old} can't become {new}")
    return new


@register("Transpose", supports=conditions.movable_data)
def lower_transpose(node: Node, ctx: Lowering) -> None:
    """Transpose (opsets 1 to 25): output axis i is input axis `perm[i]`. Bytes move only where a consumer needs them to."""
    x = ctx.value(node.input(0))
    ctx.define(node.output(0), x.permuted(node.attribute("perm") or range(x.rank)[::-1]))


@register("Concat", supports=conditions.movable)
def lower_concat(node: Node, ctx: Lowering) -> None:
    """Concat (opsets 4 to 13): values of one rank, alike but along `axis`, joined along it."""
    values = [ctx.value(name) for name in node.inputs]
    ctx.define(
        node.output(0), kernels.concat(ctx, values, node.attributes["axis"] % values[0].rank)
    )


@register("DepthToSpace", supports=conditions.movable_data)
def lower_depth_to_space(node: Node, ctx: Lowering) -> None:
    """DepthToSpace (opsets 1 to 13): (N, C, H, W) to (N, C / b / b, H * b, W * b), with b the `blocksize`."""
    x = ctx.value(node.input(0))
    (n, c, h, w), b = x.shape, node.attributes["blocksize"]
    if node.attribute("mode", "DCR") == "DCR":
        blocks = ctx.reshape(x, (n, b, b, c // (b * b), h, w)).permuted((0, 3, 4, 1, 5, 2))
    else:
        blocks = ctx.reshape(x, (n, c // (b * b), b, b, h, w)).permuted((0, 1, 4, 2, 5, 3))
    ctx.define(node.output(0), ctx.reshape(blocks, (n, c // (b * b), h * b, w * b)))


@register("SpaceToDepth", supports=conditions.movable_data)
def lower_space_to_depth(node: Node, ctx: Lowering) -> None:
    """SpaceToDepth (opsets 1 to 28): (N, C, H, W) to (N, C * b * b, H / b, W / b), with b the `blocksize`."""
    x = ctx.value(node.input(0))
    (n, c, h, w), b = x.shape, node.attributes["blocksize"]
    axes = (0, 3, 5, 1, 2, 4) if node.attribute("mode", "DCR") == "DCR" else (0, 1, 3, 5, 2, 4)
    blocks = ctx.reshape(x, (n, c, h // b, b, w // b, b)).permuted(axes)
    ctx.define(node.output(0), ctx.reshape(blocks, (n, c * b * b, h // b, w // b)))
