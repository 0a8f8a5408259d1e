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
from dataclasses import replace

import numpy as np

from pyxnn.graph import Graph, Node
from pyxnn.passes.rewrite import each_node


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
    before = graph.producer(node.input(0))
    if before is None or graph.sole_consumer(node.input(0)) is not node:
        return None
    if not before.is_op("Conv", "ConvTranspose", "Gemm"):
        return None
    scale, shift, mean, variance = (graph.constant(name) for name in node.inputs[1:5])
    weights = graph.constant(before.input(1))
    bias = graph.constant(before.input(2))
    if scale is None or shift is None or mean is None or variance is None or weights is None:
        return None
    if bias is None and before.input(2):
        return None
    factor = scale.astype(np.float64) / np.sqrt(
        variance.astype(np.float64) + node.attribute("epsilon", 1e-5)
    )
    attributes = dict(before.attributes)
    if bias is None:
        bias = np.zeros(factor.shape)
    elif before.is_op("Gemm"):
        if bias.ndim == 2 and bias.shape[0] != 1:
            return None
        bias = np.broadcast_to(bias.reshape(-1), factor.shape) * attributes.pop("beta", 1.0)
    attributes.pop("beta", None)
    new_bias = (bias.astype(np.float64) - mean) * factor + shift
    new_weights = weights * _along_channels(before, factor, weights).astype(np.float32)
    arrays = [new.astype(weights.dtype) for new in (new_weights, new_bias)]
    if weights.dtype.itemsize < 4 and not all(np.isfinite(array).all() for array in arrays):
        return None
    y = node.output(0)
    names = [
        graph.add_constant(array, f"{y}_{kind}")
        for array, kind in zip(arrays, ("weights", "bias"), strict=True)
    ]
    inputs = [before.input(0), *names]
    graph.replace(before)
    return (replace(before, inputs=inputs, outputs=[y], attributes=attributes),)


def _along_channels(node: Node, factor: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """One factor an output channel, shaped to multiply the weights."""
    if node.op_type == "Gemm":
        return factor.reshape((-1, 1) if node.attribute("transB", 0) else (1, -1))
    kernel = (1,) * (weights.ndim - 2)
    if node.op_type == "Conv":
        return factor.reshape(-1, 1, *kernel)
    groups = node.attribute("group", 1)
    per_group = factor.reshape(groups, 1, -1)
    return np.repeat(per_group, weights.shape[0] // groups, 1).reshape(
        weights.shape[0], -1, *kernel
    )
