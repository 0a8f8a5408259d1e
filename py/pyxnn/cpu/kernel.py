"""What runs one node: a NumPy function of ours for the frequent operators, else onnx.reference."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from pyxnn import microsoft
from pyxnn.cpu import quick
from pyxnn.errors import Fail
from pyxnn.graph import Graph, Node
from pyxnn.profile import StepTime

Times = list[StepTime] | None

Kernel = Callable[[Sequence[Any], Mapping[str, Any], Times], Sequence[Any]]
"""Takes the node's inputs (None where absent), the values that its bodies capture, by name, and a list that receives the
times of its bodies' steps, if they are wanted; gives its outputs in order. A value is an array, or what onnx.reference has
for sequences (list) and optionals (None).
"""


def kernel(node: Node, graph: Graph) -> Kernel:
    """The kernel of a node.

    Raises:
        NotImplemented: there is none for this operator, or for an operator in one of its bodies.
    """
    function = quick.find(node)
    if function is not None:
        return lambda inputs, captures, times: [function(node, *inputs)]
    if microsoft.is_known(node):
        return _by_body(node, graph)
    from pyxnn.cpu import reference

    return reference.kernel(node, graph)


def _by_body(node: Node, graph: Graph) -> Kernel:
    """Runs what one of onnxruntime's own operators is made of."""
    nodes = microsoft.body(node, graph).nodes
    kernels = [(inner, kernel(inner, graph)) for inner in nodes]
    used = {name for inner in nodes for name in inner.uses()}
    constants = {name: graph.initializers[name] for name in used if name in graph.initializers}

    def run(inputs: Sequence[Any], captures: Mapping[str, Any], times: Times) -> Sequence[Any]:
        values = {**constants, **dict(zip(node.inputs, inputs, strict=True)), "": None}
        for inner, function in kernels:
            results = function([values[name] for name in inner.inputs], {}, None)
            values.update(zip(inner.outputs, results, strict=True))
        return [values[name] for name in node.outputs]

    return run


def evaluate(node: Node, graph: Graph, inputs: Sequence[np.ndarray | None]) -> list[np.ndarray]:
    """Runs one node.

    Args:
        node: without bodies.
        graph: the one that it is from.
        inputs: its inputs, None where absent.

    Raises:
        NotImplemented: there is no kernel for it.
        Fail: its inputs don't fit.
    """
    return list(run(kernel(node, graph), node, inputs, {}, None))


def run(
    kernel: Kernel, node: Node, inputs: Sequence[Any], captures: Mapping[str, Any], times: Times
) -> Sequence[Any]:
    """Calls a kernel; what goes wrong in it is a Fail that names the node."""
    try:
        return kernel(inputs, captures, times)
    except (
        Exception
    ) as error:  # the kernels' own checks are NumPy's and onnx.reference's, of any class
        raise Fail(
            f"Non-zero status code returned while running {node.op_type} node. "
            f"Name:'{node.name}' Status Message: {error}"
        ) from error
