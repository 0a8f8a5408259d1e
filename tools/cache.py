"""The cache outside the checkout: folders named by the content they were made from.

A folder ``<root>/<stage>/<key>`` exists only when complete: it is made under another name and renamed.
"""

from __future__ import annotations

import fcntl
import filecmp
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


def root() -> Path:
    """The folder of all cached things."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base).resolve() / "pyxnn"


def digest(*parts: object) -> str:
    """A key for what is made from ``parts``: text and bytes as they are, the rest by its repr."""
    total = hashlib.sha256()
    for part in parts:
        data = part if isinstance(part, bytes) else str(part).encode()
        total.update(len(data).to_bytes(8, "little") + data)
    return total.hexdigest()[:20]


def file_digest(path: Path) -> str:
    """The SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def folder(stage: str, key: str, make: Callable[[Path], None]) -> Path:
    """The folder ``stage/key``, made once by ``make(empty folder)``; if that fails, nothing stays."""
    final = root() / stage / key
    if final.is_dir():
        return final
    with lock(stage, key):
        for left_by_a_killed_build in final.parent.glob(f".{key}.draft-*"):
            remove(left_by_a_killed_build)
        if not final.is_dir():
            draft = Path(tempfile.mkdtemp(prefix=f".{key}.draft-", dir=final.parent))
            try:
                make(draft)
                draft.chmod(0o755)
                draft.rename(final)
            except BaseException:
                remove(draft)
                raise
    return final


def remove(path: Path) -> None:
    """Deletes a folder with all in it, unless something is mounted there: that isn't ours to delete."""
    mounts = Path("/proc/self/mounts")
    places = mounts.read_text().splitlines() if mounts.exists() else []
    if not any(line.split()[1].startswith(f"{path}/") for line in places):
        shutil.rmtree(path, ignore_errors=True)


def place(source: Path, target: Path) -> bool:
    """Makes ``target`` a copy of the file ``source``, at once; False if it was one already."""
    if target.exists() and filecmp.cmp(source, target, shallow=False):
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    shutil.copyfile(source, draft)
    draft.replace(target)
    return True


@contextmanager
def lock(stage: str, key: str) -> Iterator[None]:
    """Holds ``stage/key`` so that two builds at once don't make the same thing."""
    parent = root() / stage
    parent.mkdir(parents=True, exist_ok=True)
    with (parent / f".{key}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
