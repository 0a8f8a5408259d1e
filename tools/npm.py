"""npm's packages, and the Node that runs them."""

from __future__ import annotations

from pathlib import Path

from tools import debian
from tools.run import run


def node() -> str:
    """Node's path; installed from Debian's packages when missing."""
    return debian.require("node", "nodejs")


def fetch(name: str, version: str, target: Path) -> None:
    """Downloads the archive of a package into the folder ``target``."""
    node()
    run(
        [debian.require("npm", "npm"), "pack", f"{name}@{version}", "--pack-destination", target],
        log="npm",
        cwd=target,
        advice="check that npm reaches its registry, then run the same command again",
    )
