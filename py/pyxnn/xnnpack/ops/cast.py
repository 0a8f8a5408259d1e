"""Conversions between element types."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pyxnn.engine import FunctionType
from pyxnn.graph import Graph, Node
from pyxnn.tensor_types import dtype_of
from pyxnn.xnnpack import kernels
from pyxnn.xnnpack.lowering import Lowering
from pyxnn.xnnpack.ops import conditions, small_types
from pyxnn.xnnpack.registry import register
from pyxnn.xnnpack.values import FLOAT32, HALVES, Value


def supports_cast(node: Node, graph: Graph) -> str | None:
    """To any type but strings."""
    return conditions.movable(node, graph) or _is_known(dtype_of(node.attributes["to"]))


@register("Cast", supports=supports_cast)
def lower_cast(node: Node, ctx: Lowering) -> None:
    """Cast (opsets 6 to 28): input of any shape to the type `to`.

    What doesn't fit: integers wrap, and a float outside of its integers becomes the lowest one, as on onnxruntime's x86; floats of
    8 bits do what `saturate` says. To a float of 16 bits or fewer means rounding.
    """
    x, source = ctx.value(node.input(0)), ctx.dtype(node.input(0))
    target = dtype_of(node.attributes["to"])
    assert target is not None
    if source == target:
        ctx.define(node.output(0), x)
        return
    if source is not None and source in HALVES and target not in {FLOAT32, np.dtype(np.float64)}:
        x = _rounded(ctx, x, source)
    x = small_types.widened(ctx, x)
    if target in HALVES:
        x = _rounded(ctx, kernels.cast(ctx, x, FLOAT32), target)
    elif target in small_types.INTEGERS:
        x = small_types.integers(ctx, x, target)
    elif target in small_types.FLOATS:
        saturate, round_mode = node.attribute("saturate", 1), node.attribute("round_mode", "up")
        x = kernels.cast(ctx, x, FLOAT32)
        x = small_types.floats(ctx, x, target, saturate=bool(saturate), round_mode=round_mode)
    else:
        x = kernels.cast(ctx, x, target)
    ctx.define(node.output(0), x)


def supports_bit_cast(node: Node, graph: Graph) -> str | None:
    """From and to any types but floats of 16 bits."""
    target = dtype_of(node.attributes["to"])
    if {graph.dtype(node.input(0)), target} & HALVES:
        return "floats of 16 bits don't lie as such"
    return conditions.movable(node, graph) or _is_known(target)


@register("BitCast", supports=supports_bit_cast)
def lower_bit_cast(node: Node, ctx: Lowering) -> None:
    """BitCast (opset 26): the bytes of input as elements of the type `to`, which is of the same size."""
    x, target = ctx.value(node.input(0)), dtype_of(node.attributes["to"])
    assert target is not None
    source = x.source.view(target) if isinstance(x.source, np.ndarray) else x.source
    ctx.define(node.output(0), replace(x, source=source, dtype=target))


def _rounded(ctx: Lowering, x: Value, half: np.dtype) -> Value:
    """The nearest numbers of 16 bits, as float32."""
    type = FunctionType.TO_FLOAT16 if half == np.float16 else FunctionType.TO_BFLOAT16
    return kernels.function(ctx, type, x)


def _is_known(dtype: np.dtype | None) -> str | None:
    return None if dtype in conditions.MOVABLE else f"no kernel makes {dtype}"
