"""The product: pyxnn's wheel, with the four binaries and the scripts inside, in ``build/wheels``."""

from __future__ import annotations

from pathlib import Path

from tools import cache, environment, javascript, wasm
from tools.run import BUILD, ROOT, BuildError, run, say

TARGET = BUILD / "wheels"
ASSETS = ROOT / "py/pyxnn/engine/assets"
# The date of every file that is built, so that equal contents give equal builds.
DATE = "2020-01-01T00:00:00Z"
EPOCH = {"SOURCE_DATE_EPOCH": "1577836800"}
LARGEST = 3_000_000
TEXTS = ("pyproject.toml", "README.md", "LICENSE", "THIRD_PARTY_NOTICES.md")


def build() -> Path:
    """Builds the wheel if anything in it has changed; returns its path."""
    stage_assets()
    files = [ROOT / name for name in TEXTS]
    files += [path for path in sorted((ROOT / "py").rglob("*")) if _is_content(path)]
    contents = [(path.relative_to(ROOT), cache.file_digest(path)) for path in files]

    def make(folder: Path) -> None:
        hatchling = ("-m", "hatchling", "build", "-t", "wheel", "-d")
        run([environment.python(), *hatchling, folder], log="wheel", cwd=ROOT, env=EPOCH)

    made = next(cache.folder("wheel", cache.digest(*contents), make).glob("*.whl"))
    size = made.stat().st_size
    if size > LARGEST:
        raise BuildError(f"{made.name} has {size} bytes; {LARGEST} are allowed")
    target = TARGET / made.name
    for old in TARGET.glob("pyxnn-*.whl"):
        if old != target:
            old.unlink()
    if cache.place(made, target):
        say(f"   {target.relative_to(ROOT)}: {size / 1e6:.2f} MB")
    return target


def stage_assets() -> None:
    """Puts the binaries and scripts where the package looks for them (the folder is git-ignored)."""
    scripts = javascript.build()
    wanted = {path.name: path for path in [*wasm.build(), *scripts.glob("*.js")]}
    for name, path in wanted.items():
        cache.place(path, ASSETS / name)
    for path in ASSETS.iterdir():
        if path.name not in wanted:
            path.unlink()


def _is_content(path: Path) -> bool:
    return path.is_file() and "__pycache__" not in path.parts
