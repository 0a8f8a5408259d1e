"""BatchNormalization, where no Conv or Gemm took it in."""

from __future__ import annotations

import numpy as np

from pyxnn.engine import BinaryType
from pyxnn.graph import Graph, Node
from pyxnn.xnnpack import kernels
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


@register("BatchNormalization", supports=supports_batch_normalization)
def lower_batch_normalization(node: Node, ctx: Lowering) -> None:
    """BatchNormalization (opset 15): X (N, C, ...), scale, B, mean and var (C) to (X - mean) / sqrt(var + epsilon) * scale + B.

    It is one multiplication and one addition by channel.
    """
    x = ctx.value(node.input(0))
    scale, shift, mean, variance = (ctx.array(name) for name in node.inputs[1:5])
    factor = scale / np.sqrt(variance + np.float32(node.attribute("epsilon", 1e-5)))
    by_channel = (-1, *[1] * (x.rank - 2))
    scaled = kernels.binary(ctx, BinaryType.MULTIPLY, x, Value.constant(factor.reshape(by_channel)))
    offset = Value.constant((shift - mean * factor).reshape(by_channel))
    ctx.define(node.output(0), kernels.binary(ctx, BinaryType.ADD, scaled, offset))
