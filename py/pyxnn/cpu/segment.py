"""Runs the nodes of one segment, one after the other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from time import perf_counter
from typing import Any

from pyxnn import initializers
from pyxnn.cpu.kernel import Kernel, run
from pyxnn.graph import Graph, Node, dead_after
from pyxnn.partition import CPU
from pyxnn.profile import StepTime


class CpuSegment:
    """Nodes with their kernels, in execution order, and the constants that they use."""

    def __init__(
        self, kernels: Mapping[Node, Kernel], outputs: Iterable[str], graph: Graph
    ) -> None:
        self._steps = list(kernels.items())
        self._outputs = list(outputs)
        used = {name for node, _ in self._steps for name in node.uses()}
        constants = {name: graph.initializers[name] for name in used if name in graph.initializers}
        self._constants = {**constants, **initializers.owned(constants)}
        self._dead = dead_after(
            [(node.uses(), node.defines()) for node, _ in self._steps], self._outputs
        )

    def run(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Computes the segment's outputs from its inputs, both by name.

        Raises:
            Fail: naming the node that could not be run.
        """
        return self._run(inputs, None)

    def profile(self, inputs: Mapping[str, Any]) -> tuple[dict[str, Any], list[StepTime]]:
        """Like `run`, with the time of each node."""
        times: list[StepTime] = []
        return self._run(inputs, times), times

    def close(self) -> None:
        """Nothing: what the segment holds goes with it."""

    def _run(self, inputs: Mapping[str, Any], times: list[StepTime] | None) -> dict[str, Any]:
        values: dict[str, Any] = {**self._constants, **inputs, "": None}
        for (node, function), dead in zip(self._steps, self._dead, strict=True):
            start = perf_counter()
            captures = {name: values[name] for name in node.captures}
            inner: list[StepTime] | None = None if times is None else []
            results = run(function, node, [values[name] for name in node.inputs], captures, inner)
            if times is not None and inner is not None:
                times.extend(inner)
                milliseconds = (perf_counter() - start) * 1e3 - sum(step.ms for step in inner)
                shape = getattr(results[0], "shape", None)
                arrays = [*(values[name] for name in node.uses()), *results]
                moved = sum(getattr(array, "nbytes", 0) for array in arrays)
                times.append(
                    StepTime(node.name, node.op_type, CPU, "numpy", shape, 0, moved, milliseconds)
                )
            values.update(
                (name, value) for name, value in zip(node.outputs, results, strict=False) if name
            )
            for name in dead:
                values.pop(name, None)
        return {name: values[name] for name in self._outputs}
