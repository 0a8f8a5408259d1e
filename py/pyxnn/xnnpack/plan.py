"""A plan: the steps of a subgraph for one signature of input shapes, in the engine and ready to run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

from pyxnn.engine import ABSOLUTE, ARENA, EnginePlan, EngineStep, Ref
from pyxnn.graph import Graph
from pyxnn.xnnpack import memory, slabs
from pyxnn.xnnpack.cost import Task
from pyxnn.xnnpack.facts import Deductions
from pyxnn.xnnpack.fusion import Work
from pyxnn.xnnpack.layout import Shape
from pyxnn.xnnpack.lowering import Lowering
from pyxnn.xnnpack.resources import Resources
from pyxnn.xnnpack.steps import Step
from pyxnn.xnnpack.values import Buffer, Value


class Place(NamedTuple):
    """Where a result lies in the arena."""

    shape: Shape
    dtype: np.dtype
    offset: int


class Plan:
    """Steps in the engine, with what they hold of `Resources` until `close`.

    Attributes:
        inputs: name and offset into the arena of each tensor to write before a run.
        outputs: the results to read after a run, by name.
        constants: the results that don't depend on the values of inputs, by name.
        tasks: what each step does.
        arena_size, workspace_size: bytes that it must be bound to.
        arena_bound: the largest sum of tensors that live at one time, which `arena_size` can't be below.
        packed: see `Lowering`.
    """

    def __init__(
        self,
        works: Iterable[Work],
        outputs: Iterable[str],
        graph: Graph,
        shapes: Mapping[str, Shape],
        known: Mapping[str, np.ndarray],
        resources: Resources,
        deductions: Deductions,
        num_threads: int,
    ) -> None:
        """Plans and reshapes.

        Args:
            works: the nodes of the subgraph.
            outputs: names of its results.
            graph: that the nodes are from.
            shapes: of its inputs, but for the known ones.
            known: the inputs on whose values the plan depends.
            resources, deductions: shared with the subgraph's other plans.
            num_threads: that runs will use.

        Raises:
            NotImplemented: XNNPACK can't do a node on these shapes.
            InvalidArgument: the shapes don't fit together.
            RuntimeException: out of memory.
        """
        lowering = Lowering(graph, shapes, known, deductions)
        for work in works:
            lowering.lower(work)
        self.packed = lowering.packed if lowering.is_whole else Counter()
        given = {name: lowering.result(name) for name in outputs}
        steps, inputs, results = slabs.join(lowering.steps, lowering.inputs, given)
        offsets, self.arena_size, self.arena_bound = memory.arrange(
            steps, _buffers(inputs.values()), _buffers(results.values())
        )
        used = _buffers(value for step in steps for value in step.inputs)
        used |= _buffers(results.values())
        self.inputs = [
            (name, offsets[value.source] + value.offset)
            for name, value in inputs.items()
            if isinstance(value.source, Buffer) and value.source in used
        ]
        self.outputs: dict[str, Place] = {}
        self.constants: dict[str, np.ndarray] = {}
        for name, value in results.items():
            if isinstance(value.source, Buffer):
                offset = offsets[value.source] + value.offset
                self.outputs[name] = Place(value.shape, value.dtype, offset)
            else:
                assert isinstance(value.source, np.ndarray)
                self.constants[name] = np.ascontiguousarray(value.source).reshape(value.shape)
        self.tasks = [Task.of(step) for step in steps]
        self._home: tuple[int, int] | None = None
        self._resources = resources
        try:
            self._engine_plan = resources.engine.create_plan(self._engine_steps(steps, offsets))
            self.workspace_size = self._engine_plan.reshape(num_threads)
        except Exception:
            resources.drop(self)
            raise

    def _engine_steps(
        self, steps: Iterable[Step], offsets: Mapping[Buffer, int]
    ) -> list[EngineStep]:
        engine_steps: list[EngineStep] = []
        for step in steps:
            operator = self._resources.operator(step, self)
            refs = []
            for value in (*step.inputs, step.output):
                if isinstance(value.source, Buffer):
                    refs.append(Ref(ARENA, offsets[value.source] + value.offset))
                else:
                    address = self._resources.constant(value.source, self)
                    refs.append(Ref(ABSOLUTE, address + value.offset))
            engine_steps.append((operator, step.dims, refs))
        return engine_steps

    def bound(self, arena: int, workspace: int) -> EnginePlan:
        """The engine's plan, bound to memory at these addresses."""
        if self._home != (arena, workspace):
            self._engine_plan.bind(arena, workspace)
            self._home = arena, workspace
        return self._engine_plan

    def close(self) -> None:
        """Frees the engine's plan, and what no other plan of the subgraph holds."""
        self._engine_plan.close()
        self._resources.drop(self)


def _buffers(values: Iterable[Value]) -> set[Buffer]:
    return {value.source for value in values if isinstance(value.source, Buffer)}
