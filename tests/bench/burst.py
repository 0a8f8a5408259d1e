"""The Pyodide side of pyxnn.js: one session, its input, and bursts of timed runs."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

import pyxnn


class Loaded:
    """A session with what it is fed."""

    def __init__(self, content: bytes, threads: int, feed: dict[str, Any]) -> None:
        options = pyxnn.SessionOptions()
        options.intra_op_num_threads = threads
        start = time.perf_counter()
        self.session = pyxnn.InferenceSession(content, options)
        self.creation = time.perf_counter() - start
        array = np.frombuffer(bytes(feed["data"]), np.float32).reshape(feed["shape"])
        self.feeds = {feed["name"]: array}

    def run(self) -> NDArray[np.float32]:
        output: NDArray[np.float32] = self.session.run(None, self.feeds)[0]
        return output


_loaded: Loaded | None = None


def load(content: memoryview, threads: int, feed: dict[str, Any]) -> float:
    """Opens a model in place of the last one; returns the milliseconds that the session took."""
    global _loaded
    _loaded = None
    _loaded = Loaded(bytes(content), threads, feed)
    return _loaded.creation * 1e3


def output() -> list[float]:
    """The first output of a run, flat."""
    assert _loaded
    values: list[float] = _loaded.run().ravel().tolist()
    return values


def burst(count: int) -> list[float]:
    """The milliseconds of each of `count` runs."""
    assert _loaded
    times = []
    for _ in range(count):
        start = time.perf_counter()
        _loaded.run()
        times.append((time.perf_counter() - start) * 1e3)
    return times


def kernels() -> float:
    """The milliseconds of one run's steps, without copies and calls."""
    assert _loaded
    return sum(step.ms for step in _loaded.session.profile(None, _loaded.feeds).steps)
