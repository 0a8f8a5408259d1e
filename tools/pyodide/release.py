"""The Pyodide release that the project builds for: its files, its lock file and its distribution."""

from __future__ import annotations

import functools
import json
import re
import shutil
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools import cache, lock, sources

TIMEOUT = 5


@dataclass(frozen=True)
class Release:
    """One release; ``folder`` has what its npm package carries."""

    version: str
    folder: Path

    @functools.cached_property
    def lock(self) -> dict[str, Any]:
        """The content of pyodide-lock.json: what the distribution has, with hashes."""
        content: dict[str, Any] = json.loads((self.folder / "pyodide-lock.json").read_text())
        return content

    @property
    def python(self) -> str:
        """CPython's version, two numbers: 3.14."""
        return ".".join(self.lock["info"]["python"].split(".")[:2])

    @property
    def wheel_tag(self) -> str:
        """The tag of wheels with compiled code for this release."""
        python = "cp" + self.python.replace(".", "")
        info = self.lock["info"]
        return f"{python}-{python}-pyemscripten_{info['abi_version']}_{info['arch']}"

    def from_distribution(self, name: str) -> Path | None:
        """The distribution's wheel of a package, or None where the distribution can't be reached."""
        if not self._distribution:
            return None
        address = self._distribution
        entry: dict[str, str] = self.lock["packages"][name]

        def make(folder: Path) -> None:
            file = folder / entry["file_name"]
            with (
                urllib.request.urlopen(address + file.name, timeout=TIMEOUT) as answer,
                file.open("wb") as out,
            ):
                shutil.copyfileobj(answer, out)
            lock.verify(file, entry["sha256"])

        try:
            made = cache.folder("pyodide-distribution", entry["sha256"][:20], make)
        except OSError:
            return None
        return made / entry["file_name"]

    @functools.cached_property
    def _distribution(self) -> str | None:
        """Where the distribution's files are, as this release's loader has it, if they can be reached."""
        loader = (self.folder / "pyodide.mjs").read_text()
        found = re.search(r"`(https://[^`$]*)\$\{\w+\}(/[^`]*)`", loader)
        if not found:
            return None
        address = f"{found[1]}{self.version}{found[2]}"
        try:
            urllib.request.urlopen(f"{address}pyodide-lock.json", timeout=TIMEOUT).close()
        except OSError:
            return None
        return address


@functools.cache
def get() -> Release:
    """The release of the lock file."""
    return Release(lock.find("npm", "pyodide").version, sources.npm_package("pyodide"))
