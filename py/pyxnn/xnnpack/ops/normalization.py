"""Normalization by statistics: BatchNormalization, where no Conv or Gemm took it in; LayerNormalization and its kin."""

from __future__ import annotations

import math

import numpy as np

from pyxnn.engine import BinaryType, NormalizeType, ReduceType, UnaryType
from pyxnn.graph import Graph, Node
from pyxnn.xnnpack import kernels, layout
from pyxnn.xnnpack.fusion import Bounds
from pyxnn.xnnpack.layout import Shape
from pyxnn.xnnpack.lowering import Lowering
from pyxnn.xnnpack.ops import conditions
from pyxnn.xnnpack.registry import register
from pyxnn.xnnpack.values import Value


def supports_batch_normalization(node: Node, graph: Graph) -> str | None:
    """Not in training mode."""
    if node.attribute("training_mode", 0):
        return "it is in training mode"
    return supports_ranked(node, graph)


def supports_ranked(node: Node, graph: Graph) -> str | None:
    """A known rank."""
    if graph.rank(node.input(0)) is None:
        return f"the rank of input '{node.input(0)}' is unknown"
    return conditions.floating(node, graph)


@register("BatchNormalization", supports=supports_batch_normalization, clamps=True)
def lower_batch_normalization(node: Node, ctx: Lowering) -> None:
    """BatchNormalization (opset 15): X (N, C, ...), scale, B, mean and var (C) to (X - mean) / sqrt(var + epsilon) * scale + B.

    It is one multiplication and one addition by channel.
    """
    x = ctx.value(node.input(0))
    epsilon = node.attribute("epsilon", 1e-5)
    if any(ctx.constant(name) is None for name in node.inputs[1:5]):
        ctx.define(node.output(0), _batch_normalized(ctx, node, x, epsilon))
        return
    scale, shift, mean, variance = (ctx.array(name) for name in node.inputs[1:5])
    factor = scale / np.sqrt(variance + np.float32(epsilon))
    shift = shift - mean * factor
    if factor.shape != (x.shape[1],):
        raise ValueError(f"its statistics {factor.shape} don't fit an input {x.shape}")
    factors, shifts = (
        Value.constant(array.reshape(-1, *[1] * (x.rank - 2))) for array in (factor, shift)
    )
    ctx.define(node.output(0), kernels.multiply_add(ctx, x, factors, shifts, ctx.bounds))


def _batch_normalized(ctx: Lowering, node: Node, x: Value, epsilon: float) -> Value:
    """With computed statistics or parameters."""
    scale, shift, mean, variance = (
        (value := ctx.value(name)).viewed(
            (*value.shape, *[1] * (x.rank - 2)), layout.row_major(x.rank - 1)
        )
        for name in node.inputs[1:5]
    )
    deviation = _deviation(ctx, variance, epsilon)
    difference = kernels.binary(ctx, BinaryType.SUBTRACT, x, mean)
    factor = kernels.binary(ctx, BinaryType.DIVIDE, scale, deviation)
    scaled = kernels.binary(ctx, BinaryType.MULTIPLY, difference, factor)
    return kernels.clamp(ctx, kernels.binary(ctx, BinaryType.ADD, scaled, shift), ctx.bounds)


def _deviation(ctx: Lowering, variance: Value, epsilon: float) -> Value:
    total = kernels.binary(ctx, BinaryType.ADD, variance, Value.scalar(epsilon))
    return kernels.unary(ctx, UnaryType.SQUARE_ROOT, total)


def supports_layer_normalization(node: Node, graph: Graph) -> str | None:
    """A known rank; Mean and InvStdDev in float32."""
    if any(map(node.output, (1, 2))) and node.attribute("stash_type", 1) != 1:
        return "its statistics are asked for in another type than float32"
    return supports_ranked(node, graph)


