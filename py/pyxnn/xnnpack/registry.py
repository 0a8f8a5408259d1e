"""The table of operators that this provider takes; each module of `ops` adds its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from pyxnn.graph import Graph, Node
from pyxnn.quantization import Quantization

if TYPE_CHECKING:
    from pyxnn.xnnpack.lowering import Lowering

Supports = Callable[[Node, Graph], str | None]
Lower = Callable[[Node, "Lowering"], None]
SupportsQuantized = Callable[[Node, Graph, Quantization], str | None]
LowerQuantized = Callable[[Node, "Lowering", Quantization], None]


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


class QuantizedOperator(NamedTuple):
    """How an operator of ONNX's own domain runs on integers, between DequantizeLinear and QuantizeLinear.

    Attributes:
        supports: None when `lower` can do the node for a QuantizeLinear that follows, else the reason why not.
        lower: turns both into steps; what they make is int8 of one scale and zero point. It heeds `Lowering.bounds` where the
            operator `clamps`.
    """

    supports: SupportsQuantized
    lower: LowerQuantized


_operators: dict[tuple[str, str], Operator] = {}
_quantized: dict[str, QuantizedOperator] = {}


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


def quantized(
    *op_types: str, supports: SupportsQuantized
) -> Callable[[LowerQuantized], LowerQuantized]:
    """Makes the decorated function the lowering of some operators to integers."""

    def decorate(lower: LowerQuantized) -> LowerQuantized:
        for op_type in op_types:
            _quantized[op_type] = QuantizedOperator(supports, lower)
        return lower

    return decorate


def find_quantized(node: Node) -> QuantizedOperator | None:
    """How a node runs on integers, None when it doesn't."""
    return None if node.domain else _quantized.get(node.op_type)


def runs_on_integers(node: Node) -> bool:
    """Whether there is a way to run the node's operator on integers."""
    return find_quantized(node) is not None


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
