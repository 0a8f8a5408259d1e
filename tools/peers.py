"""Libraries that run ONNX models in one browser, driven alike, so that their times can be compared."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from playwright.sync_api import Browser, Page, sync_playwright

from tests.models.flops import flops
from tools import chromium, lock, serve, sources
from tools.run import BUILD, ROOT

DATA = BUILD / "bench"
PAGES = ROOT / "tests/bench"
ONNXRUNTIME_WEB = "onnxruntime-web"

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Case:
    """A model with one float input, and what native onnxruntime makes of it."""

    name: str
    model: onnx.ModelProto
    input: Array

    @classmethod
    def random(cls, name: str, model: onnx.ModelProto) -> Case:
        """Normal random numbers as input, always the same."""
        shape = [dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim]
        return cls(name, model, np.random.default_rng(0).standard_normal(shape, np.float32))

    @property
    def input_name(self) -> str:
        return self.model.graph.input[0].name

    @cached_property
    def flops(self) -> int:
        return flops(self.model)

    @cached_property
    def expected(self) -> Array:
        """The output of native onnxruntime."""
        session = onnxruntime.InferenceSession(
            self.model.SerializeToString(), providers=["CPUExecutionProvider"]
        )
        output: Array = session.run(None, {self.input_name: self.input})[0]
        return output

    def write(self) -> None:
        """Puts the model and its input where the pages fetch them."""
        DATA.mkdir(parents=True, exist_ok=True)
        (DATA / f"{self.name}.onnx").write_bytes(self.model.SerializeToString())
        (DATA / f"{self.name}.bin").write_bytes(self.input.tobytes())


@dataclass(frozen=True)
class Library:
    """Where a library's page and module are served; see tests/bench/peer.js."""

    name: str
    page: str
    module: str


PYXNN = Library("pyxnn", "index.html", "/bench/pyxnn.js")


def onnxruntime_web() -> Library:
    version = lock.find("npm", ONNXRUNTIME_WEB).version
    return Library(f"onnxruntime-web {version}", "bench/blank.html", "/bench/onnxruntime_web.js")


class Peer:
    """A library on a page of its own."""

    def __init__(self, library: Library, threads: int, page: Page) -> None:
        self.library = library
        self.threads = threads
        self.page = page

    def call(self, name: str, *arguments: Any) -> Any:
        """Calls a function of the library's module."""
        script = "async ([module, name, args]) => (await import(module))[name](...args)"
        return self.page.evaluate(script, [self.library.module, name, arguments])

    def load(self, case: Case) -> float:
        """Opens a case; returns the milliseconds that the session took."""
        feed = {"name": case.input_name, "shape": case.input.shape, "url": f"/data/{case.name}.bin"}
        milliseconds: float = self.call("load", self.threads, f"/data/{case.name}.onnx", feed)
        return milliseconds

    def error(self, case: Case) -> float:
        """The greatest difference of the output from native onnxruntime's."""
        return float(np.abs(self.output(case) - case.expected).max())

    def output(self, case: Case) -> Array:
        """The output of one run of the case, which has been loaded."""
        return np.array(self.call("output"), np.float32).reshape(case.expected.shape)

    def burst(self, count: int) -> list[float]:
        """The milliseconds of each run."""
        times: list[float] = self.call("burst", count)
        return times


class Lab:
    """One browser process with the site, the benchmark's pages and the libraries served to it."""

    def __init__(self, browser: Browser, address: str) -> None:
        self.browser = browser
        self.address = address

    @contextmanager
    def peer(self, library: Library, threads: int) -> Iterator[Peer]:
        """A library on a page in a context of its own."""
        context = self.browser.new_context(viewport={"width": 1280, "height": 900})
        page = context.new_page()
        page.set_default_timeout(180_000)
        page.goto(self.address + library.page)
        yield Peer(library, threads, page)
        context.close()


@contextmanager
def lab(site: Path) -> Iterator[Lab]:
    """Starts the server and the browser."""
    mounts = {
        "/bench/": PAGES,
        "/data/": DATA,
        "/peers/onnxruntime-web/": sources.npm_package(ONNXRUNTIME_WEB),
    }
    with serve.serving(site, mounts=mounts) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium.find(), args=list(chromium.ARGUMENTS)
        )
        yield Lab(browser, address)
        browser.close()
