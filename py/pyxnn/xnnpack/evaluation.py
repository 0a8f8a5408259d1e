"""Nodes that planning evaluates: what they give depends on constants and shapes alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from pyxnn import cpu
from pyxnn.graph import Graph, Node
from pyxnn.xnnpack.layout import Shape

_SMALL = 64
"""So many elements are compared sooner than what follows from them is evaluated."""


class Evaluator:
    """The values that a plan knows, for one plan after the other: only what the next one's shapes change is evaluated anew.

    Attributes:
        known: arrays by name, initializers excepted. Those of nodes that the plan at hand hasn't come to are of an earlier one.
    """

    def __init__(self, graph: Graph) -> None:
        """The nodes are from `graph`."""
        self.known: dict[str, np.ndarray] = {}
        self._graph = graph
        self._kernels: dict[Node, cpu.Kernel] = {}
        self._shapes: dict[Node, Shape] = {}
        self._changed: set[str] = set()
        self._is_whole = True

    def begin(self, inputs: Mapping[str, np.ndarray]) -> None:
        """Begins a plan for which these values are known."""
        if not self._is_whole:  # the plan before failed on the way
            self.known.clear()
            self._kernels.clear()
            self._shapes.clear()
        self._is_whole = False
        self._changed.clear()
        for name, array in inputs.items():
            self._define(name, array.copy())

    def end(self) -> None:
        """Says that the plan came to its last node."""
        self._is_whole = True

    def has_evaluated(self, node: Node) -> bool:
        """Whether a node was evaluated for an earlier plan, or for this one."""
        return node in self._kernels

    def is_current(self, node: Node) -> bool:
        """Whether a node that has been evaluated would give the same again."""
        return node in self._kernels and self._changed.isdisjoint(node.inputs)

    def evaluate(self, node: Node, inputs: Sequence[np.ndarray | None]) -> None:
        """Makes the outputs of a node known; its inputs are None where absent.

        Raises:
            NotImplemented: there is no kernel for it.
            Fail: its inputs don't fit.
        """
        if node not in self._kernels:
            self._kernels[node] = cpu.kernel(node, self._graph)
        results = cpu.run(self._kernels[node], node, inputs, {}, None)
        for name, array in zip(node.outputs, results, strict=False):
            if name:
                self._define(name, array)

    def evaluate_shape(self, node: Node, shape: Shape, dtype: np.dtype) -> None:
        """Makes the output of a node known that looks at nothing but the shape or the type of its input."""
        if self._shapes.get(node) != shape:
            x = np.ndarray(shape, dtype, bytes(dtype.itemsize), strides=(0,) * len(shape))
            self.evaluate(node, [x])
            self._shapes[node] = shape

    def _define(self, name: str, array: np.ndarray) -> None:
        if not _same(array, self.known.get(name)):
            self.known[name] = array
            self._changed.add(name)


def _same(a: np.ndarray, b: np.ndarray | None) -> bool:
    """Whether two arrays are quickly seen to be equal to the bit."""
    return (
        isinstance(b, np.ndarray)
        and isinstance(a, np.ndarray)
        and a.shape == b.shape
        and a.dtype == b.dtype
        and a.size <= _SMALL
        and a.tobytes() == b.tobytes()
    )
