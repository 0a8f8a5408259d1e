"""Tells which node runs where, and why."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pyxnn import notebook
from pyxnn.cpu import control_flow
from pyxnn.partition import XNNPACK
from pyxnn.program import Program


@dataclass(frozen=True)
class NodePlacement:
    """Where one node of the optimized graph runs.

    Attributes:
        name: as in the model; may be empty. That of a node in a body follows those of the node around it and of the attribute.
        op_type: the operator, with its domain unless that is ONNX's own.
        inputs, outputs: names of values.
        provider: "XnnpackExecutionProvider" or "CPUExecutionProvider".
        segment: number of its segment, in execution order; those of bodies follow the one of the node that has them.
        planned: whether XNNPACK evaluates it once per plan, not at each run.
        reason: why it is not on XNNPACK; None if it is.
        quantized: whether the model quantizes it, and XNNPACK has it.
        real: why it runs on real numbers all the same; None if it doesn't.
    """

    name: str
    op_type: str
    inputs: list[str]
    outputs: list[str]
    provider: str
    segment: int
    planned: bool
    reason: str | None
    quantized: bool
    real: str | None


class Placement:
    """The placement of all nodes; a table when printed, and in a notebook.

    Attributes:
        nodes: in execution order.
    """

    def __init__(self, nodes: Sequence[NodePlacement]) -> None:
        self.nodes = list(nodes)

    @classmethod
    def of(cls, program: Program) -> Placement:
        """That of the nodes of a program that has started; those of bodies follow the node that has them."""
        return cls(list(_placed(program, "", itertools.count())))

    def summary(self) -> str:
        """One sentence: how many nodes and subgraphs each provider has."""
        parts = []
        for provider, count in Counter(node.provider for node in self.nodes).items():
            subgraphs = len({node.segment for node in self.nodes if node.provider == provider})
            parts.append(f"{count} on {provider} in {subgraphs} subgraph{'s' * (subgraphs != 1)}")
        count = len(self.nodes)
        return f"{count} node{'s' * (count != 1)}: {', '.join(parts) or 'nothing to run'}"

    def __str__(self) -> str:
        rows = [_HEADER, *self._rows()]
        widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADER))]
        lines = (
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            for row in rows
        )
        return "\n".join([self.summary(), "", *(line.rstrip() for line in lines)])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return notebook.table(self.summary(), _HEADER, self._rows())

    def _rows(self) -> list[tuple[str, ...]]:
        return [
            (
                str(node.segment),
                node.op_type,
                node.name
                if node.name and not node.name.endswith("/")
                else f"{node.name}-> {next(filter(None, node.outputs), '')}",
                node.provider.removesuffix("ExecutionProvider"),
                node.reason or _remark(node),
            )
            for node in self.nodes
        ]


def _remark(node: NodePlacement) -> str:
    """What there is to say of a node on XNNPACK."""
    if node.real:
        return f"on real numbers: {node.real}"
    return "evaluated while planning" if node.planned else ""


_HEADER = ("subgraph", "operator", "node", "provider", "why")


def _placed(program: Program, prefix: str, numbers: Iterator[int]) -> Iterator[NodePlacement]:
    """The nodes of a program, their names behind a prefix, their segments numbered on."""
    split = program.split
    for segment in split.segments:
        number = next(numbers)
        for node in segment.nodes:
            yield NodePlacement(
                prefix + node.name,
                f"{node.domain}.{node.op_type}" if node.domain else node.op_type,
                list(node.inputs),
                list(node.outputs),
                segment.provider,
                number,
                segment.provider == XNNPACK and node in split.planned,
                split.reasons.get(node),
                node in program.quantized,
                program.quantized.get(node),
            )
            for attribute, body in program.bodies.get(node, {}).items():
                inner = control_flow.path(node, attribute, "")
                yield from _placed(body, prefix + inner, numbers)
