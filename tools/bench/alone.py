"""Layers and operators alone: pyxnn's kernels against plain bounds of arithmetic and memory."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence

from playwright.sync_api import Page

from tests.models.flops import Cost, costs
from tests.models.operators import Single
from tools.bench import figures
from tools.bench.case import Case
from tools.bench.machine import Quiet
from tools.bench.peers import PYXNN, Lab, PagePeer
from tools.bench.timing import warm_up

RUNS, ROUNDS = 30, 3
FLOPS = 8  # of a vector operation, as the peak counts them
SWEEP = "async (how) => (await import('/bench/peak.js')).sweep(...how)"
SWEEPS = 6

Sweep = Callable[[int, int], float]
"""Milliseconds that a plain loop takes to read and to write so many bytes."""


def measure(
    lab: Lab,
    singles: Mapping[str, Single],
    counts: Sequence[int],
    peak: figures.Peak,
    quiet: Quiet,
) -> list[figures.Alone]:
    """Times the last node of each model on so many threads, a few times in turns."""
    cases = [Case.random(name, single.make()) for name, single in singles.items()]
    rows = []
    for threads in counts:
        with lab.peer(PYXNN, threads) as peer:
            for case in cases:
                peer.load(case)
                warm_up(peer, case, seconds=0.2)
            tries = [
                [quiet.run(lambda case=case: kernel_time(peer, case), threads) for case in cases]  # type: ignore[misc]
                for _ in range(ROUNDS)
            ]
        with lab.page() as page:
            sweep = sweeping(page, threads, quiet)
            for case, times in zip(cases, zip(*tries, strict=True), strict=True):
                single, cost = singles[case.name], costs(case.model)[case.model.graph.node[-1].name]
                rows.append(
                    figures.alone(
                        case.name,
                        threads,
                        min(times),
                        cost.read + cost.written,
                        arithmetic(single, cost) / (peak["gflops"] * threads) / 1e6,
                        memory(sweep, single, cost),
                    )
                )
    return rows


def kernel_time(peer: PagePeer, case: Case) -> float:
    """The milliseconds of the last node's kernels: the mean of the middle half of some runs, finer than the browser's clock.

    Raises:
        RuntimeError: nothing was laid down for the node.
    """
    node = case.model.graph.node[-1]
    steps = peer.call("profile", case.name, RUNS)
    own = [step["milliseconds"] for step in steps if step["name"] == node.name]
    # What only moves elements may have no step: it is laid down where another order is asked for.
    own = own or [step["milliseconds"] for step in steps if step["kernel"] == "transpose"]
    if not own:
        raise RuntimeError(f"{case.name} has no step")
    runs = sorted(map(sum, zip(*own, strict=True)))
    middle = runs[RUNS // 4 : RUNS - RUNS // 4]
    return sum(middle) / len(middle)


def arithmetic(single: Single, cost: Cost) -> float:
    """FLOPs, as many as go by while its vector operations are done."""
    return cost.flops + single.work * cost.elements / 4 * FLOPS


def memory(sweep: Sweep, single: Single, cost: Cost) -> float:
    """Milliseconds of its traffic."""
    times, bytes = single.again
    return sweep(cost.read, cost.written) + (times and times * sweep(bytes, 0))


def sweeping(page: Page, threads: int, quiet: Quiet) -> Sweep:
    """The least of some measured times, the same for all of the same traffic."""

    @functools.cache
    def sweep(read: int, written: int) -> float:
        return min(
            quiet.run(lambda: page.evaluate(SWEEP, [threads, read, written]), threads)
            for _ in range(SWEEPS)
        )

    return sweep
