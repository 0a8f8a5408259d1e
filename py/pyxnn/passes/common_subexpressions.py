"""Computes once what several nodes compute alike: the same operator with the same attributes, of the same inputs.

Constants of a few elements are the same when they are equal; larger ones, and the first input, by name.
Must not fire on nodes that draw random numbers or have bodies, on operators outside ONNX's own domain, nor when a
result of the later node is a graph output or is captured by a body.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
import onnx

from pyxnn.graph import Graph, Node
from pyxnn.partition import is_pure

_FEW = 16


def run(graph: Graph) -> bool:
    changed = False
    alone: dict[Hashable, Node] = {}  # by what is cheap to compare
    first: dict[Hashable, Node] = {}
    for node in list(graph.nodes):
        other = alone.setdefault((node.op_type, node.input(0)), node)
        if other is node or not is_pure(node):
            continue
        first.setdefault(_meaning(other, graph), other)
        earlier = first.setdefault(_meaning(node, graph), node)
        if earlier is node or any(
            graph.is_output(name) or graph.is_captured(name) for name in node.defines()
        ):
            continue
        graph.replace(node)
        for name, same in zip(node.outputs, earlier.outputs, strict=True):
            if name:
                graph.replace_uses(name, same)
        changed = True
    return changed


def _meaning(node: Node, graph: Graph) -> Hashable:
    """What two nodes have in common that compute the same."""
    inputs = tuple(_content(graph.constant(name), name) for name in node.inputs)
    attributes = tuple(sorted((name, _hashable(value)) for name, value in node.attributes.items()))
    return node.op_type, node.since, inputs, attributes, tuple(map(bool, node.outputs))


def _content(constant: np.ndarray | None, name: str) -> Hashable:
    if constant is None or constant.size > _FEW or constant.dtype == object:
        return name
    return constant.dtype, constant.shape, constant.tobytes()


def _hashable(value: Any) -> Hashable:
    if isinstance(value, np.ndarray):
        return str(value.dtype), value.shape, value.tobytes()
    if isinstance(value, onnx.SparseTensorProto | onnx.TypeProto):
        return value.SerializeToString()
    return tuple(map(_hashable, value)) if isinstance(value, list) else value