@register(
    "LayerNormalization", "RMSNormalization", supports=supports_layer_normalization, clamps=True
)
def lower_layer_normalization(node: Node, ctx: Lowering) -> None:
    """LayerNormalization (opset 17): X and Scale and B, which broadcast to the axes from `axis` on, to
    Y = (X - Mean) * InvStdDev * Scale + B, with the statistics over those axes, which keep the extent 1 in Mean and InvStdDev.

    RMSNormalization (opset 23): the same without B, with the mean taken for 0.
    """
    x = ctx.value(node.input(0))
    axis = node.attribute("axis", -1) % x.rank
    epsilon = node.attribute("epsilon", 1e-5)
    if set(x.order[:axis]) != set(range(axis)):
        x = ctx.row_major(x)
    row = x.shape[axis:]
    row_order = tuple(place - axis for place in x.order[axis:])
    scale, bias = (
        ctx.arrange(_row_of(ctx, name, row, default), row_order)
        for name, default in ((node.input(1), 1.0), (node.input(2), 0.0))
    )
    depth = math.prod(row)
    is_centered = node.op_type == "LayerNormalization"
    type = NormalizeType.NORMALIZE_VARIANCE if is_centered else NormalizeType.NORMALIZE_MEAN_SQUARE
    sizes = (math.prod(x.shape[:axis]), 1, 1, depth)
    output = kernels.normalize(ctx, type, x, sizes, 1, scale, bias, epsilon, ctx.bounds)
    ctx.define(node.output(0), output)
    if node.output(1) or node.output(2):
        axes = range(axis, x.rank)
        mean = kernels.reduce(ctx, ReduceType.MEAN, x, axes)
        difference = kernels.binary(ctx, BinaryType.SUBTRACT, x, mean)
        square = kernels.unary(ctx, UnaryType.SQUARE, difference)
        deviation = _deviation(ctx, kernels.reduce(ctx, ReduceType.MEAN, square, axes), epsilon)
        inverse = kernels.binary(ctx, BinaryType.DIVIDE, Value.scalar(1.0), deviation)
        for name, value in ((node.output(1), mean), (node.output(2), inverse)):
            if name:
                ctx.define(name, value)


def _row_of(ctx: Lowering, name: str, row: Shape, default: float) -> Value:
    """A tensor broadcast to the extents of a row; a constant where it is absent."""
    if not name:
        return Value.constant(np.full(row, default, np.float32))
    value = ctx.value(name)
    if value.shape == row:
        return ctx.row_major(value)
    missing = max(value.rank - len(row), 0)
    if any(extent != 1 for extent in value.shape[:missing]):
        raise ValueError(f"'{name}' of shape {value.shape} differs between rows {row}")
    value = ctx.row_major(value)
    value = value.viewed(value.shape[missing:], layout.row_major(value.rank - missing))
    if isinstance(value.source, np.ndarray):
        return Value.constant(np.broadcast_to(value.source, row))
    return ctx.row_major(kernels.expand(ctx, value, row))


@register("InstanceNormalization", supports=supports_ranked, clamps=True)
def lower_instance_normalization(node: Node, ctx: Lowering) -> None:
    """InstanceNormalization (opsets 6, 22): input (N, C, ...), scale and B (C), normalized by image and channel."""
    x = ctx.value(node.input(0))
    ctx.define(node.output(0), _by_group(ctx, node, x, x.shape[1]))


@register("GroupNormalization", supports=supports_ranked, clamps=True)
def lower_group_normalization(node: Node, ctx: Lowering) -> None:
    """GroupNormalization (opset 21; that of 18 is deprecated): X (N, C, ...), scale and bias (C), normalized by image and
    group of channels.
    """
    x = ctx.value(node.input(0))
    groups = node.attributes["num_groups"]
    if x.shape[1] % groups:
        raise ValueError(f"{x.shape[1]} channels don't make {groups} groups")
    ctx.define(node.output(0), _by_group(ctx, node, x, groups))


