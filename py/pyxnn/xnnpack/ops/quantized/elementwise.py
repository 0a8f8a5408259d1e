"""Sums and products of two tensors on integers. Functions of one tensor are tables (see `tables`)."""

from __future__ import annotations

from pyxnn.engine import BinaryType
from pyxnn.graph import Graph, Node
from pyxnn.quantization import Quantization
from pyxnn.xnnpack import kernels
from pyxnn.xnnpack.lowering import Lowering
from pyxnn.xnnpack.ops.quantized import conditions, operands
from pyxnn.xnnpack.registry import quantized

_MAX_OF_SUM, _MAX_OF_PRODUCT = 256, 64
"""With factors from here on, results don't fit the kernel's 23 bits."""


def supports_sum(node: Node, graph: Graph, target: Quantization) -> str | None:
    """Inputs whose scales are less than 256 times the output's."""
    reason = conditions.activation(node, graph) or conditions.activation(node, graph, 1)
    if reason is not None:
        return reason
    sources = [conditions.source(node, graph, position) for position in (0, 1)]
    factors = [source.scale / target.scale for source in sources if source is not None]
    return None if max(factors) < _MAX_OF_SUM else "its scales are too far apart"


@quantized("Add", "Sub", supports=supports_sum)
def lower_sum(node: Node, ctx: Lowering, target: Quantization) -> None:
    """Add, Sub (opsets 7 to 14) of int8 A and B, broadcast as in NumPy."""
    a, b = (ctx.quantized(name) for name in node.inputs)
    sign = -1 if node.op_type == "Sub" else 1
    factors = a.quantization.scale / target.scale, sign * b.quantization.scale / target.scale
    limits = operands.limits(target, ctx.bounds)
    ctx.define(node.output(0), kernels.binary_qs8(ctx, BinaryType.ADD, a, b, factors, *limits))


def supports_product(node: Node, graph: Graph, target: Quantization) -> str | None:
    """Inputs whose scales multiply to less than 64 times the output's."""
    reason = conditions.activation(node, graph) or conditions.activation(node, graph, 1)
    if reason is not None:
        return reason
    a, b = (conditions.source(node, graph, position) for position in (0, 1))
    assert a is not None and b is not None
    factor = a.scale * b.scale / target.scale
    return None if factor < _MAX_OF_PRODUCT else "its scales are too far apart"


@quantized("Mul", supports=supports_product)
def lower_product(node: Node, ctx: Lowering, target: Quantization) -> None:
    """Mul (opsets 7 to 14) of int8 A and B, broadcast as in NumPy."""
    a, b = (ctx.quantized(name) for name in node.inputs)
    factor = a.quantization.scale * b.quantization.scale / target.scale
    limits = operands.limits(target, ctx.bounds)
    y = kernels.binary_qs8(ctx, BinaryType.MULTIPLY, a, b, (factor, 0.0), *limits)
    ctx.define(node.output(0), y)
