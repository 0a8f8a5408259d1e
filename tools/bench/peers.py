"""Libraries that run models, driven alike, so that their times can be compared: in one browser, and native onnxruntime."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import onnxruntime
from playwright.sync_api import Browser, Page, sync_playwright

from tools import chromium, lock, serve, sources
from tools.bench.case import DATA, Array, Case, Format
from tools.bench.machine import Quiet
from tools.run import ROOT, BuildError, say

PAGES = ROOT / "tests/bench"
TIMEOUT = 300_000  # milliseconds
CALL = """async ([module, name, args]) => {
    const value = await (await import(module))[name](...args);
    if (!ArrayBuffer.isView(value)) return value;
    return new Uint8Array(value.buffer, value.byteOffset, value.byteLength).toBase64();
}"""


@dataclass(frozen=True)
class Library:
    """Where a library's page and module are served (see tests/bench/peer.js), and what it wants.

    Attributes:
        packages: from npm.
        format: of its models.
        native: it runs in CPython, without a page.
        only_one_thread: it can't use more.
    """

    name: str
    module: str = ""
    page: str = "bench/blank.html"
    packages: tuple[str, ...] = ()
    format: Format = "onnx"
    native: bool = False
    only_one_thread: bool = False


PYXNN = Library("pyxnn", "/bench/pyxnn.js", "index.html")
NATIVE = Library(f"native onnxruntime {onnxruntime.__version__}", native=True)
NUMPY = Library(
    "NumPy in Pyodide",
    "/bench/pyxnn.js?provider=CPUExecutionProvider",
    "index.html",
    only_one_thread=True,
)


def onnxruntime_web() -> Library:
    name = "onnxruntime-web"
    return Library(f"{name} {_version(name)}", "/bench/onnxruntime_web.js", packages=(name,))


def litert() -> Library:
    packages = ("@litertjs/core", "@litertjs/wasm-utils")
    name = f"LiteRT.js {_version(packages[0])}"
    return Library(name, "/bench/litert.js", packages=packages, format="tflite")


def tfjs() -> Library:
    packages = ("@tensorflow/tfjs-backend-wasm", "@tensorflow/tfjs-core")
    name = f"tfjs-wasm {_version(packages[0])}"
    return Library(name, "/bench/tfjs.js", packages=packages, format="json")


def _version(package: str) -> str:
    return lock.find("npm", package).version


class Peer(Protocol):
    """A library that is running."""

    library: Library
    threads: int

    def load(self, case: Case) -> float:
        """Opens a case; returns the milliseconds that the session took."""
        ...

    def output(self, case: Case) -> Array:
        """The output of one run of the case, which has been loaded."""
        ...

    def burst(self, case: Case, count: int) -> list[float]:
        """The milliseconds of each run of the case, which has been loaded."""
        ...


def error(peer: Peer, case: Case) -> float:
    """The greatest difference of the output from native onnxruntime's."""
    return float(np.abs(peer.output(case) - case.expected).max())


class PagePeer:
    """A library on a page of its own."""

    def __init__(self, library: Library, threads: int, page: Page) -> None:
        self.library = library
        self.threads = threads
        self.page = page

    def call(self, name: str, *arguments: Any) -> Any:
        """Calls a function of the library's module; a typed array comes as its bytes in base64."""
        return self.page.evaluate(CALL, [self.library.module, name, arguments])

    def load(self, case: Case) -> float:
        model, feed = case.write(self.library.format)
        milliseconds: float = self.call("load", case.name, self.threads, model, feed)
        return milliseconds

    def output(self, case: Case) -> Array:
        flat = np.frombuffer(base64.b64decode(self.call("output", case.name)), np.float32)
        shape = case.expected.shape
        if self.library.format != "onnx" and len(shape) == 4:
            return flat.reshape([shape[0], *shape[2:], shape[1]]).transpose(0, 3, 1, 2)
        return flat.reshape(shape)

    def burst(self, case: Case, count: int) -> list[float]:
        times: list[float] = self.call("burst", case.name, count)
        return times


class NativePeer:
    """onnxruntime in CPython, for scale."""

    def __init__(self, threads: int) -> None:
        self.library = NATIVE
        self.threads = threads
        self._sessions: dict[str, onnxruntime.InferenceSession] = {}

    def load(self, case: Case) -> float:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads
        start = time.perf_counter()
        self._sessions[case.name] = onnxruntime.InferenceSession(
            case.model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        return (time.perf_counter() - start) * 1e3

    def output(self, case: Case) -> Array:
        output: Array = self._run(case)[0]
        return output

    def burst(self, case: Case, count: int) -> list[float]:
        times = []
        for _ in range(count):
            start = time.perf_counter()
            self._run(case)
            times.append((time.perf_counter() - start) * 1e3)
        return times

    def _run(self, case: Case) -> list[Array]:
        outputs: list[Array] = self._sessions[case.name].run(None, {case.input_name: case.input})
        return outputs


class Lab:
    """One browser process with the site, the benchmark's pages and the libraries served to it."""

    def __init__(self, browser: Browser, address: str) -> None:
        self.browser = browser
        self.address = address

    @contextmanager
    def page(self, path: str = "bench/blank.html") -> Iterator[Page]:
        """A page in a context of its own."""
        context = self.browser.new_context(viewport={"width": 1280, "height": 900})
        page = context.new_page()
        page.set_default_timeout(TIMEOUT)
        page.goto(self.address + path)
        yield page
        context.close()

    @contextmanager
    def quiet(self, patience: float) -> Iterator[Quiet]:
        """What runs things while the machine is idle; see there."""
        with self.page() as page:
            script = "async () => (await import('/bench/distance.js')).roundTrip()"
            yield Quiet(patience, lambda: page.evaluate(script))

    @contextmanager
    def peer(self, library: Library, threads: int) -> Iterator[PagePeer]:
        """A library of the browser, running."""
        with self.page(library.page) as page:
            yield PagePeer(library, threads, page)

    @contextmanager
    def peers(self, libraries: Iterable[Library], counts: Sequence[int]) -> Iterator[list[Peer]]:
        """Each library on each number of threads."""
        with ExitStack() as stack:
            running: list[Peer] = []
            for threads in counts:
                for library in libraries:
                    if library.native:
                        running.append(NativePeer(threads))
                    elif threads == 1 or not library.only_one_thread:
                        running.append(stack.enter_context(self.peer(library, threads)))
            yield running


@contextmanager
def lab(site: Path, libraries: Iterable[Library] = ()) -> Iterator[Lab]:
    """Starts the server, with the packages of `libraries`, and the browser."""
    with serving(site, libraries) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium.find(), args=list(chromium.ARGUMENTS)
        )
        yield Lab(browser, address)
        browser.close()


def serving(site: Path, libraries: Iterable[Library]) -> AbstractContextManager[str]:
    """Serves the site with the benchmark's pages and what `libraries` need; gives the address."""
    mounts = {"/bench/": PAGES, "/data/": DATA}
    for library in libraries:
        for package in library.packages:
            mounts[f"/peers/{package}/"] = sources.npm_package(package)
    return serve.serving(site, mounts=mounts)


def obtainable(libraries: Iterable[Library]) -> list[Library]:
    """Those whose packages can be had; says of each other one that it is left out."""
    found = []
    for library in libraries:
        try:
            for package in library.packages:
                sources.npm_package(package)
            found.append(library)
        except BuildError as failure:
            say(f"{library.name} is left out: {str(failure).splitlines()[0]}")
    return found
