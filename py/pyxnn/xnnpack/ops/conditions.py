"""Conditions that many operators share: None when met, else the reason, a sentence."""

from __future__ import annotations

from collections.abc import Container, Iterable

import numpy as np

from pyxnn.graph import Graph, Node
from pyxnn.xnnpack.ops import small_types
from pyxnn.xnnpack.values import FLOAT32, HALVES

_INTEGERS = {np.dtype(f"{kind}{8 * size}") for kind in ("int", "uint") for size in (1, 2, 4, 8)}
_FLOATS = {FLOAT32, *HALVES}

COMPUTABLE = {*_INTEGERS, *_FLOATS, np.dtype(np.bool_)}
"""Types that kernels compute with."""

MOVABLE = {*COMPUTABLE, np.dtype(np.float64), *small_types.INTEGERS, *small_types.FLOATS}
"""Types whose elements kernels copy and convert."""

Positions = Iterable[int] | None


def floating(node: Node, graph: Graph, positions: Positions = None) -> str | None:
    """That inputs (all, unless positions are given) are float32, float16 or bfloat16; absent ones are."""
    return _of_types(node, graph, positions, _FLOATS, "a float of 16 or 32 bits")


def floating_or_bytes(node: Node, graph: Graph, positions: Positions = None) -> str | None:
    """That inputs (all, unless positions are given) are float32, float16, bfloat16, int8 or uint8; absent ones are."""
    types = {*_FLOATS, np.dtype(np.int8), np.dtype(np.uint8)}
    return _of_types(node, graph, positions, types, "a float or an integer of 8 bits")


def movable(node: Node, graph: Graph, positions: Positions = None) -> str | None:
    """That inputs (all, unless positions are given) are of types that kernels move; absent ones are."""
    return _of_types(node, graph, positions, MOVABLE, "of a type that kernels move")


def movable_data(node: Node, graph: Graph) -> str | None:
    """That the first input is of a type that kernels move."""
    return movable(node, graph, [0])


def computable(node: Node, graph: Graph, positions: Positions = None) -> str | None:
    """That inputs (all, unless positions are given) are of types that kernels compute with; absent ones are."""
    return _of_types(node, graph, positions, COMPUTABLE, "of a type that kernels compute with")


def numeric(node: Node, graph: Graph, positions: Positions = None) -> str | None:
    """That inputs (all, unless positions are given) are floats of 16 or 32 bits or integers; absent ones are."""
    return _of_types(node, graph, positions, _FLOATS | _INTEGERS, "a number that kernels know")


def integral(node: Node, graph: Graph) -> str | None:
    """That all inputs are integers."""
    return _of_types(node, graph, None, _INTEGERS, "an integer")


def bytes_of_integers(node: Node, graph: Graph, positions: Positions = None) -> str | None:
    """That inputs (all, unless positions are given) are int8 or uint8; absent ones are."""
    types = {np.dtype(np.int8), np.dtype(np.uint8)}
    return _of_types(node, graph, positions, types, "int8 or uint8")


def _of_types(
    node: Node, graph: Graph, positions: Positions, allowed: Container[np.dtype], wanted: str
) -> str | None:
    names = node.inputs if positions is None else [node.input(position) for position in positions]
    for name in filter(None, names):
        dtype = graph.dtype(name)
        if dtype is None:
            return f"the type of input '{name}' is unknown"
        if dtype not in allowed:
            return f"input '{name}' is {dtype}, not {wanted}"
    return None


def constant(node: Node, graph: Graph, *positions: int) -> str | None:
    """That inputs are constant, or dequantized constants, or absent."""
    for name in filter(None, map(node.input, positions)):
        maker = graph.producer(name)
        if maker is not None and maker.is_op("DequantizeLinear"):
            name = maker.input(0)
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
