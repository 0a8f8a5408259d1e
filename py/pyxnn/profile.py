"""How long each step of a run took."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pyxnn import notebook


@dataclass(frozen=True)
class StepTime:
    """The time of one step: a node, several fused, or a layout change between two.

    Attributes:
        name: of the node; may be empty.
        kind: what ran, such as "Conv" or "Transpose".
        provider: "XnnpackExecutionProvider" or "CPUExecutionProvider".
        kernel: which of the provider's kernels, such as "depthwise"; "numpy" on the CPU provider.
        shape: of the result, None when it is no tensor.
        flops: two for every multiply-add of its products; all else counts nothing, and so does the
            CPU provider.
        bytes: of all that goes in and comes out, weights included, once.
        ms: milliseconds.
    """

    name: str
    kind: str
    provider: str
    kernel: str
    shape: tuple[int, ...] | None
    flops: int
    bytes: int
    ms: float

    @property
    def gflops(self) -> float:
        """10^9 FLOPs a second."""
        return self.flops / self.ms / 1e6 if self.ms else 0.0

    @property
    def gigabytes(self) -> float:
        """10^9 bytes a second."""
        return self.bytes / self.ms / 1e6 if self.ms else 0.0


class Profile:
    """The steps of one run in order; a table of the slowest when printed, and in a notebook.

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

    def summary(self) -> str:
        """How many steps, and the time of the run."""
        return f"{len(self.steps)} steps, {self.ms:.3f} ms"

    def __str__(self) -> str:
        lines = (_LINE.format(*row).rstrip() for row in (_HEADER, *self._rows()))
        return "\n".join([self.summary(), *lines])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return notebook.table(self.summary(), _HEADER, self._rows())

    def _rows(self) -> list[tuple[str, ...]]:
        total = sum(step.ms for step in self.steps) or 1.0
        return [
            (
                f"{step.ms:.3f}",
                f"{step.ms / total:.1%}",
                _rate(step.gflops),
                _rate(step.gigabytes),
                step.kernel,
                step.kind,
                "" if step.shape is None else "x".join(map(str, step.shape)),
                step.name,
            )
            for step in self.slowest()
        ]


def _rate(value: float) -> str:
    return f"{value:.1f}" if value else ""


_HEADER = ("ms", "share", "GFLOP/s", "GB/s", "kernel", "operator", "shape", "node")
_LINE = "{:>10} {:>6} {:>8} {:>8}  {:15}  {:24}  {:20}  {}"
