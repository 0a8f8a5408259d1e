"""Computes what doesn't depend on the inputs.

    * A node whose inputs are all constants becomes its results.
    * Shape and Size of a value whose extents are all known become a constant, whatever the value.
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
    results = _shape(node, graph) or _results(node, graph)
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
    extents = graph.type(node.input(0)).static_shape
    return (
        None
        if extents is None
        else cpu.evaluate(node, graph, [np.broadcast_to(np.int8(0), extents)])
    )


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
