"""The lock file: every third-party input by name, version and SHA-256."""

from __future__ import annotations

import functools
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from tools.cache import file_digest
from tools.run import ROOT, BuildError

PATH = ROOT / "third_party.lock"


class Entry(TypedDict, total=False):
    """A package in the lock file."""

    version: str
    groups: list[str]  # PyPI's packages: the dependency groups of pyproject.toml that need it
    files: dict[str, str]


@dataclass(frozen=True)
class Input:
    """One third-party package: ``files`` maps each of its files to its SHA-256."""

    registry: str
    name: str
    version: str
    files: dict[str, str]

    def key(self) -> str:
        """A name for what is unpacked from all of its files."""
        return f"{self.name.replace('/', '-')}-{'-'.join(self.files.values())[:20]}"

    def file(self, ending: str) -> str:
        """The one file whose name ends with ``ending``."""
        found = [name for name in self.files if name.endswith(ending)]
        if len(found) != 1:
            raise BuildError(f"{PATH.name}: {len(found)} files of {self.name} end with {ending}")
        return found[0]


@functools.cache
def read(path: Path = PATH) -> dict[str, dict[str, Entry]]:
    """The whole lock file: registry -> name -> entry."""
    try:
        content: dict[str, dict[str, Entry]] = json.loads(path.read_text())
    except ValueError as error:
        raise BuildError(f"{path} can't be read: {error}") from None
    return content


def find(registry: str, name: str) -> Input:
    """The locked package ``name`` of ``registry`` (debian, pypi, npm)."""
    if registry == "pypi":
        name = normalise(name)
    entry = read().get(registry, {}).get(name)
    if entry is None:
        raise BuildError(f"{PATH.name} has no {registry} package {name}: add it there")
    return Input(registry, name, entry["version"], entry["files"])


def normalise(name: str) -> str:
    """The one spelling of a PyPI package's name."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pypi_group(group: str) -> list[Input]:
    """The locked packages of a dependency group of pyproject.toml."""
    entries = read().get("pypi", {})
    return [find("pypi", name) for name, entry in entries.items() if group in entry["groups"]]


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
