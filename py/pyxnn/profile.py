"""How long each step of a run took."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class StepTime:
    """The time of one step: a node, several fused, or a layout change between two.

    Attributes:
        name: of the node; may be empty.
        kind: what ran, such as "Conv" or "Transpose".
        provider: "XnnpackExecutionProvider" or "CPUExecutionProvider".
        shape: of the result, None when it is no tensor.
        ms: milliseconds.
    """

    name: str
    kind: str
    provider: str
    shape: tuple[int, ...] | None
    ms: float


class Profile:
    """The steps of one run in order; a table of the slowest when printed.

    Attributes:
        steps: in execution order.
        ms: milliseconds of the whole run, copies included.
    """

    def __init__(self, steps: Sequence[StepTime], ms: float) -> None:
        self.steps = list(steps)
        self.ms = ms

    def slowest(self, count: int = 20) -> list[StepTime]:
        """The steps that took longest, the longest first."""
        return sorted(self.steps, key=lambda step: -step.ms)[:count]

    def __str__(self) -> str:
        lines = [f"{len(self.steps)} steps, {self.ms:.3f} ms"]
        for step in self.slowest():
            shape = "" if step.shape is None else "x".join(map(str, step.shape))
            provider = step.provider.removesuffix("ExecutionProvider")
            lines.append(
                f"{step.ms:10.3f} ms  {provider:7}  {step.kind:24}  {shape:20}  {step.name}".rstrip()
            )
        return "\n".join(lines)

    __repr__ = __str__
