"""Functions of bytes: what elementwise nodes make of a tensor of 8 bits follows from a table of 256."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pyxnn import cpu, quantization
from pyxnn.graph import Graph
from pyxnn.quantization import Quantization
from pyxnn.xnnpack.fusion import NO_BOUNDS, Work

if TYPE_CHECKING:
    from pyxnn.xnnpack.lowering import Lowering

ELEMENTWISE = frozenset(
    [
        "Abs",
        "Acos",
        "Acosh",
        "Add",
        "And",
        "Asin",
        "Asinh",
        "Atan",
        "Atanh",
        "Ceil",
        "Celu",
        "Clip",
        "Cos",
        "Cosh",
        "Div",
        "Elu",
        "Equal",
        "Erf",
        "Exp",
        "Floor",
        "Gelu",
        "Greater",
        "GreaterOrEqual",
        "HardSigmoid",
        "HardSwish",
        "Identity",
        "IsInf",
        "IsNaN",
        "LeakyRelu",
        "Less",
        "LessOrEqual",
        "Log",
        "Max",
        "Mean",
        "Min",
        "Mish",
        "Mul",
        "Neg",
        "Not",
        "Or",
        "PRelu",
        "Pow",
        "Reciprocal",
        "Relu",
        "Round",
        "Selu",
        "Shrink",
        "Sigmoid",
        "Sign",
        "Sin",
        "Sinh",
        "Softplus",
        "Softsign",
        "Sqrt",
        "Sub",
        "Sum",
        "Swish",
        "Tan",
        "Tanh",
        "ThresholdedRelu",
        "Where",
        "Xor",
    ]
)
"""Operators of one output that compute each element by itself."""


class Table(NamedTuple):
    """A tensor each of whose elements follows from one of another tensor, of one byte.

    Attributes:
        origin: the name of the other.
        values: [256], by the bits of the byte.
        operators: what stands between the two, such as "DequantizeLinear+Sigmoid".
    """

    origin: str
    values: np.ndarray
    operators: str


def origin_of(work: Work, graph: Graph, origins: Mapping[str, str]) -> str | None:
    """The tensor of bytes that the table of a node would begin with, None where it has none; as `of` tells, but without a plan.

    Args:
        work: the node.
        graph: that it is from.
        origins: those of earlier nodes, by the names of their results.
    """
    node = work.node
    name = node.input(0)
    if node.is_op("DequantizeLinear", "QuantizeLinear"):
        if _of_bytes(work, graph) is None or graph.constant(name) is not None:
            return None
        return origins.get(name, name if node.op_type == "DequantizeLinear" else None)
    found = {origins[name] for name in node.uses() if name in origins}
    if node.domain or node.op_type not in ELEMENTWISE or len(found) != 1:
        return None
    (origin,) = found
    others = [graph.constant(name) for name in node.uses() if name not in origins]
    is_function = all(number is not None and number.size == 1 for number in others)
    return origin if is_function else None


def of(work: Work, graph: Graph, ctx: Lowering) -> Table | None:
    """What a node makes, if it follows from one computed tensor of bytes, constants of its node being numbers."""
    node = work.node
    if node.is_op("DequantizeLinear"):
        return _dequantized(work, graph, ctx)
    if node.is_op("QuantizeLinear"):
        return _quantized(work, graph, ctx)
    found = [ctx.table(name) for name in node.inputs]
    origins = {table.origin for table in found if table is not None}
    if node.domain or node.op_type not in ELEMENTWISE or len(origins) != 1:
        return None
    (origin,) = origins
    rank = ctx.value(origin).rank
    arrays: list[np.ndarray | None] = []
    for name, table in zip(node.inputs, found, strict=True):
        number = ctx.constant(name) if table is None else None
        if number is not None and (number.size != 1 or number.ndim > rank):
            return None
        if name and table is None and number is None:
            return None
        arrays.append(table.values if table else number if number is None else number.reshape(()))
    with np.errstate(all="ignore"):
        (values,) = cpu.evaluate(node, graph, arrays)
    if work.bounds != NO_BOUNDS:
        values = np.clip(values, *work.bounds)
    if work.quantization is not None:
        values = work.quantization.integers(values)
    longest = max((table.operators for table in found if table is not None), key=len)
    return Table(origin, values, f"{longest}+{work.operators}")


def _dequantized(work: Work, graph: Graph, ctx: Lowering) -> Table | None:
    name = work.node.input(0)
    found = None if ctx.constant(name) is not None else _of_bytes(work, graph)
    if found is None:
        return None
    before = ctx.table(name)
    if before is None:
        every = np.arange(256, dtype=np.uint8).view(found.dtype)
        return Table(name, found.numbers(every), work.operators)
    operators = f"{before.operators}+{work.operators}"
    return Table(before.origin, found.numbers(before.values), operators)


def _quantized(work: Work, graph: Graph, ctx: Lowering) -> Table | None:
    before, found = ctx.table(work.node.input(0)), _of_bytes(work, graph)
    if before is None or found is None:
        return None
    operators = f"{before.operators}+{work.operators}"
    return Table(before.origin, found.integers(before.values), operators)


def _of_bytes(work: Work, graph: Graph) -> Quantization | None:
    """What a node converts bytes by, if that is the same for all."""
    found = quantization.of(work.node, graph)
    if found is None or not found.is_per_tensor or found.dtype.itemsize != 1:
        return None
    return found
