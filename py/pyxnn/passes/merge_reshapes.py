"""Makes one node of two in a row that only change the shape.

    * Flatten, Reshape, Squeeze or Unsqueeze, then Reshape: the Reshape alone. Its shape is a constant without
      0 (which would keep an extent of the value between), or with `allowzero`.
    * Squeeze and Unsqueeze of the same axes, in either sequence: Identity.
Fires also when the first node has other users: it is left to them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pyxnn.graph import Graph, Node
from pyxnn.passes.rewrite import each_node, identity, made_by

_INVERSE = {"Squeeze": "Unsqueeze", "Unsqueeze": "Squeeze"}


def run(graph: Graph) -> bool:
    return each_node(graph, _merge)


def _merge(node: Node, graph: Graph) -> Sequence[Node] | None:
    if node.is_op("Reshape"):
        before = made_by(graph, node.input(0), "Flatten", "Reshape", "Squeeze", "Unsqueeze")
        shape = graph.constant(node.input(1))
        if before is None or shape is None or (0 in shape and not node.attribute("allowzero")):
            return None
        return (replace(node, inputs=[before.input(0), node.input(1)]),)
    if node.is_op(*_INVERSE):
        before = made_by(graph, node.input(0), _INVERSE[node.op_type])
        if before is None:
            return None
        first, second = (graph.constant(n.input(1)) for n in (before, node))
        if first is not None and second is not None and np.array_equal(first, second):
            return identity(replace(node, inputs=before.inputs))
    return None
