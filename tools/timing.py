"""Times a model through several libraries in turns, so that a drifting machine treats all alike."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from tools.peers import Case, Lab, Library
from tools.run import say

BURST = 10
HEADER = (
    f"{'model':18}  {'library':22}  threads  {'best':>8}  {'median':>8}  {'minimum':>8}  "
    f"{'GFLOP/s':>7}  {'session':>7}  {'error':>8}\n"
    "   (milliseconds; best: the best burst's median, the one to quote; error: the greatest "
    "difference from native onnxruntime)"
)


@dataclass
class Timed:
    """A model through one library on so many threads.

    Attributes:
        creation: milliseconds that making the session took.
        error: the greatest difference of the output from native onnxruntime's.
        bursts: milliseconds of the runs, burst by burst.
    """

    case: Case
    library: Library
    threads: int
    creation: float
    error: float
    bursts: list[list[float]] = field(default_factory=list)

    @property
    def best(self) -> float:
        """The best burst's median, which knows least of what else the machine was doing."""
        return min(statistics.median(burst) for burst in self.bursts)

    @property
    def median(self) -> float:
        return statistics.median(time for burst in self.bursts for time in burst)

    @property
    def minimum(self) -> float:
        return min(time for burst in self.bursts for time in burst)

    def __str__(self) -> str:
        """A row under HEADER."""
        return (
            f"{self.case.name:18}  {self.library.name:22}  {self.threads:7}  {self.best:8.2f}  "
            f"{self.median:8.2f}  {self.minimum:8.2f}  {self.case.flops / self.best / 1e6:7.1f}  "
            f"{self.creation:7.0f}  {self.error:8.1e}"
        )


def measure(
    lab: Lab, case: Case, libraries: Iterable[Library], counts: Iterable[int], rounds: int
) -> list[Timed]:
    """Times `case` on every library and number of threads, one burst each in turn, `rounds` times.

    Prints a row for each.
    """
    case.write()
    with ExitStack() as stack:
        running = []
        for threads in counts:
            for library in libraries:
                peer = stack.enter_context(lab.peer(library, threads))
                creation = peer.load(case)
                timed = Timed(case, library, threads, creation, peer.error(case))
                running.append((peer, timed))
        for peer, _ in running:
            peer.burst(BURST)
        for _ in range(rounds):
            for peer, timed in running:
                timed.bursts.append(peer.burst(BURST))
    for _, timed in running:
        say(str(timed))
    return [timed for _, timed in running]


def find(rows: Sequence[Timed], library: Library, threads: int) -> Timed:
    """The row of a library and a number of threads."""
    return next(row for row in rows if (row.library, row.threads) == (library, threads))
