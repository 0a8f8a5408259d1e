"""Third-party inputs: found in the lock file, and nothing with another hash gets through."""

import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools import environment, lock, npm, pypi, relock, sources
from tools.run import BuildError

ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.fixture
def locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, lock.Entry]]:
    """A lock file's npm and PyPI entries, to be filled before they are read."""
    entries: dict[str, lock.Entry] = {}
    monkeypatch.setattr(lock, "read", lambda: {"npm": entries, "pypi": entries})
    yield entries


def test_wrong_hash_stops_the_build(tmp_path: Path) -> None:
    path = tmp_path / "thing.tgz"
    path.write_bytes(b"abc")
    lock.verify(path, ABC)
    path.write_bytes(b"abd")
    with pytest.raises(BuildError) as caught:
        lock.verify(path, ABC)
    assert "wrong hash of thing.tgz" in str(caught.value)
    assert ABC in str(caught.value)
    assert "what to do" in str(caught.value)


def test_a_changed_download_is_neither_unpacked_nor_kept(
    locked: dict[str, lock.Entry], monkeypatch: pytest.MonkeyPatch, cache_root: Path
) -> None:
    locked["thing"] = {"version": "1", "files": {"thing-1.tgz": ABC}}
    monkeypatch.setattr(
        npm, "fetch", lambda name, version, target: (target / "thing-1.tgz").write_bytes(b"evil")
    )
    with pytest.raises(BuildError, match="wrong hash"):
        sources.npm_package("thing")
    assert [path.name for path in (cache_root / "sources").glob("[!.]*")] == []


def test_pypi_file_is_the_locked_one(
    locked: dict[str, lock.Entry], monkeypatch: pytest.MonkeyPatch
) -> None:
    locked["a-b"] = {
        "version": "1",
        "groups": ["site"],
        "files": {"a_b-1-py3-none-any.whl": ABC, "a_b-1.tar.gz": "0"},
    }
    monkeypatch.setattr(
        pypi, "fetch", lambda name, version, file, target: (target / file).write_bytes(b"abc")
    )
    assert sources.pypi_file("A_b", "any.whl").name == "a_b-1-py3-none-any.whl"
    with pytest.raises(BuildError, match="wrong hash"):
        sources.pypi_file("a_b", ".tar.gz")


def test_unlocked_package_is_named() -> None:
    with pytest.raises(BuildError, match=r"third_party\.lock has no npm package left-pad"):
        lock.find("npm", "left-pad")


def test_broken_lock_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "third_party.lock"
    path.write_text("{")
    with pytest.raises(BuildError, match="can't be read"):
        lock.read(path)


def test_the_lock_file_is_complete() -> None:
    content = json.loads(lock.PATH.read_text())
    assert set(content["debian"]) == set(relock.DEBIAN)
    assert {name: entry["version"] for name, entry in content["npm"].items()} == relock.NPM
    for registry in content.values():
        for name, entry in registry.items():
            assert entry["files"], name
            assert all(len(sha256) == 64 for sha256 in entry["files"].values()), name


def test_requirements_carry_every_hash(locked: dict[str, lock.Entry]) -> None:
    locked["a"] = {"version": "1", "groups": ["dev"], "files": {"x": "22", "y": "11"}}
    locked["b"] = {"version": "2", "groups": ["site"], "files": {"z": "33"}}
    assert environment.requirements("dev") == "a==1 --hash=sha256:11 --hash=sha256:22\n"


@pytest.mark.parametrize(
    ("file_name", "version"),
    [
        ("numpy-2.4.6.tar.gz", "2.4.6"),
        ("scikit-learn-1.9.1.tar.gz", "1.9.1"),
        ("ml_dtypes-0.5.4-cp311-cp311-manylinux_2_28_x86_64.whl", "0.5.4"),
    ],
)
def test_version_of_a_file(file_name: str, version: str) -> None:
    assert pypi.file_version(file_name) == version


@pytest.mark.parametrize(
    ("file_name", "useful"),
    [
        ("a-1-py3-none-any.whl", True),
        ("a-1-cp311-cp311-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl", True),
        ("a-1-cp38-abi3-manylinux_2_27_aarch64.whl", True),
        ("a-1-py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.whl", True),
        ("a-1-cp312-abi3-pyemscripten_2026_0_wasm32.whl", True),
        ("a-1-cp310-cp310-manylinux_2_28_x86_64.whl", False),
        ("a-1-cp311-cp311-win_amd64.whl", False),
        ("a-1-cp311-cp311-musllinux_1_2_x86_64.whl", False),
        ("a-1.tar.gz", True),
    ],
)
def test_files_worth_locking(file_name: str, useful: bool) -> None:
    assert relock.is_useful(file_name, ["site"]) == useful


def test_sdists_are_for_the_site_alone() -> None:
    assert not relock.is_useful("a-1.tar.gz", ["dev"])


@pytest.mark.parametrize("top", ["", "thing-1.0/"])
def test_unpacking_leaves_out_a_folder_around_all(tmp_path: Path, top: str) -> None:
    archive = tmp_path / "a.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for name in ("readme", "src/main.c"):
            member = tarfile.TarInfo(top + name)
            member.size = 3
            tar.addfile(member, io.BytesIO(b"abc"))
    target = tmp_path / "out"
    target.mkdir()
    sources.unpack(archive, target)
    assert sorted(path.name for path in target.iterdir()) == ["readme", "src"]
    assert (target / "src/main.c").read_bytes() == b"abc"


def test_unpacking_stays_inside(tmp_path: Path) -> None:
    archive = tmp_path / "a.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for name in ("readme", "../outside"):
            tar.addfile(tarfile.TarInfo(name))
    target = tmp_path / "out"
    target.mkdir()
    with pytest.raises(BuildError, match="outside"):
        sources.unpack(archive, target)
    assert not (tmp_path / "outside").exists()
