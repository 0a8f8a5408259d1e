"""Layers alone: pyxnn's kernels against plain bounds of arithmetic and memory."""

from __future__ import annotations

from collections.abc import Sequence

from tests.models import LAYERS
from tests.models.flops import Cost, costs
from tools.bench import figures
from tools.bench.case import Case
from tools.bench.machine import Quiet
from tools.bench.peers import PYXNN, Lab
from tools.bench.timing import warm_up

RUNS = 30


def measure(
    lab: Lab, counts: Sequence[int], peak: figures.Peak, quiet: Quiet
) -> list[figures.Layer]:
    """Times every layer on so many threads."""
    rows = []
    for threads in counts:
        with lab.peer(PYXNN, threads) as peer:
            for name, make in LAYERS.items():
                case = Case.random(name, make())
                peer.load(case)
                warm_up(peer, seconds=0.2)
                steps = quiet.run(lambda: peer.call("profile", RUNS))
                best = sum(step["milliseconds"] for step in steps if figures.is_node(step))
                rows.append(figures.layer(name, threads, best, sum_costs(case), peak))
    return rows


def sum_costs(case: Case) -> Cost:
    """What all nodes cost together."""
    parts = costs(case.model).values()
    return Cost(sum(part.flops for part in parts), sum(part.bytes for part in parts))
