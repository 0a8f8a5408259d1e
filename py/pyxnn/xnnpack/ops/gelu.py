"""Erf and Gelu."""

from __future__ import annotations

from pyxnn.engine import FunctionType
from pyxnn.graph import Node
from pyxnn.xnnpack import kernels
from pyxnn.xnnpack.lowering import Lowering
from pyxnn.xnnpack.ops import conditions
from pyxnn.xnnpack.registry import register


@register("Erf", supports=conditions.floating)
def lower_erf(node: Node, ctx: Lowering) -> None:
    """Erf (opsets 9, 13): input of any shape to its error function."""
    x = ctx.value(node.input(0))
    ctx.define(node.output(0), kernels.function(ctx, FunctionType.ERF, x))


@register("Gelu", supports=conditions.floating)
def lower_gelu(node: Node, ctx: Lowering) -> None:
    """Gelu (opset 20): X of any shape to X * (1 + erf(X / sqrt(2))) / 2, or to its approximation by tanh."""
    x = ctx.value(node.input(0))
    is_approximate = node.attribute("approximate", "none") == "tanh"
    type = FunctionType.GELU_TANH if is_approximate else FunctionType.GELU
    ctx.define(node.output(0), kernels.function(ctx, type, x))
