"""Which provider runs which node, and in which groups.

A segment is a group of nodes that one provider runs in one go. Segments run one after the other, so
a group is always convex: no path leaves it and comes back. There are as few XNNPACK segments as any
order of the nodes allows, and for that number as few CPU segments; each node is in the earliest
segment of its provider that has what it needs, so segments are as large as can be.

Planned nodes are of either kind. What they compute depends on constants and shapes alone, so the
XNNPACK provider evaluates them once per plan, and the CPU provider at each run; they go with those
that use them and never start a segment of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from pyxnn.graph import Graph, Node

XNNPACK = "XnnpackExecutionProvider"
CPU = "CPUExecutionProvider"

Supports = Callable[[Node, Graph], str | None]
"""None when a provider takes the node, else a sentence that says why not."""


Cheap = Callable[[Node, Graph], bool]
"""Whether a node takes the CPU provider next to no time."""

SMALL_SEGMENT = 3
"""So many cheap nodes on the CPU provider take no longer than one call into the engine, which is 25 us in Chromium."""


class Home(Enum):
    """Where a node may run."""

    XNNPACK = XNNPACK
    CPU = CPU
    EITHER = "either"


@dataclass(eq=False)
class Segment:
    """Nodes that a provider runs in one go.

    Attributes:
        provider: its name in onnxruntime.
        nodes: in execution order.
        inputs: values that the nodes use and others make (initializers excepted), in order of first
            use.
        outputs: values that the nodes make and others use, graph outputs included.
    """

    provider: str
    nodes: list[Node]
    inputs: list[str]
    outputs: list[str]


@dataclass(frozen=True)
class Partition:
    """The segments in execution order, and why nodes are where they are.

    Attributes:
        reasons: for each node that XNNPACK did not take, why.
        planned: the nodes that are evaluated while planning, when they are in an XNNPACK segment.
    """

    segments: list[Segment]
    reasons: dict[Node, str]
    planned: set[Node]


def partition(graph: Graph, supports: Supports | None, is_cheap: Cheap | None = None) -> Partition:
    """Splits a graph.

    Args:
        graph: to split.
        supports: what XNNPACK takes; None leaves all to the CPU provider.
        is_cheap: lets XNNPACK's segments of a few cheap nodes go to the CPU provider, but for the largest segment: where that
            provider does nothing else, nothing goes to it. None keeps them all.
    """
    if supports is None:
        reasons = dict.fromkeys(
            graph.nodes, "XnnpackExecutionProvider is not among the session's providers"
        )
        return Partition(split(graph, dict.fromkeys(graph.nodes, Home.CPU)), reasons, set())
    planned = planned_nodes(graph)
    reasons = {
        node: reason
        for node in graph.nodes
        if node not in planned and (reason := supports(node, graph))
    }
    homes = {
        node: Home.EITHER if node in planned else Home.CPU if node in reasons else Home.XNNPACK
        for node in graph.nodes
    }
    segments = split(graph, homes)
    small = _small_segments(graph, segments, planned, is_cheap) if is_cheap else []
    if small:
        nodes = [node for segment in small for node in segment.nodes if node not in planned]
        reasons.update(dict.fromkeys(nodes, "its subgraph is so small that calling it costs more"))
        homes.update(dict.fromkeys(nodes, Home.CPU))
        segments = split(graph, homes)
    for segment in segments:
        if segment.provider == CPU:
            reasons.update(
                (node, "only nodes on the CPU use it") for node in segment.nodes if node in planned
            )
    return Partition(segments, reasons, planned)


def _small_segments(
    graph: Graph, segments: Sequence[Segment], planned: set[Node], is_cheap: Cheap
) -> list[Segment]:
    """XNNPACK's segments that take the CPU provider no longer, but for the largest of all."""
    candidates = sorted(
        (segment for segment in segments if segment.provider == XNNPACK),
        key=lambda segment: -len(segment.nodes),
    )[1:]
    own = {
        segment: [node for node in segment.nodes if node not in planned] for segment in candidates
    }
    return [
        segment
        for segment, nodes in own.items()
        if len(nodes) <= SMALL_SEGMENT and all(is_cheap(node, graph) for node in nodes)
    ]


