"""A subgraph of nodes that runs in one call into the engine."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Hashable, Iterable, Mapping, Sequence

import numpy as np

from pyxnn import errors
from pyxnn.engine import Engine, EnginePlan, InvalidInput
from pyxnn.graph import Graph, Node
from pyxnn.initializers import owned
from pyxnn.partition import XNNPACK, Segment, only_shapes_matter
from pyxnn.profile import StepTime
from pyxnn.xnnpack import fusion, groups, registry
from pyxnn.xnnpack.facts import Deductions
from pyxnn.xnnpack.fusion import Work
from pyxnn.xnnpack.layout import Shape
from pyxnn.xnnpack.plan import Plan
from pyxnn.xnnpack.resources import Resources
from pyxnn.xnnpack.values import hollow, is_hollow

MAX_PLANS = 8
"""How many signatures of input shapes have their plans kept."""


class Scratch:
    """A piece of the engine's memory that plans share, as large as the largest needs."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._size = 0
        self._address = 0

    def at_least(self, size: int) -> int:
        """The address of `size` bytes; their content is lost when they had to grow."""
        if size > self._size:
            self.close()
            self._address = self._engine.allocate(size)
            self._size = size
        return self._address

    def close(self) -> None:
        """Gives the memory back; `at_least` begins anew."""
        self._engine.release(self._address)
        self._size = self._address = 0


class Subgraph:
    """Nodes of one segment, planned for each signature of input shapes that it meets.

    A signature is the shapes of the inputs, and the values of those that decide shapes. The plans used last are kept; packed
    weights and constants are shared by them, and so are an arena and a workspace.

    Attributes:
        quantized: see `groups.on_integers`.
    """

    def __init__(
        self, segment: Segment, graph: Graph, engine: Engine, num_threads: int, spin: bool
    ) -> None:
        """Plans at once when all shapes are known by now.

        Args:
            segment: the nodes, all of which `supports` takes or planning evaluates.
            graph: that they are from.
            engine: that runs them.
            num_threads: the most threads that take part in a run.
            spin: whether threads spin before they sleep while they wait for work.
        """
        self._works = fusion.fuse(segment.nodes, segment.outputs, graph)
        self.quantized = groups.on_integers(self._works, graph)
        self._outputs = segment.outputs
        self._uses = _uses(self._works, segment.outputs)
        self._graph = _values_of(graph, self._uses)
        self._engine = engine
        self._num_threads = num_threads
        self._spin = spin
        deciding = _deciding(segment.nodes)
        self._known = [name for name in segment.inputs if name in deciding]
        self._shaped = [name for name in segment.inputs if name not in deciding]
        self.resources = Resources(engine)
        self._deductions: Deductions = {}
        self._arena, self._workspace = Scratch(engine), Scratch(engine)
        self._plans: OrderedDict[Hashable, Plan] = OrderedDict()

        shapes = {
            name: shape
            for name in self._shaped
            if (shape := graph.type(name).static_shape) is not None
        }
        if len(shapes) == len(segment.inputs):
            self._plan(shapes, {})
            if shapes.keys() <= set(graph.inputs):
                # What is fed has these shapes, so nothing else will be planned.
                self._works, self._graph = [], Graph([], [], [])

    def run(
        self, inputs: Mapping[str, np.ndarray], wanted: Iterable[str] | None = None
    ) -> dict[str, np.ndarray]:
        """Runs the nodes.

        Args:
            inputs: an array for each of the segment's inputs.
            wanted: names of the outputs to return; None returns all.

        Raises:
            InvalidArgument: the shapes of the inputs don't fit together, or a node can't take their values.
            NotImplemented: XNNPACK can't do a node on these shapes.
            RuntimeException: out of memory; the subgraph can still be run.
        """
        plan = self._plan_for(inputs)
        steps, arena = self._bind(plan)
        self._write(plan, arena, inputs)
        try:
            while not steps.run(self._num_threads, self._spin):  # a worker was lost on the way
                self._write(plan, arena, inputs)
        except InvalidInput as error:
            raise _blamed(plan, error) from error
        return self._read(plan, arena, self._outputs if wanted is None else wanted)

    def profile(
        self, inputs: Mapping[str, np.ndarray]
    ) -> tuple[dict[str, np.ndarray], list[StepTime]]:
        """Like `run`, with the time of each step."""
        plan = self._plan_for(inputs)
        steps, arena = self._bind(plan)
        times = None
        while times is None:
            self._write(plan, arena, inputs)
            try:
                times = steps.profile(self._num_threads, self._spin)
            except InvalidInput as error:
                raise _blamed(plan, error) from error
        steps_times = [
            StepTime(
                task.label.name,
                task.label.operators,
                XNNPACK,
                task.kernel,
                task.shape,
                task.flops,
                task.bytes,
                milliseconds,
            )
            for task, milliseconds in zip(plan.tasks, times, strict=True)
        ]
        return self._read(plan, arena, self._outputs), steps_times

    @property
    def arena(self) -> tuple[int, int]:
        """Bytes of the largest arena of its plans, and the lower bound of that."""
        return max(
            ((plan.arena_size, plan.arena_bound) for plan in self._plans.values()), default=(0, 0)
        )

    def close(self) -> None:
        """Frees all that the subgraph has in the engine; it can't be run any more."""
        for plan in self._plans.values():
            plan.close()
        self._plans.clear()
        self.resources.close()
        self._arena.close()
        self._workspace.close()

    def _plan_for(self, inputs: Mapping[str, np.ndarray]) -> Plan:
        shapes = {name: inputs[name].shape for name in self._shaped}
        return self._plan(shapes, {name: inputs[name] for name in self._known})

    def _plan(self, shapes: Mapping[str, Shape], known: Mapping[str, np.ndarray]) -> Plan:
        signature = (
            *shapes.values(),
            *((array.shape, array.tobytes()) for array in known.values()),
        )
        plan = self._plans.get(signature)
        if plan is None:
            plan = Plan(
                self._works,
                self._outputs,
                self._graph,
                shapes,
                known,
                self.resources,
                self._deductions,
                self._num_threads,
            )
            self._plans[signature] = plan
            self._let_go(plan)
            if len(self._plans) > MAX_PLANS:
                self._plans.popitem(last=False)[1].close()
        self._plans.move_to_end(signature)
        return plan

    def _let_go(self, plan: Plan) -> None:
        """Drops the weights that the engine has packed by now, and the model's bytes, of which initializers are views."""
        initializers = self._graph.initializers
        packed = [
            name
            for name, count in plan.packed.items()
            if count == self._uses[name] and not is_hollow(initializers[name])
        ]
        if packed or len(self._plans) == 1:
            self.resources.keep_operators()
            initializers.update((name, hollow(initializers[name])) for name in packed)
            rest = {name: array for name, array in initializers.items() if not is_hollow(array)}
            initializers.update(owned(rest))
            self._deductions.clear()

    def _bind(self, plan: Plan) -> tuple[EnginePlan, int]:
        """The engine's plan, bound to memory that is large enough, and the address of the arena."""
        arena = self._arena.at_least(plan.arena_size)
        return plan.bound(arena, self._workspace.at_least(plan.workspace_size)), arena

    def _write(self, plan: Plan, arena: int, inputs: Mapping[str, np.ndarray]) -> None:
        for name, offset in plan.inputs:
            self._engine.write(arena + offset, np.ascontiguousarray(inputs[name]))

    def _read(self, plan: Plan, arena: int, wanted: Iterable[str]) -> dict[str, np.ndarray]:
        results = {}
        for name in wanted:
            place = plan.outputs.get(name)
            if place is None:
                results[name] = plan.constants[name].copy()
            else:
                results[name] = array = np.empty(place.shape, place.dtype)
                self._engine.read(arena + place.offset, array)
        return results


