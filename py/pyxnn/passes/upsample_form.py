"""Turns Upsample (opsets 7 to 9) and Resize of opset 10 into Resize of opset 13.

Both read a coordinate of the output as `asymmetric`: x / scale. "nearest" takes the pixel below it;
the Resize of opset 10 the one above on an axis that shrinks. Must not fire on that Resize when its
scales aren't constants, or say that one axis shrinks and another grows: no Resize of later opsets
rounds differently by axis.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pyxnn.graph import Graph, Node
from pyxnn.passes.rewrite import each_node


def run(graph: Graph) -> bool:
    return each_node(graph, _to_resize)


def _to_resize(node: Node, graph: Graph) -> Sequence[Node] | None:
    if not node.is_op("Upsample") and not (node.is_op("Resize") and node.since == 10):
        return None
    mode = node.attribute("mode", "nearest")
    if node.since >= 9:
        scales = node.input(1)
    else:
        scales = graph.add_constant(
            np.array(node.attributes["scales"], np.float32), f"{node.output(0)}_scales"
        )
    rounding = "floor"
    if node.is_op("Resize") and mode == "nearest":
        factors = graph.constant(scales)
        if factors is None or ((factors < 1).any() and (factors > 1).any()):
            return None
        rounding = "ceil" if (factors < 1).any() else "floor"
    attributes = {
        "mode": "linear" if mode == "bilinear" else mode,
        "coordinate_transformation_mode": "asymmetric",
        "nearest_mode": rounding,
    }
    return (
        Node(
            "Resize",
            [node.input(0), "", scales],
            node.outputs,
            attributes,
            name=node.name,
            since=13,
        ),
    )
