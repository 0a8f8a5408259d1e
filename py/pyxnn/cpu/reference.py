"""Kernels out of onnx.reference, for one node at a time and so at the opset version of that node.

Importing this costs 0.6 s in Pyodide; import it when a node needs it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import onnx
from onnx.reference import ReferenceEvaluator

from pyxnn import errors, protos
from pyxnn.cpu.kernel import Kernel, Times
from pyxnn.graph import Graph, Node


def kernel(node: Node, graph: Graph) -> Kernel:
    """The kernel of a node.

    Raises:
        NotImplemented: onnx.reference has none for it, or for an operator in one of its bodies.
    """
    outputs = list(node.defines())
    try:
        evaluator = ReferenceEvaluator(
            _model_of(node, graph),
            opsets={**graph.opsets, node.domain: node.since},
        )
    except (NotImplementedError, RuntimeError, TypeError) as error:
        domain = node.domain or "ai.onnx"
        raise errors.NotImplemented(
            f"Could not find an implementation for {node.op_type}({node.since}) node with name "
            f"'{node.name}' of domain '{domain}': {str(error).splitlines()[0]}"
        ) from error

    def run(inputs: Sequence[Any], captures: Mapping[str, Any], times: Times) -> Sequence[Any]:
        feeds = {name: value for name, value in zip(node.inputs, inputs, strict=True) if name}
        results = dict(zip(outputs, evaluator.run(outputs, {**captures, **feeds}), strict=True))
        return [results.get(name) for name in node.outputs]

    return run


def _model_of(node: Node, graph: Graph) -> onnx.GraphProto:
    """The node as a graph of its own."""
    inputs = [
        onnx.ValueInfoProto(name=name, type=protos.type_proto(graph.type(name)))
        for name in dict.fromkeys(filter(None, node.inputs))
    ]
    outputs = [onnx.ValueInfoProto(name=name) for name in node.defines()]
    return onnx.helper.make_graph(
        [protos.node_proto(node)], node.name or node.op_type, inputs, outputs
    )