def _by_group(ctx: Lowering, node: Node, x: Value, groups: int) -> Value:
    """`x` (N, C, ...) normalized by image and group, as it lies."""
    batch, channels, *rest = x.shape
    scale, bias = (ctx.value(name) for name in node.inputs[1:3])
    for value in (scale, bias):
        if value.shape != (channels,):
            raise ValueError(f"its scale or bias {value.shape} doesn't fit an input {x.shape}")
    pixels, depth = math.prod(rest), channels // groups
    if x.has_order(layout.channels_last(x.rank)):
        sizes, block = (batch, pixels, groups, depth), 1
    else:
        x = ctx.row_major(x)
        sizes, block = (batch, 1, groups, depth * pixels), pixels
    type, epsilon = NormalizeType.NORMALIZE_VARIANCE, node.attribute("epsilon", 1e-5)
    return kernels.normalize(ctx, type, x, sizes, block, scale, bias, epsilon, ctx.bounds)


@register("MeanVarianceNormalization", supports=conditions.floating, clamps=True)
def lower_mean_variance_normalization(node: Node, ctx: Lowering) -> None:
    """MeanVarianceNormalization (opsets 9, 13): X to (X - mean) / (deviation + 1e-9), with the statistics over `axes`."""
    x = ctx.value(node.input(0))
    axes = {axis % x.rank for axis in node.attribute("axes", [0, 2, 3])}
    type = NormalizeType.NORMALIZE_DEVIATION
    ctx.define(node.output(0), _over_axes(ctx, type, x, axes, 1e-9, ctx.bounds))


def supports_lp_normalization(node: Node, graph: Graph) -> str | None:
    """Norms of order 1 and 2."""
    if node.attribute("p", 2) not in (1, 2):
        return f"its norm is of order {node.attribute('p')}, not 1 or 2"
    return conditions.floating(node, graph)


@register("LpNormalization", supports=supports_lp_normalization, clamps=True)
def lower_lp_normalization(node: Node, ctx: Lowering) -> None:
    """LpNormalization (opsets 1, 22): input divided by its norm of order p along `axis`; by a norm of 0, it is 0."""
    x = ctx.value(node.input(0))
    axes = {node.attribute("axis", -1) % x.rank}
    is_magnitude = node.attribute("p", 2) == 1
    type = NormalizeType.NORMALIZE_MAGNITUDE if is_magnitude else NormalizeType.NORMALIZE_EUCLIDEAN
    ctx.define(node.output(0), _over_axes(ctx, type, x, axes, 0.0, ctx.bounds))


def _over_axes(
    ctx: Lowering, type: NormalizeType, x: Value, axes: set[int], epsilon: float, bounds: Bounds
) -> Value:
    """`x` normalized over axes, as it lies unless its axes are kept and normalized in too many turns."""
    sizes = _turns(x, axes)
    if sizes is None:
        x = ctx.arrange(x, tuple(sorted(range(x.rank), key=lambda axis: axis in axes)))
        sizes = _turns(x, axes)
        assert sizes is not None
    one, zero = (Value.constant(np.full(1, number, np.float32)) for number in (1.0, 0.0))
    return kernels.normalize(ctx, type, x, sizes, sizes[2] * sizes[3], one, zero, epsilon, bounds)


def _turns(x: Value, axes: set[int]) -> tuple[int, int, int, int] | None:
    """Extents as they lie: kept, normalized, kept, normalized; None when there are more turns."""
    extents = [1]
    is_normalized = False
    for axis in x.order:
        if x.shape[axis] == 1:
            continue
        if (axis in axes) != is_normalized:
            is_normalized = not is_normalized
            extents.append(1)
        extents[-1] *= x.shape[axis]
    if len(extents) > 4:
        return None
    if len(extents) == 2:  # one turn lies in runs
        return (extents[0], 1, 1, extents[1])
    outer, positions, groups, depth = (*extents, 1, 1, 1)[:4]
    return outer, positions, groups, depth


@register("LRN", supports=supports_ranked)
def lower_lrn(node: Node, ctx: Lowering) -> None:
    """LRN (opsets 1, 13): X (N, C, ...) to X / (bias + alpha / size * sum of squares) ^ beta, the sum over `size` channels around."""
    size = node.attributes["size"]
    output = kernels.local_response(
        ctx,
        ctx.value(node.input(0)),
        ((size - 1) // 2, size // 2),
        node.attribute("alpha", 1e-4) / size,
        node.attribute("beta", 0.75),
        node.attribute("bias", 1.0),
    )
    ctx.define(node.output(0), output)
