"""Moves attributes that later opsets made inputs to where those have them.

| operator                                              | attributes                 | below opset |
|-------------------------------------------------------|----------------------------|-------------|
| Clip                                                  | min, max                   | 11          |
| Slice                                                 | starts, ends, axes         | 10          |
| Pad                                                   | pads, value                | 11          |
| TopK                                                  | k                          | 10          |
| Squeeze, Unsqueeze, ReduceSum                         | axes                       | 13          |
| the other Reduce operators                            | axes                       | 18          |
| Split                                                 | split                      | 13          |

A Split that says neither sizes nor their number gets `num_outputs`, as from opset 18 on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from pyxnn.graph import Graph, Node
from pyxnn.passes.rewrite import each_node

_LOWEST = float(np.finfo(np.float32).min)

# operator -> (opset that has the inputs, ((attribute, type or None for the data's, default), ...))
_Rule = tuple[int, tuple[tuple[str, Any, Any], ...]]
_RULES: dict[str, _Rule] = {
    "Clip": (11, (("min", None, _LOWEST), ("max", None, -_LOWEST))),
    "Slice": (10, (("starts", np.int64, None), ("ends", np.int64, None), ("axes", np.int64, None))),
    "Pad": (11, (("pads", np.int64, None), ("value", None, 0.0))),
    "TopK": (10, (("k", np.int64, None),)),
    "Squeeze": (13, (("axes", np.int64, None),)),
    "Unsqueeze": (13, (("axes", np.int64, None),)),
    "ReduceSum": (13, (("axes", np.int64, None),)),
    "Split": (13, (("split", np.int64, None),)),
}
_RULES |= {
    f"Reduce{kind}": (18, (("axes", np.int64, None),))
    for kind in ("L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "SumSquare")
}


def run(graph: Graph) -> bool:
    return each_node(graph, _move)


def _move(node: Node, graph: Graph) -> Sequence[Node] | None:
    if node.domain or node.op_type not in _RULES:
        return None
    since, rule = _RULES[node.op_type]
    if node.since >= since:
        return _count_outputs(node)
    attributes = dict(node.attributes)
    inputs = node.inputs[:1]
    for name, dtype, default in rule:
        value = attributes.pop(name, default)
        if value is None:
            inputs.append("")
            continue
        if node.op_type == "TopK":
            value = [value]
        array = np.asarray(value, dtype or graph.dtype(node.input(0)) or np.float32)
        inputs.append(graph.add_constant(array, f"{node.output(0)}_{name}"))
    while not inputs[-1]:
        inputs.pop()
    moved = replace(node, inputs=inputs, attributes=attributes, since=since)
    return _count_outputs(moved) or (moved,)


def _count_outputs(node: Node) -> Sequence[Node] | None:
    if node.op_type != "Split" or node.since >= 18 or node.input(1):
        return None
    return (
        replace(node, attributes={**node.attributes, "num_outputs": len(node.outputs)}, since=18),
    )