def _blamed(plan: Plan, error: InvalidInput) -> errors.InvalidArgument:
    """The error, naming the node that a step stems from."""
    label = plan.tasks[error.step].label
    return errors.InvalidArgument(
        f"Non-zero status code returned while running {label.operators} node. "
        f"Name:'{label.name}' Status Message: {error}"
    )


def _uses(works: Iterable[Work], outputs: Iterable[str]) -> Counter[str]:
    """How often each value is used. Of a DequantizeLinear, which is done only if need be, users count as users of its input."""
    integers = {
        work.node.output(0): work.node.input(0)
        for work in works
        if work.node.is_op("DequantizeLinear")
    }
    uses = Counter(name for work in works for name in work.node.uses())
    uses.update(outputs)
    for name, source in integers.items():
        uses[source] += uses[name] - 1
    return uses


def _values_of(graph: Graph, names: Iterable[str]) -> Graph:
    """A graph that knows some of the values, but has no nodes."""
    initializers = {name: graph.initializers[name] for name in names if name in graph.initializers}
    return Graph([], [], [], initializers, graph.types, graph.opsets)


def _deciding(nodes: Sequence[Node]) -> set[str]:
    """The values that must be known when a plan is made: those that decide shapes, and those that such values are made of."""
    deciding: set[str] = set()
    for node in reversed(nodes):
        deciding.update(registry.planned_inputs(node))
        if not only_shapes_matter(node) and any(name in deciding for name in node.defines()):
            deciding.update(node.uses())
    return deciding
