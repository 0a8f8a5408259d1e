"""Fixtures: a cache and a log folder of the test's own."""

from pathlib import Path

import pytest

from tools import run


@pytest.fixture(autouse=True)
def cache_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The root of an empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(run, "LOGS", tmp_path / "logs")
    return tmp_path / "cache/pyxnn"
