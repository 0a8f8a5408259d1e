"""Folds a product or a sum by channel into the Conv, ConvTranspose or Gemm before it.

Mul and Div by a constant c scale weights and bias; Add and Sub of c, and Sub from c, change the bias.
c is one number, or one for each channel along axis 1 and 1 along the others, and adds no dimension. Weights and, if
there is one, the bias are constants; the C of a Gemm is the same for each row.
Must not fire when the result of the operator before is used elsewhere or is a graph output, when Div is by 0, when new
float16 weights would overflow, or when
channels are known by none but c.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pyxnn.graph import Graph, Node
from pyxnn.passes.channels import OPERATORS, channels, scaled
from pyxnn.passes.rewrite import each_node, made_by


def run(graph: Graph) -> bool:
    return each_node(graph, _fold)


def _fold(node: Node, graph: Graph) -> Sequence[Node] | None:
    if not node.is_op("Add", "Div", "Mul", "Sub"):
        return None
    x, operand = node.inputs
    from_constant = node.is_op("Sub") and x in graph.initializers
    if from_constant:
        x, operand = operand, x
    constant, before = graph.constant(operand), made_by(graph, x, *OPERATORS)
    if constant is None or before is None or graph.sole_consumer(x) is not node:
        return None
    count = channels(graph, before)
    rank = 2 if before.is_op("Gemm") else graph.initializers[before.input(1)].ndim if count else 0
    number = None if count is None else _by_channel(constant.astype(np.float64), count, rank)
    if number is None or (node.is_op("Div") and (number == 0).any()):
        return None
    ones, zeros = np.ones_like(number), np.zeros_like(number)
    factor, shift = {
        "Add": (ones, number),
        "Sub": (-ones, number) if from_constant else (ones, -number),
        "Mul": (number, zeros),
        "Div": (1 / number if node.is_op("Div") else ones, zeros),
    }[node.op_type]
    folded = scaled(graph, before, factor, shift, node.output(0))
    if folded is None:
        return None
    graph.replace(before)
    return (folded,)


def _by_channel(constant: np.ndarray, channels: int, rank: int) -> np.ndarray | None:
    """The element for each channel, None when there is another axis than 1, or another number of elements."""
    missing = rank - constant.ndim
    if missing < 0 or constant.size not in (1, channels):
        return None
    shape = (1,) * missing + constant.shape
    return None if shape[1] != constant.size else np.broadcast_to(constant.reshape(-1), channels)
