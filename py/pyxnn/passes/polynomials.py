"""Values as polynomials of other values: one form for what exporters write in many ways."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from pyxnn.graph import Graph, Node

Polynomial = dict[tuple[int, ...], float]
"""The coefficient of each product of powers: {(1, 2): 3.0} is 3 * x * y^2."""

_ARITHMETIC = ("Add", "Sub", "Mul", "Div", "Pow")


def sources(graph: Graph, name: str, steps: int) -> Iterator[str]:
    """The values that one is computed from by at most so many arithmetic nodes; itself and constants left out."""
    node = graph.producer(name)
    if steps == 0 or node is None or not node.is_op(*_ARITHMETIC):
        return
    for source in node.inputs:
        if graph.constant(source) is None:
            yield source
            yield from sources(graph, source, steps - 1)


def polynomial(
    graph: Graph, name: str, variables: Sequence[str], nodes: set[Node]
) -> Polynomial | None:
    """A value as a polynomial of variables with scalar constants; None when it isn't one.

    Args:
        graph: of the value.
        name: of the value.
        variables: the names of others.
        nodes: receives those that compute it.
    """
    if name in variables:
        return {tuple(int(name == variable) for variable in variables): 1.0}
    constant = graph.constant(name)
    if constant is not None:
        scalar = float(constant.reshape(-1)[0]) if constant.size == 1 else math.nan
        return {(0,) * len(variables): scalar}
    node = graph.producer(name)
    if node is None or not node.is_op(*_ARITHMETIC):
        return None
    nodes.add(node)
    a, b = (polynomial(graph, source, variables, nodes) for source in node.inputs)
    if a is None or b is None:
        return None
    if node.op_type in ("Mul", "Add"):
        return _product(a, b) if node.op_type == "Mul" else _sum(a, b)
    if node.op_type == "Sub":
        return _sum(a, {powers: -factor for powers, factor in b.items()})
    number = _number(b)
    if number is None:
        return None
    if node.op_type == "Div":
        return {powers: factor / number for powers, factor in a.items()} if number else None
    if number not in (1, 2, 3):
        return None
    power = a
    for _ in range(int(number) - 1):
        power = _product(power, a)
    return power


def close(a: Polynomial | None, b: Polynomial, tolerance: float = 1e-4) -> bool:
    """Whether two polynomials are the same but for rounding of coefficients."""
    return (
        a is not None
        and a.keys() == b.keys()
        and all(math.isclose(a[powers], b[powers], rel_tol=tolerance) for powers in b)
    )


def _number(a: Polynomial) -> float | None:
    """The number that a polynomial without variables is."""
    return next(iter(a.values())) if len(a) == 1 and not any(next(iter(a))) else None


def _sum(a: Polynomial, b: Polynomial) -> Polynomial:
    return {powers: a.get(powers, 0.0) + b.get(powers, 0.0) for powers in {**a, **b}}


def _product(a: Polynomial, b: Polynomial) -> Polynomial:
    result: Polynomial = {}
    for powers_a, factor_a in a.items():
        for powers_b, factor_b in b.items():
            powers = tuple(i + j for i, j in zip(powers_a, powers_b, strict=True))
            result[powers] = result.get(powers, 0.0) + factor_a * factor_b
    return result
