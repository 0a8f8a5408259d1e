"""Folds BatchNormalization into the Conv, ConvTranspose or Gemm before it.

With s = scale / sqrt(var + epsilon), per output channel: weights become weights * s, the bias
becomes (bias - mean) * s + shift.
    * Conv, ConvTranspose: weights and, if there is one, the bias are constants.
    * Gemm: B and, if there is one, C are constants, and C is the same for each row; its beta
      becomes 1.
Must not fire when the result of the operator before is used elsewhere or is a graph output, when a
parameter isn't a constant, when a float of 16 bits can't hold what comes of it, or when
BatchNormalization isn't in its inference form (see batch_norm_form).
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
    if (
        not node.is_op("BatchNormalization")
        or node.since < 15
        or len(node.outputs) > 1
        or node.attribute("training_mode")
    ):
        return None
    before = made_by(graph, node.input(0), *OPERATORS)
    if before is None or graph.sole_consumer(node.input(0)) is not node:
        return None
    parameters = [graph.constant(name) for name in node.inputs[1:5]]
    known = [array.astype(np.float64) for array in parameters if array is not None]
    if len(known) < 4 or channels(graph, before) != known[0].size:
        return None
    scale, shift, mean, variance = known
    factor = scale / np.sqrt(variance + node.attribute("epsilon", 1e-5))
    folded = scaled(graph, before, factor, shift - mean * factor, node.output(0))
    if folded is None:
        return None
    graph.replace(before)
    return (folded,)
