"""Relu and Clip become bounds of the step before them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from pyxnn.graph import Graph, Node
from pyxnn.xnnpack import registry


class Bounds(NamedTuple):
    """The least and the greatest value that a result may have."""

    low: float
    high: float

    def then(self, other: Bounds) -> Bounds:
        """The bounds of clamping to these first, then to others; right only where `other.low <= other.high`."""
        return Bounds(
            min(max(self.low, other.low), other.high), min(max(self.high, other.low), other.high)
        )


NO_BOUNDS = Bounds(-math.inf, math.inf)


@dataclass(frozen=True, eq=False, slots=True)
class Work:
    """A node to lower.

    Attributes:
        node: with the outputs of the last node that was fused into it.
        bounds: what its result is clamped to.
        operators: of the node and of those that were fused into it, such as "Conv+Relu".
    """

    node: Node
    bounds: Bounds
    operators: str


def clip_bounds(node: Node, constant: Callable[[str], np.ndarray | None]) -> Bounds | None:
    """What a Relu or Clip clamps to; None when `constant` doesn't know it, or when min is above max."""
    if node.op_type == "Relu":
        return Bounds(0.0, math.inf)
    limits = []
    for position, default in ((1, -math.inf), (2, math.inf)):
        array = constant(node.input(position))
        if array is None and node.input(position):
            return None
        limits.append(default if array is None else float(np.asarray(array).reshape(-1)[0]))
    return Bounds(*limits) if limits[0] <= limits[1] else None


def fuse(nodes: Iterable[Node], outputs: Collection[str], graph: Graph) -> list[Work]:
    """The nodes of a subgraph without those Relu and Clip that the node before can do.

    One is fused when its bounds are constant, the operator before can clamp (`Operator.clamps`), and nobody else needs the
    value between: no other node, and not the world outside the subgraph.

    Args:
        nodes: in execution order.
        outputs: names of the values that leave the subgraph.
        graph: of the nodes.
    """
    nodes = list(nodes)
    uses = Counter(name for node in nodes for name in node.uses())
    uses.update(outputs)
    made_by: dict[str, int] = {}
    works: list[Work] = []
    for node in nodes:
        source = made_by.get(node.input(0)) if node.is_op("Relu", "Clip") else None
        bounds = clip_bounds(node, graph.constant) if source is not None else None
        if source is not None and bounds is not None and uses[node.input(0)] == 1:
            before = works[source]
            operator = registry.find(before.node)
            if operator is not None and operator.clamps:
                fused = replace(before.node, outputs=list(node.outputs))
                works[source] = Work(
                    fused, before.bounds.then(bounds), f"{before.operators}+{node.op_type}"
                )
                made_by[node.output(0)] = source
                continue
        for name in node.defines():
            made_by[name] = len(works)
        works.append(Work(node, NO_BOUNDS, node.op_type))
    return works
