"""The table of operators that this provider takes; each module of `ops` adds its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from pyxnn.graph import Graph, Node

if TYPE_CHECKING:
    from pyxnn.xnnpack.lowering import Lowering

Supports = Callable[[Node, Graph], str | None]
Lower = Callable[[Node, "Lowering"], None]


class Operator(NamedTuple):
    """How the provider deals with one operator of ONNX, in the form of the newest opset.

    Attributes:
        supports: None when `lower` can do the node, else the reason why not.
        lower: turns the node into steps; raises ValueError when shapes don't fit together.
        planned: the inputs (by position) whose values must be known when a plan is made, such as Reshape's shape.
        clamps: whether `lower` heeds `Lowering.bounds`, so that a Relu or Clip after the node can be fused into it.
    """

    supports: Supports
    lower: Lower
    planned: tuple[int, ...] = ()
    clamps: bool = False


_operators: dict[tuple[str, str], Operator] = {}


def register(
    *op_types: str,
    supports: Supports,
    planned: tuple[int, ...] = (),
    clamps: bool = False,
    domain: str = "",
) -> Callable[[Lower], Lower]:
    """Makes the decorated function the lowering of some operators."""

    def decorate(lower: Lower) -> Lower:
        for op_type in op_types:
            _operators[domain, op_type] = Operator(supports, lower, planned, clamps)
        return lower

    return decorate


def operators() -> Mapping[tuple[str, str], Operator]:
    """All operators, by domain and name."""
    return _operators


def find(node: Node) -> Operator | None:
    """The operator of a node, None when the provider doesn't have it."""
    return _operators.get((node.domain, node.op_type))


def planned_inputs(node: Node) -> list[str]:
    """The inputs of a node whose values a plan is made for."""
    operator = find(node)
    positions = () if operator is None else operator.planned
    return list(filter(None, map(node.input, positions)))
