"""A graph made ready: optimized, split between the providers, each part started; and the bodies of its control flow likewise."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import onnx

from pyxnn import bodies, cpu, engine, partition, passes, xnnpack
from pyxnn.cpu import CpuSegment, control_flow
from pyxnn.graph import Graph, Node, dead_after
from pyxnn.partition import CPU, Partition, Segment, Supports
from pyxnn.profile import StepTime


class Runner(Protocol):
    """A segment that its provider has made ready."""

    def run(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Computes the segment's outputs from its inputs, both by name."""
        ...

    def profile(self, inputs: Mapping[str, Any]) -> tuple[dict[str, Any], list[StepTime]]:
        """Like `run`, with the time of each step."""
        ...

    def close(self) -> None:
        """Gives its memory back."""
        ...


class Step(NamedTuple):
    """A segment, when its turn comes."""

    runner: Runner
    inputs: list[str]
    dead: list[str]
    """Values that nothing needs after the step."""


@dataclass(frozen=True)
class Settings:
    """How graphs are prepared.

    Attributes:
        passes: that they go through.
        supports: what XNNPACK takes; None leaves all to the CPU provider.
        num_threads: the most threads of a run; 0 for all that there are.
        spin: whether threads spin before they sleep.
    """

    passes: Sequence[passes.Pass]
    supports: Supports | None
    num_threads: int
    spin: bool


class Program:
    """A graph and the programs of its bodies. It can run once it was started, until it is closed.

    Attributes:
        graph: after the passes; empty once the program has started, so that the weights go that its segments have packed.
        split: which provider runs which node.
        bodies: those of each node that has some, by the name of their attribute.
        steps: one a segment, in execution order.
        quantized: of a program that has started, the nodes on XNNPACK that the model quantizes, each with None when it runs on
            integers, else with why it doesn't.
    """

    def __init__(self, graph: Graph, settings: Settings, *, varying: Collection[str] = ()) -> None:
        """Optimizes and splits.

        Args:
            graph: changed by the passes.
            settings: for it and its bodies.
            varying: the inputs that change from one run to the next although plans may be made for their values: XNNPACK
                doesn't get the nodes that it would have to plan anew each time.
        """
        self._settings = settings
        passes.run(graph, settings.passes)
        self.graph = graph
        changing = _changing(graph, varying)
        supports = settings.supports and _without_replanning(settings.supports, changing)
        self.split: Partition = partition.partition(graph, supports, cpu.is_cheap)
        self.bodies = {
            node: {
                name: Body(body, graph, settings, changing)
                for name, body in node.attributes.items()
                if name in _BODIES
            }
            for segment in self.split.segments
            for node in segment.nodes
            if node.is_op("If", "Loop", "Scan")
        }
        self._outputs = list(graph.outputs)
        self.steps: list[Step] = []
        self.quantized: dict[Node, str | None] = {}
        self._stack = ExitStack()
        # Outputs that no segment makes: constants, and inputs handed through.
        self._constants = {
            name: graph.initializers[name] for name in graph.outputs if name in graph.initializers
        }

    def start(self) -> None:
        """Makes all segments ready; nothing stays behind when one fails.

        Raises:
            NotImplemented: no provider has an operator.
            EngineError: the engine can't start.
            RuntimeException: out of memory.
        """
        segments = self.split.segments
        dead = dead_after(
            [(segment.inputs, segment.outputs) for segment in segments], self.graph.outputs
        )
        with ExitStack() as stack:
            for body in self._all_bodies():
                stack.callback(body.close)
                body.start()
            for segment, names in zip(segments, dead, strict=True):
                runner = self._runner(segment)
                stack.callback(runner.close)
                self.steps.append(Step(runner, segment.inputs, names))
            self._stack = stack.pop_all()
        self.graph = Graph([], [], [])

    def close(self) -> None:
        """Gives the memory back."""
        self._stack.close()
        self.steps = []

    def run(self, inputs: Mapping[str, Any], times: list[StepTime] | None = None) -> dict[str, Any]:
        """Computes the graph's outputs, among others, from its inputs, both by name.

        Args:
            inputs: as the graph takes them.
            times: receives the time of each step, which takes longer.
        """
        values = {**self._constants, **inputs}
        for runner, names, dead in self.steps:
            given = {name: values[name] for name in names}
            if times is None:
                values.update(runner.run(given))
            else:
                results, steps = runner.profile(given)
                values.update(results)
                times.extend(steps)
            for name in dead:
                del values[name]
        return values

    def _all_bodies(self) -> Iterator[Body]:
        for of_node in self.bodies.values():
            yield from of_node.values()

    def _runner(self, segment: Segment) -> Runner:
        if segment.provider == CPU:
            kernels = {
                node: control_flow.kernel(node, self.bodies[node])
                if node in self.bodies
                else cpu.kernel(node, self.graph)
                for node in segment.nodes
            }
            return CpuSegment(kernels, segment.outputs, self.graph)
        host_engine = engine.get()
        host_engine.host.wait_ready()
        available = host_engine.max_threads
        num_threads = min(self._settings.num_threads or available, available)
        spin = self._settings.spin
        subgraph = xnnpack.Subgraph(segment, self.graph, host_engine, num_threads, spin)
        self.quantized.update(subgraph.quantized)
        return subgraph


_BODIES = ("then_branch", "else_branch", "body")


class Body(Program):
    """The program of a body, as `control_flow` runs it.

    Attributes:
        parameters: names of the body's own inputs.
        captured: names of what it takes from the graphs around it.
        output_types: as it declares them.
    """

    def __init__(
        self,
        body: onnx.GraphProto,
        outer: Graph,
        settings: Settings,
        changing: Collection[str],
    ) -> None:
        """See `Program`; `changing` are the values outside that change from one run to the next."""
        graph, self.output_types = bodies.graph_of(body, outer)
        own = {value.name for value in body.input}
        self.parameters = [name for name in graph.inputs if name in own]
        self.captured = [name for name in graph.inputs if name not in own]
        varying = [*self.parameters, *(name for name in self.captured if name in changing)]
        super().__init__(graph, settings, varying=varying)

    def call(self, inputs: Mapping[str, Any], times: list[StepTime] | None) -> list[Any]:
        values = self.run(inputs, times)
        return [values[name] for name in self._outputs]


def _changing(graph: Graph, varying: Collection[str]) -> set[str]:
    """The values that change, in more than their shape, with those given."""
    changing = set(varying)
    for node in graph.nodes:
        if not node.is_op("Shape", "Size") and any(name in changing for name in node.uses()):
            changing.update(node.defines())
    return changing


def _without_replanning(supports: Supports, changing: Collection[str]) -> Supports:
    """Refuses the nodes whose plans depend on values that change."""

    def refuse(node: Node, graph: Graph) -> str | None:
        for name in xnnpack.planned_inputs(node):
            if name in changing:
                return f"its input '{name}' changes from one iteration to the next"
        return supports(node, graph)

    return refuse
