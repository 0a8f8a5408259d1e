"""Conditions that operators on integers share: None when met, else the reason, a sentence."""

from __future__ import annotations

import numpy as np

from pyxnn import quantization
from pyxnn.graph import Graph, Node
from pyxnn.quantization import Quantization

_INT8, _INT32 = np.dtype(np.int8), np.dtype(np.int32)


def activation(node: Node, graph: Graph, position: int = 0) -> str | None:
    """That an input is int8 of one scale and zero point."""
    found = source(node, graph, position)
    if found is None or found.dtype != _INT8 or not found.is_per_tensor:
        return f"input '{node.input(position)}' is not int8 of one constant scale and zero point"
    return None


def weights(node: Node, graph: Graph, position: int, axis: int) -> str | None:
    """That an input is constant int8, of one scale and zero point or one for each index of an axis."""
    name = node.input(position)
    found = source(node, graph, position)
    if found is None or integers(node, graph, position) is None or found.dtype != _INT8:
        return f"input '{name}' is not constant int8"
    if not found.is_per_tensor and found.axis != axis:
        return f"the scales of '{name}' go along axis {found.axis}"
    return None


def bias(node: Node, graph: Graph, position: int) -> str | None:
    """That an input is constant, or absent."""
    name = node.input(position)
    if not name or graph.constant(name) is not None or integers(node, graph, position) is not None:
        return None
    return f"input '{name}' is computed, not constant"


def multipliers(node: Node, graph: Graph, target: Quantization, factor: float = 1.0) -> str | None:
    """That sums of products of the first two inputs and a factor can be brought to the target's scale."""
    a, b = source(node, graph, 0), source(node, graph, 1)
    assert a is not None and b is not None
    with np.errstate(all="ignore"):
        factors = factor * a.scale * b.scale / target.scale
    if not np.all((factors >= np.finfo(np.float32).tiny) & np.isfinite(factors)):
        return "what its scales make together is no normal float"
    return None


def source(node: Node, graph: Graph, position: int) -> Quantization | None:
    """What the integers behind an input stand for; None when it isn't dequantized by constants."""
    maker = graph.producer(node.input(position))
    if maker is None or not maker.is_op("DequantizeLinear"):
        return None
    return quantization.of(maker, graph)


def integers(node: Node, graph: Graph, position: int) -> np.ndarray | None:
    """The integers behind an input, if they are constant."""
    maker = graph.producer(node.input(position))
    if maker is None or not maker.is_op("DequantizeLinear"):
        return None
    return graph.constant(maker.input(0))