def planned_nodes(graph: Graph) -> set[Node]:
    """The nodes whose outputs depend on constants and on shapes of values alone."""
    planned: set[Node] = set()
    known = set(graph.initializers)
    for node in graph.nodes:
        if only_shapes_matter(node) or (
            is_pure(node) and all(name in known for name in node.uses())
        ):
            planned.add(node)
            known.update(node.defines())
    return planned


def only_shapes_matter(node: Node) -> bool:
    """Whether a node's result depends on the shape of its input alone."""
    return node.is_op("Shape", "Size", "EyeLike")


def is_pure(node: Node) -> bool:
    """Whether equal inputs always give equal outputs, as far as is known of the operator."""
    return node.domain == "" and node.op_type not in _IMPURE


_IMPURE = {
    "Bernoulli",
    "Dropout",
    "If",
    "Loop",
    "Multinomial",
    "RandomNormal",
    "RandomNormalLike",
    "RandomUniform",
    "RandomUniformLike",
    "Scan",
    "SequenceMap",
}


def split(graph: Graph, homes: Mapping[Node, Home]) -> list[Segment]:
    """The segments for given homes, in execution order."""
    phases = _phases(graph, homes, Home.XNNPACK)
    if len(phases) > 1:
        phases = min(phases, _phases(graph, homes, Home.CPU), key=_cost)
    return [_segment(graph, home, nodes) for home, nodes in phases]


def _cost(phases: list[tuple[Home, list[Node]]]) -> tuple[int, int]:
    return sum(home is Home.XNNPACK for home, _ in phases), len(phases)


def _phases(graph: Graph, homes: Mapping[Node, Home], first: Home) -> list[tuple[Home, list[Node]]]:
    """Takes turns: all nodes of one home that can run by now, then all of the other."""
    phases: list[tuple[Home, list[Node]]] = []
    remaining = list(graph.nodes)
    placed: set[str] = {*graph.inputs, *graph.initializers}
    home = first
    while any(homes[node] is not Home.EITHER for node in remaining):
        nodes = _phase(graph, homes, home, remaining, placed)
        if nodes:
            phases.append((home, nodes))
            taken = set(nodes)
            remaining = [node for node in remaining if node not in taken]
            placed.update(name for node in nodes for name in node.defines())
        home = Home.CPU if home is Home.XNNPACK else Home.XNNPACK
    if remaining:
        if phases:
            phases[-1][1].extend(remaining)
        else:
            phases.append((Home.CPU, remaining))
    return phases


def _phase(
    graph: Graph,
    homes: Mapping[Node, Home],
    home: Home,
    remaining: Sequence[Node],
    placed: set[str],
) -> list[Node]:
    """The nodes of `home` that can run after those placed, with the nodes of either home that they
    need.

    A shape is read where the value is made, so that the value need not leave its segment for it.
    """
    ready: list[Node] = []
    made = set(placed)
    for node in remaining:
        if homes[node] in (home, Home.EITHER) and all(name in made for name in node.uses()):
            ready.append(node)
            made.update(node.defines())
    needed: set[str] = set()
    for node in reversed(ready):
        if homes[node] is home or any(name in needed for name in node.defines()):
            needed.update(node.uses())
    own = {name for node in ready if homes[node] is home for name in node.defines()}
    return [
        node
        for node in ready
        if homes[node] is home
        or any(name in needed for name in node.defines())
        or (only_shapes_matter(node) and node.input(0) in own)
    ]


def _segment(graph: Graph, home: Home, nodes: list[Node]) -> Segment:
    made = {name: None for node in nodes for name in node.defines()}
    used = dict.fromkeys(name for node in nodes for name in node.uses())
    inside = set(nodes)
    outputs = [
        name
        for name in made
        if name in graph.outputs or any(user not in inside for user in graph.consumers(name))
    ]
    inputs = [name for name in used if name not in made and name not in graph.initializers]
    return Segment(home.value, nodes, inputs, outputs)
