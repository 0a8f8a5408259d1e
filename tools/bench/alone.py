"""Layers and operators alone: pyxnn's kernels against plain bounds of arithmetic and memory."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from typing import NamedTuple

from playwright.sync_api import Page

from tests.models.flops import Cost, costs
from tests.models.operators import Single
from tools.bench import figures
from tools.bench.case import Case
from tools.bench.machine import Quiet
from tools.bench.peers import PYXNN, Lab, PagePeer
from tools.bench.timing import warm_up
from tools.run import say

RUNS, ROUNDS = 30, 5
FLOPS = 8  # of a vector operation, as the peak counts them
SWEEP = "async (how) => (await import('/bench/peak.js')).sweep(...how)"


class Traffic(NamedTuple):
    """Bytes that a plain loop goes through."""

    read: int
    written: int


def measure(
    lab: Lab,
    singles: Mapping[str, Single],
    counts: Sequence[int],
    peak: figures.Peak,
    quiet: Quiet,
) -> list[figures.Alone]:
    """Times the last node of each model on so many threads, and plain loops over its bytes.

    What is kept is the least of some rounds through all of it: so the bursts of a row, and of its bound, are spread over the
    whole benchmark, as the machine's speed drifts.
    """
    cases = [Case.random(name, single.make()) for name, single in singles.items()]
    rows = [(case, threads) for threads in counts for case in cases]
    work = {case.name: costs(case.model)[case.model.graph.node[-1].name] for case in cases}
    kernels: defaultdict[tuple[str, int], float] = defaultdict(lambda: math.inf)
    loops: defaultdict[tuple[Traffic, int], float] = defaultdict(lambda: math.inf)
    with ExitStack() as pages:
        page = pages.enter_context(lab.page())
        peers = {threads: pages.enter_context(lab.peer(PYXNN, threads)) for threads in counts}
        for case, threads in rows:
            peers[threads].load(case)
            warm_up(peers[threads], case, seconds=0.2)
        traffics = {
            (traffic, threads)
            for case, threads in rows
            for traffic, _ in traffic_of(singles[case.name], work[case.name])
        }
        for number in range(ROUNDS):
            for case, threads in rows:
                time = quiet.run(partial(kernel_time, peers[threads], case), threads)
                kernels[case.name, threads] = min(kernels[case.name, threads], time)
            for traffic, threads in traffics:
                time = loop_time(page, traffic, threads, quiet)
                loops[traffic, threads] = min(loops[traffic, threads], time)
            say(f"round {number + 1} of {ROUNDS}")
    found = []
    for case, threads in rows:
        single, cost = singles[case.name], work[case.name]
        found.append(
            figures.alone(
                case.name,
                threads,
                kernels[case.name, threads],
                cost.read + cost.written,
                arithmetic(single, cost) / (peak["gflops"] * threads) / 1e6,
                sum(times * loops[traffic, threads] for traffic, times in traffic_of(single, cost)),
            )
        )
    return found


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


def traffic_of(single: Single, cost: Cost) -> list[tuple[Traffic, int]]:
    """What goes in and comes out, and what must be read more than once, with how many times."""
    times, size = single.again
    return [(Traffic(cost.read, cost.written), 1)] + [(Traffic(size, 0), times)] * (times > 0)


def loop_time(page: Page, traffic: Traffic, threads: int, quiet: Quiet) -> float:
    """Milliseconds that a plain loop takes on so many threads."""
    time: float = quiet.run(lambda: page.evaluate(SWEEP, [threads, *traffic]), threads)
    return time
