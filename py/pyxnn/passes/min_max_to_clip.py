"""Turns Max and Min of a value and a constant number into Clip (opset 13), which the step before may do on its way.

Fires on two inputs of a floating-point type of which one is a constant of one element that adds no dimension.
Must not fire where XNNPACK would not run the Clip.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyxnn import xnnpack
from pyxnn.graph import Graph, Node
from pyxnn.passes.rewrite import each_node, either_way, is_float


def run(graph: Graph) -> bool:
    return each_node(graph, _to_clip)


def _to_clip(node: Node, graph: Graph) -> Sequence[Node] | None:
    if not node.is_op("Max", "Min") or len(node.inputs) != 2:
        return None
    for x, bound in either_way(node):
        constant, rank = graph.constant(bound), graph.rank(x)
        if constant is None or constant.size != 1 or rank is None or constant.ndim > rank:
            continue
        if not is_float(graph, x) or x in graph.initializers:
            continue
        inputs = [x] if node.op_type == "Max" else [x, ""]
        clip = Node("Clip", [*inputs, bound], node.outputs, name=node.name, since=13)
        if xnnpack.supports(clip, graph) is None:
            clip.inputs[-1] = graph.add_constant(constant.reshape(()), f"{node.output(0)}_limit")
            return (clip,)
    return None
