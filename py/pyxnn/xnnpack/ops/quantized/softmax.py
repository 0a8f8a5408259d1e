"""Softmax and LogSoftmax on integers."""

from __future__ import annotations

from pyxnn.engine import SoftmaxType
from pyxnn.graph import Graph, Node
from pyxnn.quantization import Quantization
from pyxnn.xnnpack import kernels
from pyxnn.xnnpack.lowering import Lowering
from pyxnn.xnnpack.ops.quantized import conditions, operands
from pyxnn.xnnpack.registry import quantized


def supports_softmax(node: Node, graph: Graph, target: Quantization) -> str | None:
    """Any axis."""
    return conditions.activation(node, graph)


@quantized("LogSoftmax", "Softmax", supports=supports_softmax)
def lower_softmax(node: Node, ctx: Lowering, target: Quantization) -> None:
    """Softmax, LogSoftmax (opset 13) of int8 input along `axis`."""
    x = ctx.quantized(node.input(0))
    is_log = node.op_type == "LogSoftmax"
    type = SoftmaxType.LOG_SOFTMAX if is_log else SoftmaxType.SOFTMAX_ITSELF
    axis = node.attribute("axis", -1) % x.integers.rank
    limits = operands.limits(target, ctx.bounds)
    ctx.define(node.output(0), kernels.softmax_qs8(ctx, type, x, axis, target, limits))
