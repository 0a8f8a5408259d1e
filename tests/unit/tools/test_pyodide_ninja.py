"""The progress line of a Ninja build."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.pyodide import ninja


def test_progress(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "log"
    log.write_text("[7/9] an earlier build\n")
    with ninja.progress("compile it", log), log.open("a") as file:
        file.write("ninja: entering\n[1/4] one\n[2/4] two [3/9]\n[4/4] four\n")
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1].startswith("   compile it: 4/4")
    assert not [line for line in lines if "/9" in line]
