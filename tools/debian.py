"""Debian's packages: what this host has, and files of Debian 13 without touching the host.

Files are fetched with apt under settings of our own (state and lists in the cache), from the mirror that the host uses.
"""

from __future__ import annotations

import ctypes
import functools
import os
import re
import shutil
from pathlib import Path

from tools import cache
from tools.run import BuildError, output, run

SUITE = "trixie"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


def release() -> int | None:
    """The host's Debian release (12, 13, ...); None when it isn't Debian."""
    path = Path("/etc/os-release")
    text = path.read_text() if path.exists() else ""
    fields = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', text, re.MULTILINE))
    version = fields.get("VERSION_ID", "")
    return int(version) if fields.get("ID") == "debian" and version.isdigit() else None


def is_root() -> bool:
    """Whether packages can be installed."""
    return os.geteuid() == 0


def install(*packages: str) -> None:
    """Installs packages of the host's own release."""
    if not is_root() or not shutil.which("apt-get"):
        names = " ".join(packages)
        raise BuildError(f"{names} missing\nwhat to do: install, as root: apt-get install {names}")
    refresh()
    options = ("--yes", "--no-install-recommends", "-o", "Acquire::Retries=3")
    run(
        ["apt-get", "install", *options, *packages],
        log="apt",
        env={"DEBIAN_FRONTEND": "noninteractive"},
        advice="see whether `apt-get update` works here, then run the same command again",
    )


@functools.cache
def refresh() -> None:
    """Brings the host's package lists up to date, once a run."""
    run(["apt-get", "update"], log="apt", advice="check the network and the apt sources")


def require(command: str, package: str) -> str:
    """The path of ``command``; installs ``package`` when it isn't there."""
    if not shutil.which(command):
        install(package)
    found = shutil.which(command)
    if not found:
        raise BuildError(f"{package} is installed, but {command} is not on PATH")
    return found


def require_library(name: str, package: str) -> None:
    """Installs ``package`` when the shared library ``name`` isn't there."""
    try:
        ctypes.CDLL(name)
    except OSError:
        install(package)


@functools.cache
def mirror() -> str:
    """The address of the Debian archive that the host's apt uses."""
    ask = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"]
    for attempt in range(2):
        found = output([*ask, "Origin: Debian", "Label: Debian"]).split()
        if found:
            return found[0]
        if attempt == 0 and is_root():
            refresh()
    raise BuildError(
        "apt knows no Debian mirror here\n"
        "what to do: on Debian, run `apt-get update` as root; elsewhere, build on Debian 12 or 13"
    )


def fetch(name: str, version: str, target: Path, *, source: bool) -> None:
    """Downloads a package of Debian 13 (of a source package, its upstream archive) into ``target``."""
    verb = ["source", "--download-only", "--tar-only"] if source else ["download"]
    run(
        ["apt-get", *_settings(), *verb, f"{name}={version}"],
        log="debian",
        cwd=target,
        advice="check that apt's mirror is reachable, then run the same command again",
    )


@functools.cache
def _settings() -> tuple[str, ...]:
    """apt's options for Debian 13, with all of its state in the cache."""
    home = cache.root() / "apt" / cache.digest(SUITE, mirror())
    for name in ("state/lists/partial", "cache/archives/partial"):
        (home / name).mkdir(parents=True, exist_ok=True)
    (home / "status").touch()
    signed = f"[signed-by={KEYRING}]"
    (home / "sources.list").write_text(
        "".join(f"{kind} {signed} {mirror()} {SUITE} main\n" for kind in ("deb", "deb-src"))
    )
    values = {
        "Dir::State": home / "state",
        "Dir::State::status": home / "status",
        "Dir::Cache": home / "cache",
        "Dir::Etc::sourcelist": home / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "APT::Architecture": "amd64",
        "APT::Architectures": "amd64",
        "APT::Sandbox::User": "root",
        "Acquire::Languages": "none",
        "Acquire::Retries": "3",
    }
    options = tuple(word for key, value in values.items() for word in ("-o", f"{key}={value}"))
    run(
        ["apt-get", *options, "update"],
        log="debian",
        advice="check that apt's mirror is reachable, then run the same command again",
    )
    return options
