"""Operators with constant weights, and what follows them by channel."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pyxnn.graph import Graph, Node

OPERATORS = ("Conv", "ConvTranspose", "Gemm")


def channels(graph: Graph, node: Node) -> int | None:
    """How many channels one of `OPERATORS` gives; None when its weights or its bias aren't constant, or when the C of a
    Gemm isn't the same for each row."""
    weights, bias = graph.constant(node.input(1)), graph.constant(node.input(2))
    if weights is None or (bias is None and node.input(2)):
        return None
    if node.op_type != "Gemm":
        groups = node.attribute("group", 1)
        return int(weights.shape[0] if node.op_type == "Conv" else weights.shape[1] * groups)
    if bias is not None and bias.ndim == 2 and bias.shape[0] != 1:
        return None
    return int(weights.shape[0 if node.attribute("transB", 0) else 1])


def scaled(
    graph: Graph, node: Node, factor: np.ndarray, shift: np.ndarray, output: str
) -> Node | None:
    """The node that gives as `output` what `node` gives, times a factor, plus a shift; None when its type is too narrow.

    Args:
        graph: receives its weights and bias.
        node: one of `OPERATORS`, of which `channels` knows the number.
        factor, shift: one for each channel.
    """
    weights, bias = graph.initializers[node.input(1)], graph.constant(node.input(2))
    attributes = dict(node.attributes)
    beta = attributes.pop("beta", 1.0)
    arrays = {}
    if (factor != 1).any():
        arrays["weights"] = weights * _along_channels(node, factor, weights).astype(np.float32)
    old_bias = np.zeros(()) if bias is None else bias.reshape(-1).astype(np.float64) * beta
    new_bias = old_bias * factor + shift
    if bias is not None or new_bias.any():
        arrays["bias"] = new_bias
    arrays = {kind: array.astype(weights.dtype) for kind, array in arrays.items()}
    if weights.dtype.itemsize < 4 and not all(np.isfinite(a).all() for a in arrays.values()):
        return None
    inputs = node.inputs[:2]
    for position, kind in ((1, "weights"), (2, "bias")):
        if kind in arrays:
            inputs[position:] = [graph.add_constant(arrays[kind], f"{output}_{kind}")]
    return replace(node, inputs=inputs, outputs=[output], attributes=attributes)


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
