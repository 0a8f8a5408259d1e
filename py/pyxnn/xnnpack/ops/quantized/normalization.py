"""LayerNormalization and RMSNormalization on integers."""

from __future__ import annotations

import numpy as np

from pyxnn.graph import Graph, Node
from pyxnn.quantization import Quantization
from pyxnn.xnnpack import kernels
from pyxnn.xnnpack.layout import Shape
from pyxnn.xnnpack.lowering import Lowering
from pyxnn.xnnpack.ops.quantized import conditions, operands
from pyxnn.xnnpack.registry import quantized


def supports_layer_normalization(node: Node, graph: Graph, target: Quantization) -> str | None:
    """Constant Scale and B."""
    return (
        conditions.activation(node, graph)
        or conditions.bias(node, graph, 1)
        or conditions.bias(node, graph, 2)
    )


@quantized("LayerNormalization", "RMSNormalization", supports=supports_layer_normalization)
def lower_layer_normalization(node: Node, ctx: Lowering, target: Quantization) -> None:
    """LayerNormalization (opset 17), RMSNormalization (opset 23) of int8 X, over the axes from `axis` on."""
    x = ctx.quantized(node.input(0))
    axis = node.attribute("axis", -1) % x.integers.rank
    row = x.integers.shape[axis:]
    output = kernels.normalize_qs8(
        ctx,
        x,
        axis,
        _row_of(ctx, node.input(1), row, 1.0) / target.scale,
        _row_of(ctx, node.input(2), row, 0.0) / target.scale,
        node.attribute("epsilon", 1e-5),
        (node.output(0), row),
        operands.limits(target, ctx.bounds),
        is_centered=node.op_type == "LayerNormalization",
    )
    ctx.define(node.output(0), output)


def _row_of(ctx: Lowering, name: str, row: Shape, default: float) -> np.ndarray:
    """A constant broadcast to the extents of a row."""
    array = ctx.array(name) if name else np.float32(default)
    missing = max(array.ndim - len(row), 0)
    if any(extent != 1 for extent in array.shape[:missing]):
        raise ValueError(f"'{name}' of shape {array.shape} differs between rows {row}")
    return np.broadcast_to(array.reshape(array.shape[missing:]), row).astype(np.float32)
