"""The Pyodide side of a zoo model's trial: opens it, runs it, and tells what came out and how."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyodide.http import pyfetch

import pyxnn
from pyxnn import engine
from pyxnn.xnnpack import Subgraph


async def trial(address: str, feeds: Sequence[dict[str, NDArray[Any]]]) -> dict[str, Any]:
    """One session of the model there, run on each of `feeds` in turn and on the last once more.

    Returns:
        outputs: of each run, by name.
        again: whether the last gave the same to the bit.
        nodes: where each runs, as in NodePlacement.
        conversions: steps that make integers of real numbers or the other way round.
        arena: bytes of the largest one, and the least that it could have.
        peak, left: bytes of the engine's memory, at most meanwhile and in use afterwards, beyond those in use before.
        creation, run: seconds, of the session and of the last run.
    """
    model = await (await pyfetch(address)).bytes()
    running = engine.get()
    before = running.memory_used()
    running.memory_peak(reset=True)
    start = time.perf_counter()
    with pyxnn.InferenceSession(model) as session:
        creation = time.perf_counter() - start
        names = [output.name for output in session.get_outputs()]
        outputs = [session.run(None, feed) for feed in feeds]
        start = time.perf_counter()
        again = session.run(None, feeds[-1])
        seconds = time.perf_counter() - start
        steps = session.profile(None, feeds[-1]).steps
        nodes = [vars(node) for node in session.placement.nodes]
        runners = [step.runner for step in session._program.steps]
        subgraphs = [runner for runner in runners if isinstance(runner, Subgraph)]
        arena = max((subgraph.arena for subgraph in subgraphs), default=(0, 0))
        peak = running.memory_peak() - before
    return {
        "outputs": [dict(zip(names, values, strict=True)) for values in outputs],
        "again": all(map(np.array_equal, outputs[-1], again)),
        "nodes": nodes,
        "conversions": sum(step.kernel in ("quantize", "dequantize") for step in steps),
        "peak": peak,
        "arena": arena,
        "left": running.memory_used() - before,
        "creation": creation,
        "run": seconds,
    }
