"""Makes DequantizeLinear, Conv or MatMul, and QuantizeLinear of QLinearConv and QLinearMatMul: the one form that integers have.

Must not fire where scales have more than one axis.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyxnn.body import Body
from pyxnn.graph import Graph, Node
from pyxnn.passes.rewrite import each_node

_SCALES = (1, 4, 6)


def run(graph: Graph) -> bool:
    return each_node(graph, _expand)


def _expand(node: Node, graph: Graph) -> Sequence[Node] | None:
    if not node.is_op("QLinearConv", "QLinearMatMul"):
        return None
    if any((graph.rank(node.input(position)) or 0) > 1 for position in _SCALES):
        return None
    body = Body(graph, node)
    (_conv if node.is_op("QLinearConv") else _matmul)(body)
    return body.nodes


def _conv(body: Body) -> None:
    """x (N, C, ...), w (M, C/group, ...) with scales by output channel or one, B (M) int32 of scale x_scale * w_scale."""
    x, x_scale, x_zero, w, w_scale, w_zero, y_scale, y_zero = body.node.inputs[:8]
    operands = [
        body.add("DequantizeLinear", x, x_scale, x_zero),
        body.add("DequantizeLinear", w, w_scale, w_zero, axis=0),
    ]
    if body.node.input(8):
        scale = body.add("Mul", w_scale, x_scale)
        operands.append(body.add("DequantizeLinear", body.node.input(8), scale, axis=0))
    y = body.add("Conv", *operands, **body.node.attributes)
    body.give(0, body.add("QuantizeLinear", y, y_scale, y_zero))


def _matmul(body: Body) -> None:
    """a (..., M, K) and y (..., M, N) with scales by row or one, b (..., K, N) with scales by column or one."""
    a, a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero = body.node.inputs
    y = body.add(
        "MatMul",
        body.add("DequantizeLinear", a, a_scale, a_zero, axis=-2),
        body.add("DequantizeLinear", b, b_scale, b_zero, axis=-1),
    )
    body.give(0, body.add("QuantizeLinear", y, y_scale, y_zero, axis=-2))
