"""Wheels packed from a tree."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from tools.pyodide import packing

METADATA = "Metadata-Version: 2.4\nName: some-thing\nVersion: 1.5\n\nText\n"
TAG = "cp314-cp314-any"


def tree(folder: Path) -> Path:
    """A package with a compiled file and a stale one."""
    package = folder / "tree/some_thing"
    (package / "__pycache__").mkdir(parents=True)
    (package / "__init__.py").write_text("x = 1\n")
    (package / "native.so").write_bytes(b"\0asm")
    (package / "__pycache__/__init__.pyc").write_bytes(b"old")
    return folder / "tree"


def test_pack(tmp_path: Path) -> None:
    wheel = packing.pack(tree(tmp_path), METADATA, TAG, tmp_path)
    assert wheel.name == "some_thing-1.5-cp314-cp314-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        record = archive.read("some_thing-1.5.dist-info/RECORD").decode().splitlines()
        assert archive.read("some_thing-1.5.dist-info/METADATA").decode() == METADATA
        assert f"Tag: {TAG}\n" in archive.read("some_thing-1.5.dist-info/WHEEL").decode()
    assert "some_thing/native.so" in names
    assert not [name for name in names if name.endswith(".pyc")]
    assert [line.split(",")[0] for line in record] == names
    expected = packing.url_digest(b"x = 1\n")
    assert f"some_thing/__init__.py,sha256={expected},6" in record


def test_the_same_tree_gives_the_same_bytes(tmp_path: Path) -> None:
    source = tree(tmp_path)
    (tmp_path / "again").mkdir()
    first = packing.pack(source, METADATA, TAG, tmp_path)
    second = packing.pack(source, METADATA, TAG, tmp_path / "again")
    assert first.read_bytes() == second.read_bytes()


def test_metadata_without_a_version(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no Version"):
        packing.pack(tree(tmp_path), "Name: x\n", TAG, tmp_path)
