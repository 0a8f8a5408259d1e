"""Pyodide with pyxnn in Chromium, driven from CPython."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

from tests.browser import transfer
from tools import chromium
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
        self.start(code, **values)
        return self.finish()

    def start(self, code: str, **values: Any) -> None:
        """Begins what ``run`` does."""
        self._evaluate(
            "([code, values]) => { window.answer = run(code, values); }",
            [code, transfer.pack(values)],
        )

    def finish(self) -> Any:
        """Waits for what was begun, and returns its value."""
        answer = self._evaluate("() => window.answer", None)
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


@contextmanager
def launched() -> Iterator[Browser]:
    """Chromium, launched as everywhere in the project."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium.find(), args=list(chromium.ARGUMENTS)
        )
        yield browser
        browser.close()


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
