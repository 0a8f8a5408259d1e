"""BatchNormalization, where no Conv or Gemm took it in; LayerNormalization and RMSNormalization."""

from __future__ import annotations

import numpy as np

from pyxnn.engine import BinaryType
from pyxnn.graph import Graph, Node
from pyxnn.xnnpack import kernels, layout
from pyxnn.xnnpack.layout import Shape
from pyxnn.xnnpack.lowering import Lowering
from pyxnn.xnnpack.ops import conditions
from pyxnn.xnnpack.registry import register
from pyxnn.xnnpack.values import Value


def supports_batch_normalization(node: Node, graph: Graph) -> str | None:
    if node.attribute("training_mode", 0):
        return "it is in training mode"
    if graph.rank(node.input(0)) is None:
        return f"the rank of input '{node.input(0)}' is unknown"
    return conditions.floating(node, graph) or conditions.constant(node, graph, 1, 2, 3, 4)


@register("BatchNormalization", supports=supports_batch_normalization, clamps=True)
def lower_batch_normalization(node: Node, ctx: Lowering) -> None:
    """BatchNormalization (opset 15): X (N, C, ...), scale, B, mean and var (C) to (X - mean) / sqrt(var + epsilon) * scale + B.

    It is one multiplication and one addition by channel: a convolution with one pixel where channels are the innermost.
    """
    x = ctx.value(node.input(0))
    scale, shift, mean, variance = (ctx.array(name) for name in node.inputs[1:5])
    epsilon = node.attribute("epsilon", 1e-5)
    factor = scale / np.sqrt(variance + np.float32(epsilon))
    shift = shift - mean * factor
    if factor.shape != (x.shape[1],):
        raise ValueError(f"its statistics {factor.shape} don't fit an input {x.shape}")
    if x.rank in (3, 4) and x.has_order(layout.channels_last(x.rank)):
        kernel = factor.reshape(-1, 1, 1, 1, 1)
        key = (ctx.weights_key(*node.inputs[1:5]), epsilon)
        output = kernels.convolution(
            ctx, x, kernels.PIXEL, len(factor), kernel, shift, key, x.shape, ctx.bounds
        )
    else:
        factors, shifts = (
            Value.constant(array.reshape(-1, *[1] * (x.rank - 2))) for array in (factor, shift)
        )
        scaled = kernels.binary(ctx, BinaryType.MULTIPLY, x, factors)
        output = kernels.binary(ctx, BinaryType.ADD, scaled, shifts)
        output = kernels.clamp(ctx, output, ctx.bounds)
    ctx.define(node.output(0), output)


def supports_row_normalization(node: Node, graph: Graph) -> str | None:
    for position in (1, 2):
        if node.output(position):
            return f"its output '{node.output(position)}' is used"
    if graph.rank(node.input(0)) is None:
        return f"the rank of input '{node.input(0)}' is unknown"
    return conditions.floating(node, graph) or conditions.constant(node, graph, 1, 2)


@register("LayerNormalization", "RMSNormalization", supports=supports_row_normalization)
def lower_row_normalization(node: Node, ctx: Lowering) -> None:
    """LayerNormalization (opset 17): X and Scale and B, which broadcast to the axes from `axis` on, to
    (X - mean) / sqrt(variance + epsilon) * Scale + B, with the statistics over those axes.

    RMSNormalization (opset 23): the same without B, with the mean taken for 0.
    """
    x = ctx.value(node.input(0))
    axis = node.attribute("axis", -1) % x.rank
    row = x.shape[axis:]
    names = node.inputs[1:]
    scale, bias = (_row_of(ctx, name, row) for name in (node.input(1), node.input(2)))
    assert scale is not None, "Scale is no optional input"
    output = kernels.layer_norm(
        ctx,
        x,
        axis,
        scale,
        bias,
        node.attribute("epsilon", 1e-5),
        (ctx.weights_key(*names), row),
        centered=node.op_type == "LayerNormalization",
    )
    ctx.define(node.output(0), output)


def _row_of(ctx: Lowering, name: str, row: Shape) -> np.ndarray | None:
    """A constant, broadcast to the extents of a row; None for one that is absent."""
    if not name:
        return None
    array = ctx.array(name)
    if any(extent != 1 for extent in array.shape[: max(array.ndim - len(row), 0)]):
        raise ValueError(f"'{name}' of shape {array.shape} differs between rows {row}")
    return np.broadcast_to(array.reshape(array.shape[-len(row) :]), row).reshape(-1)
