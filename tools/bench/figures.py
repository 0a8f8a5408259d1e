"""What the benchmark makes of its times: plain values, for JSON, tables and the plot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from tools.bench.peers import NATIVE, NUMPY, PYXNN
from tools.bench.timing import Measured, Timed

ONNXRUNTIME_WEB = "onnxruntime-web"


class Peak(TypedDict):
    """What one thread does at most: 10^9 FLOPs a second, and 10^9 bytes a second from memory."""

    gflops: float
    gigabytes: float


class Row(TypedDict):
    """A model through one library. Times are milliseconds; ratios say how many times as fast as another it is.

    Attributes:
        peak_share: GFLOP/s by what as many threads can do at most in the browser.
        gigabytes: 10^9 bytes of products' weights a second.
        loop: those of a plain loop that reads them, on as many threads, where these weights are what bounds the model.
        fastest: of the other libraries in the browser on as many threads.
    """

    library: str
    threads: int
    best: float
    median: float
    minimum: float
    gflops: float
    peak_share: float | None
    gigabytes: float
    loop: float | None
    fastest: str | None
    to_fastest: float | None
    to_onnxruntime_web: float | None
    session: float
    first: float
    error: float


class Step(TypedDict):
    """A step of a run of pyxnn.

    Attributes:
        share: of all steps' time.
    """

    name: str
    kind: str
    provider: str
    kernel: str
    shape: list[int]
    milliseconds: float
    gflops: float
    gigabytes: float
    share: float


def rows(measured: Measured, peak: Peak) -> list[Row]:
    """The figures of one model."""
    return [_row(timed, measured.rows, peak) for timed in measured.rows]


def _row(timed: Timed, others: Sequence[Timed], peak: Peak) -> Row:
    peers = [
        other
        for other in others
        if other.threads == timed.threads
        and other.library not in (PYXNN, NATIVE, NUMPY, timed.library)
    ]
    fastest = min(peers, key=lambda other: other.best, default=None)
    web = [
        other.best
        for other in others
        if other.threads == timed.threads and other.library.name.startswith(ONNXRUNTIME_WEB)
    ]
    return {
        "library": timed.library.name,
        "threads": timed.threads,
        "best": timed.best,
        "median": timed.median,
        "minimum": timed.minimum,
        "gflops": timed.gflops,
        "peak_share": None
        if timed.library.native
        else timed.gflops / (peak["gflops"] * timed.threads),
        "gigabytes": timed.case.weights / timed.best / 1e6,
        "loop": None,
        "fastest": fastest.library.name if fastest else None,
        "to_fastest": fastest.best / timed.best if fastest else None,
        "to_onnxruntime_web": web[0] / timed.best if web else None,
        "session": timed.creation,
        "first": timed.first,
        "error": timed.error,
    }


def steps(profile: Sequence[Mapping[str, Any]]) -> list[Step]:
    """A profile with rates and shares, by the least time of each step."""
    total = sum(min(step["milliseconds"]) for step in profile)
    result: list[Step] = []
    for step in profile:
        milliseconds = min(step["milliseconds"])
        rate = 1 / milliseconds / 1e6 if milliseconds else 0.0
        result.append(
            {
                "name": step["name"],
                "kind": step["kind"],
                "provider": step["provider"],
                "kernel": step["kernel"],
                "shape": step["shape"],
                "milliseconds": milliseconds,
                "gflops": step["flops"] * rate,
                "gigabytes": step["bytes"] * rate,
                "share": milliseconds / total if total else 0.0,
            }
        )
    return result


class Alone(TypedDict):
    """A single layer or operator through pyxnn, its kernel alone, in milliseconds.

    Attributes:
        bytes: that it reads and writes.
        arithmetic: what its FLOPs and other vector operations take at the machine's peak.
        memory: what a loop takes to read what goes in and to write what comes out, on as many threads.
        factor: of the greater of these to the time that it takes.
    """

    name: str
    threads: int
    best: float
    bytes: int
    arithmetic: float
    memory: float
    factor: float


def alone(
    name: str, threads: int, best: float, bytes: int, arithmetic: float, memory: float
) -> Alone:
    """The figures of what took `best` milliseconds."""
    return {
        "name": name,
        "threads": threads,
        "best": best,
        "bytes": bytes,
        "arithmetic": arithmetic,
        "memory": memory,
        "factor": best / max(arithmetic, memory),
    }
