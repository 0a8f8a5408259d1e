"""Layers alone: pyxnn's kernels against plain bounds of arithmetic and memory."""

from __future__ import annotations

from collections.abc import Sequence

from tests.models import LAYERS
from tests.models.flops import Cost, costs
from tools.bench import figures
from tools.bench.case import Case
from tools.bench.machine import Quiet
from tools.bench.peers import PYXNN, Lab, PagePeer
from tools.bench.timing import warm_up

RUNS = 30


def measure(
    lab: Lab, counts: Sequence[int], rounds: int, peak: figures.Peak, quiet: Quiet
) -> list[figures.Layer]:
    """Times every layer on so many threads, `rounds` times in turns."""
    rows = []
    for threads in counts:
        with lab.peer(PYXNN, threads) as peer:
            cases = [Case.random(name, make()) for name, make in LAYERS.items()]
            for case in cases:
                peer.load(case)
                warm_up(peer, case, seconds=0.2)
            tries = [
                [quiet.run(lambda case=case: kernel_time(peer, case)) for case in cases]  # type: ignore[misc]
                for _ in range(rounds)
            ]
            for case, times in zip(cases, zip(*tries, strict=True), strict=True):
                rows.append(figures.layer(case.name, threads, min(times), sum_costs(case), peak))
    return rows


def kernel_time(peer: PagePeer, case: Case) -> float:
    """The least milliseconds of the layer's kernel."""
    steps = peer.call("profile", case.name, RUNS)
    return sum(step["milliseconds"] for step in steps if step["flops"])


def sum_costs(case: Case) -> Cost:
    """What all nodes cost together."""
    parts = costs(case.model).values()
    return Cost(sum(part.flops for part in parts), sum(part.bytes for part in parts))
