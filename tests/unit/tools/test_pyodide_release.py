"""Wheels from Pyodide's own distribution."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools import serve
from tools.pyodide.release import Release
from tools.run import BuildError

WHEEL = "thing-1.0-py3-none-any.whl"


@pytest.fixture
def distribution(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that is served as the distribution, with one wheel."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "distribution"
    folder.mkdir()
    (folder / WHEEL).write_bytes(b"wheel")
    with serve.serving(folder) as address:
        monkeypatch.setattr(Release, "_distribution", address)
        yield folder


def release(tmp_path: Path, content: bytes) -> Release:
    """A release whose lock file wants this content of the wheel."""
    entry = {"file_name": WHEEL, "sha256": hashlib.sha256(content).hexdigest()}
    info = {"python": "3.14.2", "abi_version": "2026_0", "arch": "wasm32"}
    (tmp_path / "pyodide-lock.json").write_text(
        json.dumps({"info": info, "packages": {"thing": entry}})
    )
    (tmp_path / "pyodide.mjs").write_text("no address here")
    return Release("1.2.3", tmp_path)


def test_facts(tmp_path: Path) -> None:
    made = release(tmp_path, b"")
    assert made.python == "3.14"
    assert made.wheel_tag == "cp314-cp314-pyemscripten_2026_0_wasm32"


@pytest.mark.usefixtures("distribution")
def test_wheel_is_fetched(tmp_path: Path) -> None:
    wheel = release(tmp_path, b"wheel").from_distribution("thing")
    assert wheel
    assert wheel.read_bytes() == b"wheel"


@pytest.mark.usefixtures("distribution")
def test_wrong_wheel_stops_the_build(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="wrong hash"):
        release(tmp_path, b"another").from_distribution("thing")


def test_wheel_that_cannot_be_had(distribution: Path, tmp_path: Path) -> None:
    (distribution / WHEEL).unlink()
    assert release(tmp_path, b"wheel").from_distribution("thing") is None


def test_unknown_distribution(tmp_path: Path) -> None:
    assert release(tmp_path, b"wheel").from_distribution("thing") is None
