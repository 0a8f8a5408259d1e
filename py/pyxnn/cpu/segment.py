"""Runs the nodes of one segment, one after the other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from time import perf_counter
from typing import Any

from pyxnn.cpu.kernel import Kernel, kernel, run
from pyxnn.graph import Graph, Node


class CpuSegment:
    """Nodes with their kernels and the constants that they use.

    Raises:
        NotImplemented: there is no kernel for one of the nodes.
    """

    def __init__(self, nodes: Iterable[Node], outputs: Iterable[str], graph: Graph) -> None:
        self._steps: list[tuple[Node, Kernel]] = [(node, kernel(node, graph)) for node in nodes]
        self._outputs = list(outputs)
        used = {name for node, _ in self._steps for name in node.uses()}
        self._constants = {name: graph.initializers[name] for name in used if name in graph.initializers}
        self._dead = _last_uses([node for node, _ in self._steps], self._outputs)

    def run(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Computes the segment's outputs from its inputs, both by name.

        Raises:
            Fail: naming the node that could not be run.
        """
        return self._run(inputs, None)

    def profile(self, inputs: Mapping[str, Any]) -> tuple[dict[str, Any], list[tuple[Node, float, Any]]]:
        """Like `run`, with each node's time in milliseconds and its first output."""
        times: list[tuple[Node, float, Any]] = []
        return self._run(inputs, times), times

    def _run(self, inputs: Mapping[str, Any], times: list[tuple[Node, float, Any]] | None) -> dict[str, Any]:
        values: dict[str, Any] = {**self._constants, **inputs, "": None}
        for (node, kernel), dead in zip(self._steps, self._dead, strict=True):
            start = perf_counter()
            captures = {name: values[name] for name in node.captures}
            results = run(kernel, node, [values[name] for name in node.inputs], captures)
            if times is not None:
                times.append((node, (perf_counter() - start) * 1e3, results[0]))
            values.update((name, value) for name, value in zip(node.outputs, results, strict=True) if name)
            for name in dead:
                values.pop(name, None)
        return {name: values[name] for name in self._outputs}


def _last_uses(nodes: list[Node], outputs: list[str]) -> list[list[str]]:
    """For each node, the values that nothing after it uses."""
    alive = set(outputs)
    dead = []
    for node in reversed(nodes):
        names = [name for name in {*node.uses(), *node.defines()} if name not in alive]
        alive.update(names)
        dead.append(names)
    return dead[::-1]
