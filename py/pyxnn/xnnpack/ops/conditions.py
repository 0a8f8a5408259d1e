"""Conditions that many operators share: None when met, else the reason, a sentence."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from pyxnn.graph import Graph, Node


def floating(node: Node, graph: Graph, positions: Iterable[int] | None = None) -> str | None:
    """That inputs (all, unless positions are given) are float32; absent ones are."""
    names = node.inputs if positions is None else [node.input(position) for position in positions]
    for name in filter(None, names):
        dtype = graph.dtype(name)
        if dtype is None:
            return f"the type of input '{name}' is unknown"
        if dtype != np.float32:
            return f"input '{name}' is {dtype}, not float32"
    return None


_MOVABLE = {np.dtype(name) for name in ("bool", "float32", "float64")} | {
    np.dtype(f"{kind}{8 * size}") for kind in ("int", "uint") for size in (1, 2, 4, 8)
}


def movable(node: Node, graph: Graph, positions: Iterable[int] | None = None) -> str | None:
    """That inputs (all, unless positions are given) are of types that kernels can move; absent ones are."""
    names = node.inputs if positions is None else [node.input(position) for position in positions]
    for name in filter(None, names):
        dtype = graph.dtype(name)
        if dtype is None:
            return f"the type of input '{name}' is unknown"
        if dtype not in _MOVABLE:
            return f"input '{name}' is {dtype}, which no kernel moves"
    return None


def movable_data(node: Node, graph: Graph) -> str | None:
    """That the first input is of a type that kernels can move."""
    return movable(node, graph, [0])


def constant(node: Node, graph: Graph, *positions: int) -> str | None:
    """That inputs are constant or absent."""
    for name in filter(None, map(node.input, positions)):
        if graph.constant(name) is None:
            return f"input '{name}' is computed, not constant"
    return None


def rank(node: Node, graph: Graph, position: int, *allowed: int) -> str | None:
    """That an input has one of some ranks."""
    name = node.input(position)
    actual = graph.rank(name)
    if actual is None:
        return f"the rank of input '{name}' is unknown"
    if actual not in allowed:
        return f"input '{name}' has rank {actual}, not {' or '.join(map(str, allowed))}"
    return None
