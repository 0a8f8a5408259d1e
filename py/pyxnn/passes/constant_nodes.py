"""Turns Constant nodes into initializers.

Fires on every Constant (opset 1 and later) whose attribute is `value`, `value_float(s)`,
`value_int(s)`, `value_string(s)` or `sparse_value`. After it no Constant is left.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx

from pyxnn.graph import Graph, Node
from pyxnn.initializers import dense
from pyxnn.passes.rewrite import each_node

_DTYPES: dict[str, Any] = {"float": np.float32, "int": np.int64, "string": object}


def run(graph: Graph) -> bool:
    return each_node(graph, _to_initializer)


def _to_initializer(node: Node, graph: Graph) -> Sequence[Node] | None:
    if not node.is_op("Constant"):
        return None
    ((name, value),) = node.attributes.items()
    graph.set_constant(node.output(0), _array(name, value))
    return ()


def _array(name: str, value: Any) -> np.ndarray:
    if isinstance(value, onnx.SparseTensorProto):
        return dense(value)
    if name == "value":
        return np.asarray(value)
    return np.array(value, _DTYPES[name.removeprefix("value_").removesuffix("s")])
