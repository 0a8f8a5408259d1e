"""Which of the operators that a model quantizes run on integers, and why others don't."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from pyxnn.graph import Graph, Node
from pyxnn.xnnpack import tables
from pyxnn.xnnpack.fusion import Work

_BYTES = {np.dtype(np.int8), np.dtype(np.uint8)}
_CONVERSIONS = ("DequantizeLinear", "QuantizeLinear", "DynamicQuantizeLinear")
_INTEGER_PRODUCTS = ("MatMulInteger", "ConvInteger")


def on_integers(works: Iterable[Work], graph: Graph) -> dict[Node, str | None]:
    """The operators of a subgraph that the model quantizes, each with None when it runs on integers, else with why it doesn't.

    They are those that multiply integers or make them of 8 bits, and those between DequantizeLinear and QuantizeLinear.
    """
    found: dict[Node, str | None] = {}
    origins: dict[str, str] = {}
    made_by: dict[str, Work] = {}
    for work in works:
        node = work.node
        origin = tables.origin_of(work, graph, origins)
        if origin is not None:
            origins[node.output(0)] = origin
        made_by.update((name, work) for name in node.defines())
        if node.is_op("QuantizeLinear"):
            before = made_by.get(node.input(0))
            if before is not None and before.reason and _is_dequantized(before.nodes[0], graph):
                found.update(dict.fromkeys(before.nodes, None if origin else before.reason))
        elif node.is_op(*_INTEGER_PRODUCTS):
            found[work.nodes[0]] = None
        elif graph.dtype(node.output(0)) in _BYTES:
            found.update(dict.fromkeys(work.nodes))
    return {node: reason for node, reason in found.items() if not node.is_op(*_CONVERSIONS)}


def _is_dequantized(node: Node, graph: Graph) -> bool:
    """Whether all that a node computes with, but for constants, comes from DequantizeLinear, and some of it is not constant."""
    sources = []
    for name in node.uses():
        dtype = graph.dtype(name)
        if graph.constant(name) is not None or (dtype is not None and dtype.kind in "biu"):
            continue
        maker = graph.producer(name)
        if maker is None or not maker.is_op("DequantizeLinear"):
            return False
        sources.append(maker.input(0))
    return any(graph.constant(name) is None for name in sources)
