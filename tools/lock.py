"""The lock file: every third-party input by name, version and SHA-256."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path

from tools.cache import file_digest
from tools.run import ROOT, BuildError

PATH = ROOT / "third_party.lock"


@dataclass(frozen=True)
class Input:
    """One third-party package: ``files`` maps each of its files to its SHA-256."""

    registry: str
    name: str
    version: str
    files: dict[str, str]

    def sha256(self) -> str:
        """One hash for all files."""
        return "-".join(self.files.values())


@functools.cache
def read(path: Path = PATH) -> dict[str, dict[str, dict[str, object]]]:
    """The whole lock file: registry -> name -> entry."""
    content: dict[str, dict[str, dict[str, object]]] = json.loads(path.read_text())
    return content


def find(registry: str, name: str) -> Input:
    """The locked package ``name`` of ``registry`` (debian, pypi, npm)."""
    entry = read().get(registry, {}).get(name)
    if entry is None:
        raise BuildError(f"{PATH.name} has no {registry} package {name}: add it there")
    files = entry["files"]
    assert isinstance(files, dict)
    return Input(registry, name, str(entry["version"]), files)


def verify(path: Path, sha256: str) -> None:
    """Stops the build when a file isn't the one that the lock file names."""
    found = file_digest(path)
    if found != sha256:
        raise BuildError(
            f"wrong hash of {path.name}\n"
            f"  {PATH.name} wants sha256 {sha256}\n"
            f"  the download has sha256 {found}\n"
            "what to do: the file was changed on its way or at its source; don't use it. "
            "Try again from another mirror, and report it if it stays."
        )
