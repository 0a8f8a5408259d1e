"""Nodes in the place of one: what its operator is made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx

from pyxnn import inference
from pyxnn.graph import Graph, Node

NEWEST = onnx.defs.onnx_opset_version()


class Body:
    """A node's operator in terms of others, while it grows.

    Values are named after the node's first output, and their types are known as soon as they are made.

    Attributes:
        graph: that the node is in; it learns constants and types at once, the nodes when they replace it.
        node: the one to replace.
        nodes: those in its place, in order.
    """

    def __init__(self, graph: Graph, node: Node) -> None:
        self.graph = graph
        self.node = node
        self.nodes: list[Node] = []

    def add(self, op_type: str, *inputs: str, **attributes: Any) -> str:
        """Adds a node of ONNX's newest opset; returns the name of its first output."""
        return self.add_with_outputs(1, op_type, *inputs, **attributes)[0]

    def add_with_outputs(
        self, count: int, op_type: str, *inputs: str, **attributes: Any
    ) -> list[str]:
        """Adds a node with so many outputs; returns their names."""
        outputs = [self.graph.fresh(f"{self.node.output(0)}_{op_type}") for _ in range(count)]
        used = list(inputs)
        while used and not used[-1]:
            used.pop()
        node = Node(op_type, used, outputs, attributes, name=self.node.name, since=NEWEST)
        inference.infer_node(node, self.graph)
        self.nodes.append(node)
        return outputs

    def constant(self, value: Any, dtype: Any = np.int64) -> str:
        """The name of a constant."""
        return self.graph.add_constant(np.array(value, dtype), f"{self.node.output(0)}_constant")

    def scalar_like(self, name: str, value: float) -> str:
        """The name of a constant of the type that another value has."""
        return self.constant(value, self.graph.dtype(name) or np.float32)

    def extent(self, name: str, axis: int) -> str:
        """An extent of a value, as int64 [1]."""
        shape = self.graph.shape(name)
        known = None if shape is None else shape[axis]
        if isinstance(known, int):
            return self.constant([known])
        end = {} if axis == -1 else {"end": axis + 1}
        return self.add("Shape", name, start=axis, **end)

    def reshape(self, name: str, extents: Sequence[int | str]) -> str:
        """A value under another shape: numbers, 0 and -1 as in Reshape, or names of int64 [1]."""
        if all(isinstance(extent, int) for extent in extents):
            return self.add("Reshape", name, self.constant(extents))
        parts = [part if isinstance(part, str) else self.constant([part]) for part in extents]
        return self.add("Reshape", name, self.add("Concat", *parts, axis=0))

    def give(self, index: int, name: str) -> None:
        """Makes a value the node's output of an index; nothing where that isn't asked for."""
        output = self.node.output(index)
        if not output:
            return
        maker = next((node for node in self.nodes if name in node.outputs), None)
        if maker is None or name in self.node.outputs:
            self.nodes.append(Node("Identity", [name], [output], name=self.node.name, since=NEWEST))
        else:
            for node in self.nodes:
                node.inputs = [output if value == name else value for value in node.inputs]
            maker.outputs = [output if value == name else value for value in maker.outputs]
        self.graph.types[output] = self.graph.type(name)
