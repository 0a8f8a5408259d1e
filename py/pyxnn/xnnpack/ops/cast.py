"""Conversions between element types."""

from __future__ import annotations

import numpy as np

from pyxnn.graph import Graph, Node
from pyxnn.tensor_types import dtype_of
from pyxnn.xnnpack import kernels
from pyxnn.xnnpack.lowering import Lowering
from pyxnn.xnnpack.ops import conditions
from pyxnn.xnnpack.registry import register


def supports_cast(node: Node, graph: Graph) -> str | None:
    return conditions.movable(node, graph) or _is_known(dtype_of(node.attributes["to"]))


@register("Cast", supports=supports_cast)
def lower_cast(node: Node, ctx: Lowering) -> None:
    """Cast (opsets 6 to 25): input of any shape to the type `to`.

    What doesn't fit: integers wrap, and a float outside of its integers becomes the lowest one, as on onnxruntime's x86.
    """
    x = ctx.value(node.input(0))
    dtype = dtype_of(node.attributes["to"])
    assert dtype is not None
    ctx.define(node.output(0), kernels.cast(ctx, x, dtype))


def _is_known(dtype: np.dtype | None) -> str | None:
    return None if dtype in conditions.MOVABLE else f"no kernel makes {dtype}"
