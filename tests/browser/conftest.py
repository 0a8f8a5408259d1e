"""Fixtures: the built site on a server of its own, Chromium, and Pyodide with pyxnn in a page or in a worker.

A Pyodide takes seconds to start, so each place has one for the whole session, with everything that a test leaves in it.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

from tests.browser import transfer
from tools import chromium, serve, site
from tools.run import BUILD

HERE = Path(__file__).parent
MODELS_FOLDER = BUILD / "models"
MOUNTS = {"/tests/": HERE / "pages", "/test-models/": MODELS_FOLDER}
# Seconds that one call may take; a page whose main thread hangs can only be ended from outside.
LIMIT = 300


class PythonError(Exception):
    """An exception in Python in the browser."""


class Python:
    """Python in the browser, and what went wrong on its page."""

    def __init__(
        self, page: Page, address: str, place: str, wheel: str | None, end: Callable[[], None]
    ) -> None:
        self.page = page
        self.address = address
        self.errors: list[str] = []
        self.requests: list[str] = []
        self._end = end
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.errors.append(f"{error}"))
        page.on("request", self._on_request)
        page.on("requestfailed", lambda request: self.errors.append(f"failed: {request.url}"))
        start = time.monotonic()
        page.goto(f"{address}tests/index.html")
        self._evaluate("(how) => start(...how)", [place, (HERE / "transfer.py").read_text(), wheel])
        self.boot_seconds = time.monotonic() - start

    def run(self, code: str, **values: Any) -> Any:
        """Runs ``code`` with ``values`` as its variables (and `await` allowed); returns the value of its last expression.

        What a value may be: see transfer.py. An exception comes as PythonError, with the traceback as its text.
        """
        answer = self._evaluate(
            "([code, values]) => run(code, values)", [code, transfer.pack(values)]
        )
        if "error" in answer:
            raise PythonError(answer["error"])
        return transfer.unpack(answer["value"])

    def outside(self) -> list[str]:
        """The addresses asked for that aren't the site's own."""
        local = (self.address, "blob:", "data:")
        return [address for address in self.requests if not address.startswith(local)]

    def check(self) -> None:
        """Fails if the page had errors since the last time."""
        errors, self.errors = self.errors, []
        assert not errors, "\n".join(["errors in the page:", *errors])

    def _evaluate(self, script: str, argument: Any) -> Any:
        watchdog = threading.Timer(LIMIT, self._end)
        watchdog.start()
        try:
            return self.page.evaluate(script, argument)
        finally:
            watchdog.cancel()

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(f"console: {message.text}")

    def _on_request(self, request: Request) -> None:
        self.requests.append(request.url)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium, launched as everywhere in the project."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium.find(), args=list(chromium.ARGUMENTS)
        )
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def site_folder() -> Path:
    """The static site, brought up to date."""
    return site.build()


@pytest.fixture(scope="session")
def site_address(site_folder: Path) -> Iterator[str]:
    """The site on a server that isolates its pages."""
    with serve.serving(site_folder, mounts=MOUNTS) as address:
        yield address


@pytest.fixture(scope="session")
def plain_address(site_folder: Path) -> Iterator[str]:
    """The site on a server that sends no isolation headers."""
    with serve.serving(site_folder, isolated=False, mounts=MOUNTS) as address:
        yield address


@contextmanager
def python(
    browser: Browser, address: str, place: str, wheel: str | None = None
) -> Iterator[Python]:
    """Python on a page of its own; ``place`` is "page" for the page's main thread or "worker".

    pyxnn comes from the site's lock file, or with ``wheel``, a path, by micropip.
    """
    session = browser.new_browser_cdp_session()
    processes = session.send("SystemInfo.getProcessInfo")["processInfo"]
    session.detach()
    (pid,) = (process["id"] for process in processes if process["type"] == "browser")
    page = browser.new_page()
    yield Python(page, address, place, wheel, lambda: os.kill(pid, signal.SIGKILL))
    page.close()


@pytest.fixture(scope="session")
def _in_page(browser: Browser, site_address: str) -> Iterator[Python]:
    with python(browser, site_address, "page") as started:
        yield started


@pytest.fixture(scope="session")
def _in_worker(browser: Browser, site_address: str) -> Iterator[Python]:
    with python(browser, site_address, "worker") as started:
        yield started


@pytest.fixture(scope="session")
def _unisolated(browser: Browser, plain_address: str, site_folder: Path) -> Iterator[Python]:
    (wheel,) = (site_folder / "wheels").glob("pyxnn-*.whl")
    with python(browser, plain_address, "worker", f"../wheels/{wheel.name}") as started:
        yield started


@pytest.fixture
def pyodide_page(_in_page: Python) -> Iterator[Python]:
    """Python on a page's main thread."""
    yield _in_page
    _in_page.check()


@pytest.fixture
def pyodide_worker(_in_worker: Python) -> Iterator[Python]:
    """Python in a dedicated worker."""
    yield _in_worker
    _in_worker.check()


@pytest.fixture
def pyodide_unisolated(_unisolated: Python) -> Iterator[Python]:
    """Python in a dedicated worker of a page without cross-origin isolation; pyxnn was installed by micropip."""
    yield _unisolated
    _unisolated.check()


@pytest.fixture(params=["page", "worker"])
def pyodide(request: pytest.FixtureRequest) -> Python:
    """Python in each of the two places."""
    started: Python = request.getfixturevalue(f"pyodide_{request.param}")
    return started
