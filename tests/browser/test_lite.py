"""The JupyterLite site: its notebook runs in JupyterLab, on all threads, with nothing fetched from outside."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.models import digits

START_TIMEOUT = 120_000
NOTEBOOK = "lite/lab/index.html?path=digits.ipynb"
HAS_RUN = re.compile(r"^\[\d+\]:$")


@pytest.fixture(scope="module")
def asked() -> list[str]:
    """The addresses that were asked for."""
    return []


@pytest.fixture(scope="module")
def notebook(browser: Browser, site_address: str, asked: list[str]) -> Iterator[Page]:
    """The notebook, after all of its cells have run."""
    page = browser.new_page(viewport={"width": 1200, "height": 2600})
    page.context.on("request", lambda request: asked.append(request.url))
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"{site_address}{NOTEBOOK}")
    expect(page.get_by_text("Python (Pyodide) | Idle")).to_be_visible(timeout=START_TIMEOUT)
    for name in ("Run", "Run All Cells"):
        page.get_by_role("menuitem", name=name, exact=True).click()
    prompts = page.locator(".jp-CodeCell .jp-InputPrompt")
    expect(prompts).to_have_text([HAS_RUN] * prompts.count(), timeout=START_TIMEOUT)
    yield page
    page.close()
    assert not errors


def output(page: Page, cell: str) -> str:
    """What the code cell that has the text ``cell`` put out."""
    found = page.locator(".jp-CodeCell", has_text=cell).locator(".jp-OutputArea-output")
    return "".join(found.all_inner_texts())


def test_no_cell_fails(notebook: Page) -> None:
    assert output(notebook, "%pip") == ""
    for kind in ("error", "stderr"):
        wrong = notebook.locator(f"[data-mime-type='application/vnd.jupyter.{kind}']")
        assert wrong.all_inner_texts() == []


def test_all_threads(notebook: Page) -> None:
    text = output(notebook, "device_info")
    assert "'cross_origin_isolated': True" in text
    threads, most = re.findall(r"threads': (\d+)", text)
    assert threads == most
    assert int(threads) > 1


def test_results(notebook: Page) -> None:
    right, count = re.findall(r"\d+", output(notebook, "session.run"))
    assert int(count) == len(digits.held_out().labels)
    assert int(right) >= 0.97 * int(count)
    assert re.search(r"ms; in NumPy \d+ ms", output(notebook, "assert_allclose"))


@pytest.mark.parametrize("cell", ["session.placement", "profile = "])
def test_tables(notebook: Page, cell: str) -> None:
    rows = notebook.locator(".jp-CodeCell", has_text=cell).get_by_role("row")
    assert sum("Conv" in text for text in rows.all_inner_texts()) == 3


def test_demo_page_links_to_it(site_folder: Path) -> None:
    assert f'href="{NOTEBOOK}"' in (site_folder / "index.html").read_text()


def test_nothing_is_fetched_from_outside(
    notebook: Page, asked: list[str], site_address: str
) -> None:
    assert any(url.endswith("pyodide.mjs") for url in asked)
    assert [url for url in asked if not url.startswith((site_address, "blob:", "data:"))] == []
