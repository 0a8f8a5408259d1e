"""What it takes until the first result: bytes, time and memory."""

from __future__ import annotations

import gzip
import statistics
import time
from pathlib import Path
from typing import TypedDict

from tests.models import MODELS
from tools import site, sources, wasm
from tools.bench.case import Case
from tools.bench.peers import PYXNN, Lab, Library
from tools.run import BuildError

# The WebAssembly that a page fetches for a library's CPU provider with threads.
BINARIES = {
    "onnxruntime-web": "dist/ort-wasm-simd-threaded.wasm",
    "@litertjs/core": "wasm/litert_wasm_threaded_internal.wasm",
    "@tensorflow/tfjs-backend-wasm": "wasm-out/tfjs-backend-wasm-threaded-simd.wasm",
}


CALLS = 1000


class Size(TypedDict):
    """Bytes of a file."""

    name: str
    raw: int
    gzip: int


class Loading(TypedDict):
    """Of pyxnn, cold, with a model.

    Attributes:
        stages: name and milliseconds of each, from navigation to the first result.
        total: milliseconds from navigation to the first result.
        call: microseconds of a call that has next to nothing to compute.
        engine, pyodide, page: bytes of the engine's heap at its highest, of Pyodide's memory, of the page's JS heap.
    """

    model: str
    sizes: list[Size]
    stages: list[tuple[str, float]]
    total: float
    call: float
    engine: int
    pyodide: int
    page: int


def measure(lab: Lab, case: Case, libraries: list[Library], threads: int) -> Loading:
    """Opens the page in a fresh context, and runs the case once."""
    nothing = Case.random("relu_1", MODELS["relu_1"]())
    case.write(PYXNN.format)
    start = time.monotonic()
    with lab.peer(PYXNN, threads) as peer:
        stages = [(stage["name"], stage["milliseconds"]) for stage in peer.call("stages")]
        stages += [("session", peer.load(case)), ("first run", peer.burst(case, 1)[0])]
        total = (time.monotonic() - start) * 1e3
        memory = peer.call("memory")
        peer.load(nothing)
        return {
            "model": case.name,
            "sizes": sizes(libraries),
            "stages": [*stages, ("the page around them", total - sum(ms for _, ms in stages))],
            "total": total,
            "call": statistics.median(peer.burst(nothing, CALLS)[CALLS // 2 :]) * 1e3,
            "engine": memory["engine"],
            "pyodide": memory["pyodide"],
            "page": peer.call("heap"),
        }


def sizes(libraries: list[Library]) -> list[Size]:
    """pyxnn's wheel and binaries, and those of the libraries."""
    files = [*site.TARGET.glob("wheels/pyxnn-*.whl"), *sorted(wasm.TARGET.glob("pyxnn-*.wasm"))]
    found = [_size(path.name, path) for path in files]
    for library in libraries:
        for package, path in BINARIES.items():
            if package in library.packages:
                found.append(_size(f"{library.name}, .wasm", sources.npm_package(package) / path))
    return found


def _size(name: str, path: Path) -> Size:
    if not path.is_file():
        raise BuildError(f"{path} is missing\nwhat to do: run `./build.sh site`")
    content = path.read_bytes()
    return {"name": name, "raw": len(content), "gzip": len(gzip.compress(content))}
