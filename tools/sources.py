"""Third-party files, downloaded with the registries' own clients, checked against the lock file, and kept."""

from __future__ import annotations

import os
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

from tools import cache, debian, lock, npm, pypi
from tools.run import BuildError, run, say


def debian_source(name: str) -> Path:
    """The unpacked upstream source of a Debian source package."""
    return _debian(name, source=True)


def debian_package(name: str) -> Path:
    """The unpacked files of a Debian binary package."""
    return _debian(name, source=False)


def _debian(name: str, *, source: bool) -> Path:
    package = lock.find("debian", name)

    def fetch(target: Path) -> None:
        debian.fetch(name, package.version, target, source=source)

    return _unpacked(package, fetch)


def npm_package(name: str) -> Path:
    """The unpacked files of an npm package."""
    package = lock.find("npm", name)
    return _unpacked(package, lambda target: npm.fetch(name, package.version, target))


def pypi_file(name: str, ending: str) -> Path:
    """The one file of a PyPI package whose name ends with ``ending``, such as ".tar.gz" or "any.whl"."""
    package = lock.find("pypi", name)
    file_name = package.file(ending)
    sha256 = package.files[file_name]

    def make(folder: Path) -> None:
        say(f"   download {file_name}")
        pypi.fetch(name, package.version, file_name, folder)
        lock.verify(folder / file_name, sha256)

    return cache.folder("sources", f"{name}-{sha256[:20]}", make) / file_name


def _unpacked(package: lock.Input, fetch: Callable[[Path], None]) -> Path:
    def make(folder: Path) -> None:
        say(f"   download {package.name} {package.version}")
        download = folder / ".download"
        download.mkdir()
        fetch(download)
        for file_name, sha256 in package.files.items():
            lock.verify(download / file_name, sha256)
            unpack(download / file_name, folder)
        shutil.rmtree(download)

    return cache.folder("sources", package.key(), make)


def unpack(archive: Path, folder: Path) -> None:
    """Unpacks a .deb or a tar archive; the single folder that a tar archive may have around all is left out."""
    if archive.suffix == ".deb":
        run(["dpkg-deb", "--extract", archive, folder], log="unpack")
        return
    with tarfile.open(archive) as tar:
        members = {member.name.removeprefix("./"): member for member in tar.getmembers()}
        tops = {name.split("/")[0] for name in members} - {"", "."}
        inside = f"{tops.pop()}/" if len(tops) == 1 else ""
        for name, member in members.items():
            member.name = f"{name}/".removeprefix(inside).rstrip("/") or "."
            if member.name.startswith("/") or ".." in Path(member.name).parts:
                raise BuildError(f"{archive.name} would write outside of its folder: {name}")
            member.uid, member.gid = os.getuid(), os.getgid()
            member.uname = member.gname = ""
        tar.extractall(folder, members.values())
