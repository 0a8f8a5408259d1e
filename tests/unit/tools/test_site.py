"""The pieces of the site's assembly."""

from __future__ import annotations

from pathlib import Path

from tools import site
from tools.pyodide import packing

METADATA = """Name: Some_Thing
Version: 2.0
Requires-Dist: numpy>=1.21
Requires-Dist: numpy>=2.1; python_version >= "3.13"
Requires-Dist: typing_extensions>=4
Requires-Dist: pytest; extra == "dev"
"""


def test_lock_entry(tmp_path: Path) -> None:
    (tmp_path / "tree/some").mkdir(parents=True)
    (tmp_path / "tree/some/__init__.py").touch()
    (tmp_path / "tree/single.py").touch()
    wheel = packing.pack(tmp_path / "tree", METADATA, "py3-none-any", tmp_path)
    entry = site.lock_entry(wheel)
    assert entry["name"] == "some-thing"
    assert entry["version"] == "2.0"
    assert entry["file_name"] == "../wheels/Some_Thing-2.0-py3-none-any.whl"
    assert entry["depends"] == ["numpy", "typing-extensions"]
    assert entry["imports"] == ["single", "some"]


def test_synchronise(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_text("one")
    target = tmp_path / "target"
    files: dict[str, Path | bytes] = {"a/one": source, "two": b"two"}
    assert site.synchronise(files, target) == 2
    (target / "old").mkdir()
    (target / "old/stale").touch()
    kept = (target / "a/one").stat().st_mtime_ns
    assert site.synchronise({**files, "two": b"2"}, target) == 1
    assert (target / "a/one").stat().st_mtime_ns == kept
    assert (target / "two").read_bytes() == b"2"
    assert sorted(path.name for path in target.iterdir()) == ["a", "two"]
