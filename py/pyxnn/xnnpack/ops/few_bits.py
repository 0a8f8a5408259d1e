"""Products with weights of 4 and 8 bits."""

from __future__ import annotations

import numpy as np

from pyxnn import microsoft
from pyxnn.graph import Graph, Node
from pyxnn.xnnpack import kernels
from pyxnn.xnnpack.lowering import Lowering
from pyxnn.xnnpack.ops import conditions
from pyxnn.xnnpack.registry import register

_FLOAT32, _INT8 = 1, 4
"""Accuracy levels: the least that products are computed in. 2 is float16 and 3 bfloat16."""


def supports_matmul_nbits(node: Node, graph: Graph) -> str | None:
    """Constant weights of 4 or 8 bits in blocks of a multiple of 16; no g_idx."""
    if node.input(4):
        return f"the rows of its weights are in the order of '{node.input(4)}' (g_idx)"
    bits, size = node.attribute("bits", 4), node.attributes["block_size"]
    if bits not in (4, 8) or size % 16 or node.attribute("weight_prepacked", 0):
        return f"its weights are of {bits} bits in blocks of {size}, or packed in another way"
    reason = conditions.floating(node, graph, [0, 2, 5]) or conditions.constant(
        node, graph, 1, 2, 3, 5
    )
    if reason:
        return reason
    blocks = -(-node.attributes["K"] // size)
    columns = node.attributes["N"]
    zeros, scales = graph.constant(node.input(3)), graph.type(node.input(2))
    wanted = {
        1: columns * blocks * size * bits // 8,
        2: columns * blocks,
        5: columns,
        3: columns
        * (-(-blocks * bits // 8) if zeros is not None and zeros.dtype.kind == "u" else blocks),
    }
    for position, count in wanted.items():
        array = graph.constant(node.input(position))
        if array is not None and array.size != count:
            return f"input '{node.input(position)}' has {array.size} elements, not {count}"
    if zeros is not None and zeros.dtype != np.uint8 and zeros.dtype != scales.dtype:
        return f"zero points '{node.input(3)}' are {zeros.dtype}"
    return None


@register("MatMulNBits", supports=supports_matmul_nbits, clamps=True, domain=microsoft.DOMAIN)
def lower_matmul_nbits(node: Node, ctx: Lowering) -> None:
    """com.microsoft.MatMulNBits: A (..., K) and N columns of packed weights, their scales, zero points and bias, to (..., N).

    At accuracy level 1 (float32) rows are multiplied as floats, with the weights unpacked a panel at a time. At level 4
    (int8) they are rounded to 8 bits of the greatest number of each 16 to 64 in a block, unless weights have 8 bits; at the
    others (0: unset, 2: float16, 3: bfloat16) and with weights of 8 bits, to 16 bits if rows are few, and are floats otherwise.
    """
    a = ctx.value(node.input(0))
    rows, columns = node.attributes["K"], node.attributes["N"]
    bits, level = node.attribute("bits", 4), node.attribute("accuracy_level", 0)
    if a.shape[-1:] != (rows,):
        raise ValueError(f"{a.shape} can't be multiplied with {rows} rows")
    product = kernels.matmul_nbits(
        ctx,
        a if a.rank > 1 else ctx.reshape(a, (1, rows)),
        ctx.weights(node.input(1)),
        ctx.array(node.input(2)).astype(np.float32),
        ctx.constant(node.input(3)),
        ctx.constant(node.input(5)),
        ctx.weights_key(*filter(None, node.inputs[1:])),
        bits=bits,
        block_size=node.attributes["block_size"],
        columns=columns,
        row_bits=0 if level == _FLOAT32 else 8 if level == _INT8 and bits == 4 else 16,
        bounds=ctx.bounds,
    )
    ctx.define(node.output(0), ctx.reshape(product, (*a.shape[:-1], columns)))
