"""Virtual environments: the packages of one of the lock file's groups, installed with their hashes."""

from __future__ import annotations

import functools
import platform
import sys
from pathlib import Path

from tools import cache, debian, lock
from tools.run import run, say


def requirements(group: str) -> str:
    """pip's requirements file for a group of the lock file, with every hash."""
    lines = []
    for package in lock.pypi_group(group):
        hashes = "".join(f" --hash=sha256:{sha256}" for sha256 in sorted(package.files.values()))
        lines.append(f"{package.name}=={package.version}{hashes}\n")
    return "".join(lines)


@functools.cache
def python(group: str = "dev") -> Path:
    """The Python of a group's environment, which is made if need be. Run its tools with ``-m``: it has been renamed."""
    wanted = requirements(group)

    def make(folder: Path) -> None:
        say(f"   Python packages: {group}")
        create(folder)
        listing = folder / "requirements.txt"
        listing.write_text(wanted)
        pip = ("-m", "pip", "--disable-pip-version-check", "install", "--no-deps")
        run(
            [folder / "bin/python", *pip, "--require-hashes", "--only-binary=:all:", "-r", listing],
            log="environment",
            advice="check that pip reaches its package index, then run the same command again",
        )

    debian.require_library("libatomic.so.1", "libatomic1")  # Playwright's Node wants it
    return cache.folder("venv", cache.digest(_interpreter(), wanted), make) / "bin/python"


@functools.cache
def bare() -> Path:
    """The Python of an environment with nothing but pip."""
    return cache.folder("venv", f"bare-{cache.digest(_interpreter())}", create) / "bin/python"


def create(folder: Path) -> None:
    """Makes a virtual environment; on Debian, installs the module for that when it is missing."""
    try:
        import ensurepip  # noqa: F401
    except ImportError:
        debian.install("python3-venv")
    run([_base(), "-m", "venv", "--clear", folder], log="environment")


def _base() -> Path:
    """The Python that this one is, or, inside a virtual environment, that it was made from."""
    return Path(getattr(sys, "_base_executable", sys.executable)).resolve()


def _interpreter() -> tuple[object, ...]:
    return (_base(), sys.version, platform.machine())
