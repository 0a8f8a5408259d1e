"""Times a model through several libraries in turns, so that a drifting machine treats all alike."""

from __future__ import annotations

import functools
import statistics
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from tools.bench.case import Case
from tools.bench.machine import Quiet
from tools.bench.peers import Library, Peer, error
from tools.run import say

BURST = 10
WARM_RUNS, WARM_SECONDS = 5, 1.5
SLOW = 2000  # milliseconds: what takes longer is timed once, and no more
HEAVY, HEAVY_ROUNDS = 40, 3  # milliseconds: what takes longer joins every third round only
STEADY, MORE_ROUNDS = 1.05, 6  # times the minimum; rows that aren't steady get so many bursts more
HEADER = (
    f"{'model':22}  {'library':26}  threads  {'best':>8}  {'median':>8}  {'minimum':>8}  "
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
        first: milliseconds of the first run.
        bursts: milliseconds of the runs, burst by burst.
    """

    case: Case
    library: Library
    threads: int
    creation: float
    error: float
    first: float = 0
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

    @property
    def is_steady(self) -> bool:
        """Whether two bursts ran about as fast as the fastest run, so that another benchmark will find the same."""
        medians = sorted(statistics.median(burst) for burst in self.bursts)
        return len(medians) > 1 and medians[1] <= STEADY * self.minimum

    @property
    def gflops(self) -> float:
        """10^9 FLOPs a second, in the best burst."""
        return self.case.flops / self.best / 1e6

    def __str__(self) -> str:
        """A row under HEADER."""
        return (
            f"{self.case.name:22}  {self.library.name:26}  {self.threads:7}  {self.best:8.2f}  "
            f"{self.median:8.2f}  {self.minimum:8.2f}  {self.gflops:7.1f}  "
            f"{self.creation:7.0f}  {self.error:8.1e}"
        )


class LeftOut(NamedTuple):
    """A library on so many threads that can't run a model, and why."""

    library: Library
    threads: int
    reason: str


class Measured(NamedTuple):
    """A model through all libraries."""

    case: Case
    rows: list[Timed]
    left_out: list[LeftOut]


def measure(
    jobs: Iterable[tuple[Case, Sequence[Peer]]], rounds: int, quiet: Quiet
) -> list[Measured]:
    """Times each case on its peers: a burst of every peer in turn, case by case, and all of that `rounds` times.

    So the bursts of a row are spread over the whole benchmark, as the machine's speed drifts. Rows that are not steady by
    then get some more. A peer that can't run a case is left out, with a line saying so. At last a row for each is printed.
    """
    found = []
    turns: list[tuple[Peer, Timed]] = []
    for case, peers in jobs:
        measured = Measured(case, [], [])
        found.append(measured)
        for peer in peers:
            try:
                timed = start(peer, case)
            except Exception as failure:  # whatever a library of others throws
                reason = str(failure).strip().splitlines()[0].removeprefix("Page.evaluate: ")
                measured.left_out.append(LeftOut(peer.library, peer.threads, reason))
                say(f"{case.name:22}  {peer.library.name:26}  {peer.threads:7}  left out: {reason}")
                continue
            measured.rows.append(timed)
            if timed.first > SLOW:
                timed.bursts.append(peer.burst(case, 1))
            else:
                turns.append((peer, timed))
                warm_up(peer, case)
        say(f"{case.name} is loaded")

    def take_turn(peer: Peer, timed: Timed) -> None:
        turn = functools.partial(burst, peer, timed)
        timed.bursts.append(quiet.run(turn, peer.threads))

    for number in range(rounds):
        for peer, timed in turns:
            if not number % HEAVY_ROUNDS or timed.best <= HEAVY:
                take_turn(peer, timed)
        say(f"round {number + 1} of {rounds}")
    for _ in range(MORE_ROUNDS):
        unsteady = [(peer, timed) for peer, timed in turns if not timed.is_steady]
        if unsteady:
            say(f"once more: {len(unsteady)} rows")
        for peer, timed in unsteady:
            take_turn(peer, timed)
    say("\n".join([HEADER, *(str(timed) for measured in found for timed in measured.rows)]))
    return found


def start(peer: Peer, case: Case) -> Timed:
    """Loads a case, runs it once, and checks what comes out."""
    creation = peer.load(case)
    (first,) = peer.burst(case, 1)
    return Timed(case, peer.library, peer.threads, creation, error(peer, case), first)


def burst(peer: Peer, timed: Timed) -> list[float]:
    """The milliseconds of ten runs, after one that brings the model back into the caches."""
    peer.burst(timed.case, 1)
    return peer.burst(timed.case, BURST)


def warm_up(peer: Peer, case: Case, seconds: float = WARM_SECONDS) -> None:
    """Runs what has been loaded until nothing more is compiled, cached or started."""
    runs, end = 0, time.monotonic() + seconds
    while runs < WARM_RUNS or time.monotonic() < end:
        peer.burst(case, 1)
        runs += 1


def find(rows: Sequence[Timed], library: Library, threads: int) -> Timed | None:
    """The row of a library and a number of threads, if it was measured."""
    wanted = (library, threads)
    return next((row for row in rows if (row.library, row.threads) == wanted), None)
