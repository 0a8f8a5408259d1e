"""BatchNormalization, where no Conv or Gemm took it in."""

from __future__ import annotations

import numpy as np

from pyxnn.engine import BinaryType
from pyxnn.graph import Graph, Node
from pyxnn.xnnpack import kernels, layout
from pyxnn.xnnpack.lowering import Lowering
from pyxnn.xnnpack.ops import conditions
from pyxnn.xnnpack.registry import register
from pyxnn.xnnpack.values import Value


def supports_batch_normalization(node: Node, graph: Graph) -> str | None:
    if node.attribute("training_mode", 0):
        return "it is in training mode"
    if graph.rank(node.input(0)) is None:
        return f"the rank of input '{node.input(0)}' is unknown"
    return conditions.float32(node, graph) or conditions.constant(node, graph, 1, 2, 3, 4)


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
