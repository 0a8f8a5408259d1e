"""The Pyodide side of pyxnn.js: sessions with their inputs, and bursts of timed runs."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyodide_js import _module

import pyxnn
from pyxnn import engine


class Loaded:
    """A session with what it is fed."""

    def __init__(
        self, content: bytes, threads: int, feed: dict[str, Any], provider: str | None
    ) -> None:
        options = pyxnn.SessionOptions()
        options.intra_op_num_threads = threads
        start = time.perf_counter()
        self.session = pyxnn.InferenceSession(content, options, provider and [provider])
        self.creation = time.perf_counter() - start
        array = np.frombuffer(bytes(feed["data"]), np.float32).reshape(feed["shape"])
        self.feeds = {feed["name"]: array}

    def run(self) -> NDArray[np.float32]:
        output: NDArray[np.float32] = self.session.run(None, self.feeds)[0]
        return output

    def profile(self) -> pyxnn.Profile:
        return self.session.profile(None, self.feeds)


_loaded: dict[str, Loaded] = {}


def load(
    name: str,
    content: memoryview,
    threads: int,
    feed: dict[str, Any],
    provider: str | None = None,
) -> float:
    """Opens a model under a name; returns the milliseconds that the session took."""
    engine.get().memory_peak(reset=True)
    _loaded[name] = Loaded(bytes(content), threads, feed, provider)
    return _loaded[name].creation * 1e3


def output(name: str) -> bytes:
    """The first output of a run."""
    return _loaded[name].run().tobytes()


def burst(name: str, count: int) -> list[float]:
    """The milliseconds of each of `count` runs."""
    loaded = _loaded[name]
    times = []
    for _ in range(count):
        start = time.perf_counter()
        loaded.run()
        times.append((time.perf_counter() - start) * 1e3)
    return times


def profile(name: str, count: int) -> list[dict[str, Any]]:
    """The steps of a run, each with the milliseconds that it took in each of `count` runs."""
    runs = [_loaded[name].profile().steps for _ in range(count)]
    return [
        {
            "name": steps[0].name,
            "kind": steps[0].kind,
            "provider": steps[0].provider.removesuffix("ExecutionProvider"),
            "kernel": steps[0].kernel,
            "shape": list(steps[0].shape or ()),
            "flops": steps[0].flops,
            "bytes": steps[0].bytes,
            "milliseconds": [step.ms for step in steps],
        }
        for steps in zip(*runs, strict=True)
    ]


def placement(name: str) -> dict[str, Any]:
    """Where the nodes run: one sentence, and which operators are not on XNNPACK, and why."""
    where = _loaded[name].session.placement
    reasons = {node.op_type: node.reason for node in where.nodes if node.reason}
    return {"summary": where.summary(), "reasons": reasons}


def memory() -> dict[str, int]:
    """Bytes: what the engine held at most since the model was loaded, and the size of Pyodide's memory."""
    return {"engine": engine.get().memory_peak(), "pyodide": _module.HEAPU8.length}
