"""Fixtures: the built site on a server of its own, Chromium, and Pyodide with pyxnn in a page or in a worker.

A Pyodide takes seconds to start, so each place has one for the whole session, with everything that a test leaves in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.python import MOUNTS, Python, launched, python
from tools import serve, site


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium."""
    with launched() as browser:
        yield browser


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
