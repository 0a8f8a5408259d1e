"""The Emscripten compiler: one on PATH, Debian's package, or Debian 13's in a private root on Debian 12.

Whichever it is, ``Emscripten.run`` runs a command with emcc on its PATH, and the checkout and the cache have the same
paths for it as outside.
"""

from __future__ import annotations

import functools
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools import cache, debian
from tools.run import ROOT, BuildError, output, run, say

OLDEST = (3, 1, 60)
ROOT_PACKAGES = (
    "cmake",
    "emscripten",
    "make",
    "ninja-build",
    "pkg-config",
    "python3-dev",
    "python3-venv",
)
HELP = f"""no usable Emscripten
what to do: put an emcc of version {".".join(map(str, OLDEST))} or later on PATH (Debian 13 or later: as root,
apt-get install emscripten; elsewhere: an emsdk), or build as root on Debian 12 or later, where this is done for you."""

# Arguments: the root, the folders to mount in it, --, the command.
MOUNT = """
root=$1
shift
while [ "$1" != -- ]; do
  mkdir -p "$root$1" && mount --rbind "$1" "$root$1" || exit
  shift
done
shift
exec chroot "$root" "$@"
"""


@dataclass(frozen=True)
class Emscripten:
    """A compiler that works; ``root`` is the folder of the private Debian 13, if that is what it lives in."""

    version: str
    root: Path | None = None

    def run(
        self,
        argv: Sequence[str | Path],
        *,
        log: str,
        cwd: Path = ROOT,
        env: Mapping[str, str] | None = None,
        advice: str = "",
    ) -> None:
        """Runs a command in ``cwd`` with emcc, em++, emar and their like on its PATH; see tools.run.run."""
        if self.root:
            run(enter(self.root, argv, cwd, env or {}), log=log, advice=advice)
        else:
            run(argv, log=log, cwd=cwd, env=env, advice=advice)


def choose(on_path: str | None, debian_release: int | None, is_root: bool) -> str:
    """Where the compiler comes from: "path", "package" or "root"; ``on_path`` is the version of the emcc there."""
    if on_path and parse_version(on_path) >= OLDEST:
        return "path"
    if debian_release and debian_release >= 13 and is_root:
        return "package"
    if debian_release == 12 and is_root:
        return "root"
    raise BuildError(HELP)


def parse_version(text: str) -> tuple[int, ...]:
    """The numbers of the first version in ``text``, as ``emcc --version`` prints it."""
    match = re.search(r"(\d+)\.(\d+)\.(\d+)", text)
    return tuple(map(int, match.groups())) if match else ()


@functools.cache
def get() -> Emscripten:
    """The compiler, installed if it has to be."""
    on_path = output(["emcc", "--version"]) if shutil.which("emcc") else None
    where = choose(on_path, debian.release(), debian.is_root())
    if where == "root":
        root = private_root()
        text = output(enter(root, ["emcc", "--version"], ROOT, {}))
    else:
        if where == "package":
            debian.install("emscripten")
        root, text = None, output(["emcc", "--version"])
    version = parse_version(text)
    if version < OLDEST:
        raise BuildError(HELP)
    return Emscripten(".".join(map(str, version)), root)


def private_root() -> Path:
    """A folder with a minimal Debian 13 that has Emscripten; made once, 1.5 minutes and 2.6 GB."""

    def make(folder: Path) -> None:
        say("   Debian 13 with Emscripten in a private root: about 1.5 minutes")
        tool = debian.require("mmdebstrap", "mmdebstrap")
        run(
            [
                tool,
                "--variant=minbase",
                '--aptopt=Acquire::Retries "3"',
                f"--include={','.join(ROOT_PACKAGES)}",
                debian.SUITE,
                folder,
                debian.mirror(),
            ],
            log="emscripten",
            advice="check that apt's mirror is reachable, then run the same command again",
        )

    return cache.folder("emscripten", cache.digest(debian.SUITE, ROOT_PACKAGES), make)


def enter(
    root: Path, argv: Sequence[str | Path], cwd: Path, env: Mapping[str, str]
) -> list[str | Path]:
    """The command that runs ``argv`` inside ``root``, with the checkout, the cache, /proc and /dev mounted there.

    The mounts are seen by that command alone, and go when it ends. In a container without the right to mount, proot
    does the same more slowly.
    """
    places = [str(ROOT), str(cache.root()), "/proc", "/dev"]
    settings = {
        "HOME": "/root",
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "LC_ALL": "C.UTF-8",
        "TMPDIR": "/tmp",
        **env,
    }
    assignments = [f"{key}={value}" for key, value in settings.items()]
    inside = ["/usr/bin/env", "-i", f"--chdir={cwd}", *assignments, *argv]
    if _may_mount():
        return ["unshare", "--mount", "sh", "-c", MOUNT, "sh", root, *places, "--", *inside]
    binds = [f"--bind={place}" for place in places]
    return [debian.require("proot", "proot"), f"--rootfs={root}", *binds, *inside]


@functools.cache
def _may_mount() -> bool:
    return subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode == 0
