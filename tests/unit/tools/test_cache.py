"""The cache holds complete things only, each made once."""

import threading
from pathlib import Path

import pytest

from tools import cache


def test_folder_is_made_once() -> None:
    calls = []

    def make(folder: Path) -> None:
        calls.append(folder)
        (folder / "file").write_text("content")

    first = cache.folder("stage", "key", make)
    assert cache.folder("stage", "key", make) == first
    assert (first / "file").read_text() == "content"
    assert len(calls) == 1


def test_failed_or_interrupted_making_leaves_nothing(cache_root: Path) -> None:
    def make(folder: Path) -> None:
        (folder / "half").write_text("")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.folder("stage", "key", make)
    assert [path.name for path in (cache_root / "stage").iterdir()] == [".key.lock"]

    made = cache.folder("stage", "key", lambda folder: None)
    assert list(made.iterdir()) == []


def test_what_a_killed_build_left_is_removed(cache_root: Path) -> None:
    (cache_root / "stage/.key.draft-1/deep").mkdir(parents=True)
    cache.folder("stage", "key", lambda folder: None)
    assert sorted(path.name for path in (cache_root / "stage").iterdir()) == [".key.lock", "key"]


def test_two_builds_at_once_make_it_once() -> None:
    calls = []
    barrier = threading.Barrier(2)

    def make(folder: Path) -> None:
        calls.append(folder)
        (folder / "file").write_text("")

    def build() -> None:
        barrier.wait()
        cache.folder("stage", "key", make)

    threads = [threading.Thread(target=build) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(calls) == 1


def test_digest_tells_parts_apart() -> None:
    assert cache.digest("ab", "c") != cache.digest("a", "bc")
    assert cache.digest("a") != cache.digest("a", "")
    assert cache.digest(("-O3",)) == cache.digest(("-O3",))


def test_file_digest(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    assert cache.file_digest(path).startswith("ba7816bf8f01cfea")


def test_place_copies_what_differs(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "deep/target"
    source.write_text("one")
    assert cache.place(source, target)
    assert not cache.place(source, target)
    source.write_text("two")
    assert cache.place(source, target)
    assert target.read_text() == "two"
    assert list(target.parent.iterdir()) == [target]
