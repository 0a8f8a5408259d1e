"""Which browser is used."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tools import chromium
from tools.run import BuildError


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """Nothing remembered from or for other tests."""
    chromium.find.cache_clear()
    yield
    chromium.find.cache_clear()


@pytest.fixture
def fake(tmp_path: Path) -> Path:
    """An executable that answers as a browser does."""
    path = tmp_path / "google-chrome"
    path.write_text("#!/bin/sh\necho Google Chrome 150.0.1.2 built on something\n")
    path.chmod(0o755)
    return path


def test_chosen(fake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHROMIUM_PATH", str(fake))
    assert chromium.find() == fake
    assert chromium.version() == "Google Chrome 150.0.1.2"


def test_installed(fake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CHROMIUM_PATH", raising=False)
    monkeypatch.setenv("PATH", f"{fake.parent}")
    assert chromium.find() == fake


def test_chosen_but_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHROMIUM_PATH", "/nowhere/chromium")
    with pytest.raises(BuildError, match="/nowhere/chromium"):
        chromium.find()
