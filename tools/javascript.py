"""The wheel's JavaScript, in ``build/web``: web/loader.js and web/worker.js, each with its imports in one script."""

from __future__ import annotations

import platform
from pathlib import Path

from tools import cache, sources
from tools.run import BUILD, ROOT, BuildError, run

SOURCE = ROOT / "web"
TARGET = BUILD / "web"

# loader.js becomes one expression whose value is the object of its exports; worker.js a classic worker's script.
SCRIPTS = {
    "loader.js": (
        "--global-name=pyxnn",
        "--banner:js=(() => {",
        "--footer:js=return pyxnn; })()",
    ),
    "worker.js": (),
}
OPTIONS = ("--bundle", "--format=iife", "--minify", "--target=es2022", "--log-level=warning")


def build() -> Path:
    """Bundles both scripts; returns their folder."""
    texts = [path.read_text() for path in sorted(SOURCE.glob("*.js"))]
    esbuild = _esbuild()

    def make(folder: Path) -> None:
        for name, options in SCRIPTS.items():
            target = f"--outfile={folder / name}"
            run([esbuild, SOURCE / name, *OPTIONS, *options, target], log="javascript")

    made = cache.folder("web", cache.digest(esbuild, SCRIPTS, OPTIONS, *texts), make)
    for name in SCRIPTS:
        cache.place(made / name, TARGET / name)
    return TARGET


def _esbuild() -> Path:
    """esbuild's program for this machine."""
    kinds = {"x86_64": "x64", "aarch64": "arm64"}
    machine = platform.machine()
    if machine not in kinds:
        raise BuildError(f"no esbuild for {machine} in the lock file: build on x86_64 or aarch64")
    return sources.npm_package(f"@esbuild/linux-{kinds[machine]}") / "bin/esbuild"
