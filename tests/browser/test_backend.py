"""ONNX's backend tests in Chromium, and the page that says how many pass."""

from __future__ import annotations

from playwright.sync_api import Browser

from tests.browser.backend import verdicts
from tests.support.onnx_backend import BROWSER_FAILURES, KINDS
from tools import backend


def test_all(browser: Browser, site_address: str) -> None:
    found = verdicts(browser, site_address, KINDS)
    assert not [f"{v.case.name}: {v.with_cpu or v.alone}" for v in backend.wrong(found)]
    assert BROWSER_FAILURES.keys() == {verdict.case.name for verdict in found if verdict.with_cpu}
    assert backend.TARGET.read_text() == backend.page(found), "./build.sh backend writes it anew"
