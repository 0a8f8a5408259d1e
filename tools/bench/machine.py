"""The machine under the benchmark: what it is, whether anybody else is at work on it, and where its cores are."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

Result = TypeVar("Result")

TICK = 1 / os.sysconf("SC_CLK_TCK")
SHARE = 0.08  # of one core: what others may use during a burst
SAMPLE = 0.1  # seconds
FAR = 2.5  # times the shortest way from core to core


def processor() -> str:
    """The processor's name and number of cores."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else os.uname().machine}, {len(os.sched_getaffinity(0))} cores"


def busy_seconds() -> float:
    """Processor seconds since the machine's start that went to anybody."""
    fields = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
    user, nice, system, _, _, interrupt, soft, steal, *_ = fields
    return (user + nice + system + interrupt + soft + steal) * TICK


def foreign_seconds() -> float:
    """Of these, those that went neither to this process nor to its descendants."""
    return busy_seconds() - own_seconds()


def own_seconds() -> float:
    """Of this process and its descendants, those that have ended included."""
    parents: dict[int, int] = {}
    ticks: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        process = int(path.parent.name)
        parents[process] = int(fields[1])
        ticks[process] = sum(map(int, fields[11:15]))

    def ours(process: int) -> bool:
        while process in parents:
            if process == os.getpid():
                return True
            process = parents[process]
        return False

    return sum(count for process, count in ticks.items() if ours(process)) * TICK


class Quiet:
    """Runs things while the machine is idle and its cores are near each other, as far as its patience goes.

    A virtual machine's cores move: at times they are on two dies, whose caches are apart, so that threads which work together are
    a quarter slower.

    Attributes:
        patience: seconds that may still be spent on waiting and repeating, over the whole benchmark.
        disturbed: how many results were kept although others were at work, or cores far apart.
        shortest: nanoseconds of the shortest way between cores so far, there and back.
    """

    def __init__(self, patience: float, round_trip: Callable[[], float]) -> None:
        """
        Args:
            patience: as above.
            round_trip: measures the nanoseconds of a cache line from one core to another and back.
        """
        self.patience = patience
        self.disturbed = 0
        self._round_trip = round_trip
        self.shortest = float("inf")

    def run(self, work: Callable[[], Result], threads: int) -> Result:
        """The result of `work` on so many threads, repeated if something came between."""
        while True:
            self._wait(threads)
            start, before = time.monotonic(), foreign_seconds()
            result = work()
            spent = time.monotonic() - start
            # What /proc counts comes in ticks, so in a short time two of them prove nothing.
            alone = foreign_seconds() - before <= max(SHARE * spent, 2 * TICK)
            if self._is_near(threads) and alone:
                return result
            if self.patience <= 0:
                self.disturbed += 1
                return result
            self.patience -= spent

    def _wait(self, threads: int) -> None:
        """Returns once nobody has been at work for a moment, the pages' own threads neither, and cores are near each other."""
        while self.patience > 0:
            before = busy_seconds()
            time.sleep(SAMPLE)
            if busy_seconds() - before <= max(SHARE * SAMPLE, TICK) and self._is_near(threads):
                return
            self.patience -= SAMPLE

    def _is_near(self, threads: int) -> bool:
        """Whether the way between cores is about as short as it has ever been; of no account to one thread."""
        if threads == 1:
            return True
        way = self._round_trip()
        self.shortest = min(self.shortest, way)
        return way < FAR * self.shortest
