"""Computes what doesn't depend on the inputs.

    * A node whose inputs are all constants becomes its results.
    * Shape and Size of a value become a constant, whatever the value, when all extents that they look at are known; so do a
      Gather and a Slice of a Shape, such as the size of a head where only the length of the sequence isn't known.
Must not fire on nodes that draw random numbers, on If, Loop and Scan, on operators outside ONNX's
own domain, nor on a node that can't be run: that is for the session to report when it gets there;
nor on a DequantizeLinear for an operator that may run on integers, as another input of it is
dequantized too.
"""

from __future__ import annotations

import numpy as np

from pyxnn import cpu, xnnpack
from pyxnn.errors import Fail, NotImplemented
from pyxnn.graph import Graph, Node
from pyxnn.partition import is_pure
from pyxnn.passes.rewrite import made_by


def run(graph: Graph) -> bool:
    changed = False
    for node in list(graph.nodes):
        changed |= fold(node, graph)
    return changed


def fold(node: Node, graph: Graph) -> bool:
    """Puts the results of one node in its place; says whether it did."""
    results = _shape(node, graph) or _extents(node, graph) or _results(node, graph)
    if results is None:
        return False
    graph.replace(node)
    for name, result in zip(node.outputs, results, strict=False):
        if name:
            graph.set_constant(name, result)
    return True


def _shape(node: Node, graph: Graph) -> list[np.ndarray] | None:
    if not node.is_op("Shape", "Size"):
        return None
    extents = graph.shape(node.input(0))
    if extents is None:
        return None
    looked_at = extents[node.attribute("start", 0) : node.attribute("end")]
    if not all(isinstance(extent, int) for extent in looked_at):
        return None
    known = [extent if isinstance(extent, int) else 1 for extent in extents]
    return cpu.evaluate(node, graph, [np.broadcast_to(np.int8(0), known)])


_UNKNOWN = -1


def _extents(node: Node, graph: Graph) -> list[np.ndarray] | None:
    """What a Gather or Slice takes out of a Shape, when that is known."""
    if not node.is_op("Gather", "Slice"):
        return None
    shape = made_by(graph, node.input(0), "Shape")
    others = [graph.constant(name) for name in node.inputs[1:]]
    extents = None if shape is None else graph.shape(shape.input(0))
    if shape is None or extents is None or any(array is None for array in others):
        return None
    part = extents[shape.attribute("start", 0) : shape.attribute("end")]
    known = np.array([extent if isinstance(extent, int) else _UNKNOWN for extent in part], np.int64)
    try:
        results = cpu.evaluate(node, graph, [known, *others])
    except (Fail, NotImplemented):
        return None
    return None if (results[0] == _UNKNOWN).any() else results


def _results(node: Node, graph: Graph) -> list[np.ndarray] | None:
    if not is_pure(node) or not all(name in graph.initializers for name in node.uses()):
        return None
    if node.is_op("DequantizeLinear") and _serves_integers(node, graph):
        return None
    try:
        results = cpu.evaluate(node, graph, [graph.constant(name) for name in node.inputs])
    except (Fail, NotImplemented):
        return None
    # Sequences and optionals can't be initializers.
    return results if all(isinstance(result, np.ndarray) for result in results) else None


def _serves_integers(node: Node, graph: Graph) -> bool:
    return any(
        xnnpack.runs_on_integers(user) and _dequantizes(user, graph)
        for user in graph.consumers(node.output(0))
    )


def _dequantizes(node: Node, graph: Graph) -> bool:
    """Whether an input comes from a DequantizeLinear of something computed."""
    makers = (made_by(graph, name, "DequantizeLinear") for name in node.uses())
    return any(maker is not None and maker.input(0) not in graph.initializers for maker in makers)
