"""Kernels out of onnx.reference, for one node at a time and so at the opset version of that node.

Importing this costs 0.6 s in Pyodide; import it when a node needs it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator
from onnx.reference.ops import op_loop

from pyxnn import errors, protos
from pyxnn.cpu.kernel import Kernel
from pyxnn.graph import Graph, Node
from pyxnn.tensor_types import tensor_type


class Loop(op_loop.Loop):
    """Loop; onnx.reference's takes an absent condition for false and stacks scalars as rows."""

    body: ReferenceEvaluator
    _run_body: Callable[..., list[Any]]

    def _run(
        self,
        M: np.ndarray | None,  # noqa: N803
        cond: np.ndarray | None,
        *state: Any,
        context: Mapping[str, Any] | None = None,
        attributes: Any = None,
        **_: Any,
    ) -> tuple[Any, ...]:
        body = self.body
        names, carried = body.input_names, len(state)
        most = None if M is None else M.item()
        goes_on = np.array(cond is None or cond.item())
        rows: list[list[Any]] = []
        while goes_on.item() and len(rows) != most:
            values = (np.array(len(rows), np.int64), goes_on, *state)
            feeds = {**(context or {}), **dict(zip(names, values, strict=True))}
            goes_on, *results = self._run_body(feeds, attributes=attributes)
            state = tuple(results[:carried])
            rows.append(results[carried:])
        scans = zip(*rows, strict=True) if rows else map(_no_rows, body.output_types[1 + carried :])
        return (*state, *map(np.asarray, scans))


def _no_rows(type: onnx.TypeProto) -> np.ndarray:
    """What a Loop that never ran has of an output that collects rows of a type."""
    row = tensor_type(type)
    return np.empty(
        (0, *(extent if isinstance(extent, int) else 0 for extent in row.shape or ())), row.dtype
    )


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
            new_ops=[Loop],
        )
    except (NotImplementedError, RuntimeError, TypeError) as error:
        domain = node.domain or "ai.onnx"
        raise errors.NotImplemented(
            f"Could not find an implementation for {node.op_type}({node.since}) node with name "
            f"'{node.name}' of domain '{domain}': {str(error).splitlines()[0]}"
        ) from error

    def run(inputs: Sequence[Any], captures: Mapping[str, Any]) -> Sequence[Any]:
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
