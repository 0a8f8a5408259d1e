"""Add, Sub, Mul and Div."""

from __future__ import annotations

from pyxnn.engine import BinaryType
from pyxnn.graph import Node
from pyxnn.xnnpack import kernels
from pyxnn.xnnpack.lowering import Lowering
from pyxnn.xnnpack.ops import conditions
from pyxnn.xnnpack.registry import register

_BINARY = {
    "Add": BinaryType.ADD,
    "Div": BinaryType.DIVIDE,
    "Mul": BinaryType.MULTIPLY,
    "Sub": BinaryType.SUBTRACT,
}


@register(*_BINARY, supports=conditions.float32)
def lower_binary(node: Node, ctx: Lowering) -> None:
    """Add, Div, Mul, Sub (opsets 7 to 14): A and B, broadcast as in NumPy, to C."""
    a, b = (ctx.value(name) for name in node.inputs)
    ctx.define(node.output(0), kernels.binary(ctx, _BINARY[node.op_type], a, b))
