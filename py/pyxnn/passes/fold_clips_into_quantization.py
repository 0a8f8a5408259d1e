"""Drops a Relu or Clip before a QuantizeLinear whose integers stand for no numbers beyond its bounds.

Must not fire when others use what it makes, nor when its bounds or the quantization are computed.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pyxnn import quantization
from pyxnn.graph import Graph, Node
from pyxnn.passes.rewrite import each_node, identity
from pyxnn.xnnpack.fusion import clip_bounds


def run(graph: Graph) -> bool:
    return each_node(graph, _drop)


def _drop(node: Node, graph: Graph) -> Sequence[Node] | None:
    user = graph.sole_consumer(node.output(0)) if node.is_op("Relu", "Clip") else None
    if user is None or not user.is_op("QuantizeLinear"):
        return None
    target, bounds = quantization.of(user, graph), clip_bounds(node, graph.constant)
    if target is None or bounds is None or not target.is_per_tensor:
        return None
    limits = np.iinfo(target.dtype)
    if (target.integer(bounds.low), target.integer(bounds.high)) != (limits.min, limits.max):
        return None
    return identity(node)
