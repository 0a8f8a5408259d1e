"""Third-party files, downloaded with the registries' own clients, checked against the lock file, and kept."""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path

from tools import cache, debian, lock
from tools.run import run, say


def debian_source(name: str) -> Path:
    """The unpacked upstream source of a Debian 13 source package."""
    return _unpacked(lock.find("debian", name), source=True)


def debian_package(name: str) -> Path:
    """The unpacked files of a Debian 13 binary package."""
    return _unpacked(lock.find("debian", name), source=False)


def _unpacked(package: lock.Input, *, source: bool) -> Path:
    def make(folder: Path) -> None:
        say(f"   {package.name} {package.version}")
        download = folder / ".download"
        download.mkdir()
        debian.fetch([(package.name, package.version)], download, source=source)
        for file_name, sha256 in package.files.items():
            file = download / file_name.replace(":", "%3a")
            lock.verify(file, sha256)
            unpack(file, folder)
        shutil.rmtree(download)

    return cache.folder("sources", f"{package.name}-{package.sha256()[:20]}", make)


def unpack(archive: Path, folder: Path) -> None:
    """Unpacks a .deb or a tar archive; the single folder that a tar archive may have around all is left out."""
    if archive.suffix == ".deb":
        run(["dpkg-deb", "--extract", archive, folder], log="unpack")
        return
    with tarfile.open(archive) as tar:
        members = tar.getmembers()
        tops = {member.name.removeprefix("./").split("/")[0] for member in members} - {"", "."}
        if len(tops) == 1:
            inside = next(iter(tops)) + "/"
            for member in members:
                member.name = (member.name.removeprefix("./") + "/").removeprefix(inside).rstrip("/")
        tar.extractall(folder, members=[m for m in members if m.name], filter="tar")
