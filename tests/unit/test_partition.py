"""Segments are convex, in order, complete, and as few as can be."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pyxnn import cpu
from pyxnn.graph import Graph, Node, TensorType
from pyxnn.partition import CPU, XNNPACK, Home, Segment, partition, planned_nodes, split
from tests.support.onnx_models import graph, node

Dag = tuple[Graph, dict[Node, Home]]


@st.composite
def dags(draw: st.DrawFn, max_nodes: int = 14, homes: tuple[Home, ...] = tuple(Home)) -> Dag:
    """A random graph, and a random home for each of its nodes."""
    count = draw(st.integers(1, max_nodes))
    nodes = []
    for index in range(count):
        names = ["x", *(f"v{before}" for before in range(index))]
        inputs = draw(st.lists(st.sampled_from(names), min_size=1, max_size=3))
        nodes.append(Node("Op", inputs, [f"v{index}"]))
    values = [f"v{index}" for index in range(count)]
    outputs = draw(st.lists(st.sampled_from(values), min_size=1, max_size=3, unique=True))
    result = Graph(nodes, ["x"], outputs)
    return result, {each: draw(st.sampled_from(homes)) for each in nodes}


def xnnpack_count(segments: list[Segment]) -> int:
    return sum(segment.provider == XNNPACK for segment in segments)


@given(dags())
def test_every_node_once_and_at_home(dag: Dag) -> None:
    graph, homes = dag
    segments = split(graph, homes)
    placed = [each for segment in segments for each in segment.nodes]
    assert len(placed) == len(graph.nodes) and set(placed) == set(graph.nodes)
    for segment in segments:
        for each in segment.nodes:
            assert homes[each] in (Home.EITHER, Home(segment.provider))


@given(dags())
def test_order_and_borders(dag: Dag) -> None:
    """What a segment takes is there when it runs, so it is convex; what others need it gives."""
    graph, homes = dag
    values = {"x"}
    for segment in split(graph, homes):
        assert values.issuperset(segment.inputs)
        inside = set(segment.inputs)
        for each in segment.nodes:
            assert inside.issuperset(each.uses())
            inside.update(each.defines())
        values.update(segment.outputs)
    assert values.issuperset(graph.outputs)


@given(dags())
def test_borders_are_no_wider_than_needed(dag: Dag) -> None:
    graph, homes = dag
    segments = split(graph, homes)
    for segment in segments:
        elsewhere = {name for other in segments if other is not segment for name in other.inputs}
        assert set(segment.outputs) <= elsewhere | set(graph.outputs)
        assert set(segment.inputs) <= {name for each in segment.nodes for name in each.uses()}


@given(dags())
def test_neighbours_differ(dag: Dag) -> None:
    providers = [segment.provider for segment in split(*dag)]
    assert all(a != b for a, b in pairwise(providers))


@given(dags(homes=(Home.XNNPACK, Home.CPU)))
def test_as_few_as_the_longest_alternation(dag: Dag) -> None:
    """No order has fewer XNNPACK segments than a path has runs of XNNPACK nodes."""
    graph, homes = dag
    runs: dict[str, int] = {"x": 0}
    for each in graph.nodes:
        most = 0
        for name in each.uses():
            producer = graph.producer(name)
            starts = producer is None or homes[producer] is Home.CPU
            most = max(most, runs[name] + (starts and homes[each] is Home.XNNPACK))
        runs[each.outputs[0]] = most
    assert xnnpack_count(split(graph, homes)) == max(runs.values())


@given(dags(max_nodes=7))
def test_nodes_of_either_home_cost_nothing(dag: Dag) -> None:
    """There are no fewer XNNPACK segments, whatever the homes that are chosen for those nodes."""
    graph, homes = dag
    free = [each for each in graph.nodes if homes[each] is Home.EITHER]
    fewest = min(
        xnnpack_count(split(graph, homes | dict(zip(free, choice, strict=True))))
        for choice in product((Home.XNNPACK, Home.CPU), repeat=len(free))
    )
    assert xnnpack_count(split(graph, homes)) == fewest


RESHAPE = [
    node("Relu", ["x"], ["a"]),
    node("Shape", ["a"], ["s"]),
    node("Gather", ["s", "zero"], ["n"]),
    node("Unsqueeze", ["n", "axes"], ["u"]),
    node("Concat", ["u", "rest"], ["shape"], axis=0),
    node("Reshape", ["a", "shape"], ["y"]),
]
CONSTANTS = {"zero": np.array(0), "axes": np.array([0]), "rest": np.array([-1])}


def test_shape_arithmetic_splits_nothing() -> None:
    def supports(each: Node, _: Graph) -> str | None:
        return None if each.op_type in ("Relu", "Reshape") else "not taken"

    before = graph(RESHAPE, {"x": ["n", 3, 4]}, constants=CONSTANTS)
    result = partition(before, supports)
    assert [segment.provider for segment in result.segments] == [XNNPACK]
    assert {each.op_type for each in result.planned} == {"Shape", "Gather", "Unsqueeze", "Concat"}
    assert not result.reasons


def test_shape_is_read_where_the_value_is_made() -> None:
    """The value itself does not cross for it."""
    nodes = [*RESHAPE[:2], node("RandomNormalLike", ["s"], ["y"], dtype=1)]
    before = graph(nodes, {"x": ["n", 3, 4]})
    result = partition(before, lambda each, _: None if each.op_type == "Relu" else "no")
    assert [segment.provider for segment in result.segments] == [XNNPACK, CPU]
    assert result.segments[0].outputs == ["s"]


def test_planned_nodes_that_only_the_cpu_uses_go_there() -> None:
    nodes = [node("Shape", ["x"], ["s"]), node("RandomNormalLike", ["s"], ["y"], dtype=1)]
    result = partition(graph(nodes, {"x": ["n"]}), lambda each, _: "no")
    assert [segment.provider for segment in result.segments] == [CPU]
    assert all(each in result.reasons for each in result.segments[0].nodes)


def test_without_xnnpack_all_is_one_cpu_segment() -> None:
    result = partition(graph(RESHAPE, {"x": ["n", 3, 4]}, constants=CONSTANTS), None)
    assert [segment.provider for segment in result.segments] == [CPU]
    assert len(result.reasons) == len(RESHAPE)


def test_random_numbers_are_not_planned() -> None:
    before = graph(
        [node("RandomUniform", [], ["r"], shape=[2]), node("Add", ["x", "r"], ["y"])], {"x": [2]}
    )
    assert not planned_nodes(before)


def test_empty_graph() -> None:
    assert partition(Graph([], ["x"], ["x"]), None).segments == []


def chain_of(homes: str) -> tuple[Graph, list[Node]]:
    """A chain of nodes, each named after its home: x for XNNPACK, c for the CPU provider."""
    names = ["x", *(f"v{index}" for index in range(len(homes)))]
    nodes = [Node(home, [names[i]], [names[i + 1]]) for i, home in enumerate(homes)]
    return Graph(nodes, ["x"], [names[-1]]), nodes


def providers(homes: str, cheap: bool | None = True) -> tuple[str, dict[Node, str]]:
    """Where the nodes of a chain run, in the letters of `chain_of`, and the reasons."""
    graph, nodes = chain_of(homes)
    parts = partition(
        graph,
        lambda node, graph: None if node.op_type == "x" else "it is no x",
        None if cheap is None else lambda node, graph: bool(cheap),
    )
    provider = {node: part.provider for part in parts.segments for node in part.nodes}
    return "".join("x" if provider[node] == XNNPACK else "c" for node in nodes), parts.reasons


def test_small_segments_go_to_the_cpu_provider() -> None:
    found, reasons = providers("xxxxxcxxxcxcxxxxc")
    assert found == "xxxxxcccccccxxxxc"
    assert list(reasons.values()).count("its subgraph is so small that calling it costs more") == 4


def test_small_segments_that_stay() -> None:
    for homes in ("x", "xxx", "cxc", "ccxx"):
        assert providers(homes)[0] == homes  # the only one
    for homes in ("xxxxxcxxxxc", "xxxxcxxxxxcc"):
        assert providers(homes)[0] == homes  # too large
    assert providers("xxxxcx", cheap=False)[0] == "xxxxcx"
    assert providers("xxxxcx", cheap=None)[0] == "xxxxcx"


def test_what_is_cheap_on_the_cpu_provider() -> None:
    types = {
        "small": TensorType(np.dtype(np.float32), (64, 64)),
        "large": TensorType(np.dtype(np.float32), (64, 65)),
        "dynamic": TensorType(np.dtype(np.float32), ("n", 64)),
    }

    def is_cheap(op_type: str, *inputs: str) -> bool:
        each = Node(op_type, list(inputs), ["small"], since=13)
        return cpu.is_cheap(each, Graph([each], inputs, ["small"], types=types))

    assert is_cheap("Add", "small", "small")
    assert not is_cheap("Add", "small", "large")
    assert not is_cheap("Add", "small", "dynamic")
    assert not is_cheap("Add", "small", "unknown")
    assert not is_cheap("Conv", "small", "small")
    assert not is_cheap("ConvTranspose", "small", "small")
