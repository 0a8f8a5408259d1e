"""The static site in ``build/site``: Pyodide, wheels, the demo page and JupyterLite, with nothing fetched from outside.

index.html ...   web/demo
pyodide/         Pyodide's npm package; its lock file names the site's own packages
wheels/          those packages, pyxnn's among them
models/          what the demo runs
lite/            JupyterLite, whose kernel is that Pyodide
"""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
from email.parser import HeaderParser
from pathlib import Path
from typing import Any

from tools import cache, environment, lite, pyodide_wheels, wheel
from tools.lock import normalise
from tools.pyodide import release
from tools.run import BUILD, ROOT, run, say

TARGET = BUILD / "site"
PAGE = ROOT / "web/demo"
MODELS = ROOT / "tests/models"
PYODIDE_FILES = (
    "pyodide.asm.mjs",
    "pyodide.asm.wasm",
    "pyodide.js",
    "pyodide.mjs",
    "python_stdlib.zip",
)
# A package's lock entry speaks of what the browser fetches from the folder of the lock file.
WHEELS = "../wheels/"


def build() -> Path:
    """Brings the site up to date; returns its folder. Files that haven't changed aren't touched."""
    wheels = [*pyodide_wheels.build(), wheel.build()]
    pyodide = release.get()
    models = demo_models()
    files: dict[str, Path | bytes] = {
        path.relative_to(PAGE).as_posix(): path for path in PAGE.rglob("*") if path.is_file()
    }
    files |= {f"pyodide/{name}": pyodide.folder / name for name in PYODIDE_FILES}
    files["pyodide/pyodide-lock.json"] = json.dumps(lock_file(pyodide, wheels), indent=1).encode()
    files |= {f"wheels/{path.name}": path for path in wheels}
    files |= {f"models/{path.name}": path for path in models.iterdir()}
    beside = sorted(models.glob("digits*"))
    files |= {f"lite/{name}": content for name, content in lite.files(beside).items()}
    with cache.lock("site", cache.digest(ROOT)):
        written = synchronise(files, TARGET)
    say(f"   {TARGET.relative_to(ROOT)}: {len(files)} files, {written} of them new")
    return TARGET


def demo_models() -> Path:
    """The folder with the models of the demo page, made by the code in ``tests/models``."""
    sources = [
        (path.name, cache.file_digest(path)) for path in sorted(MODELS.iterdir()) if path.is_file()
    ]

    def make(folder: Path) -> None:
        call = f"from tests.models import write_demo_models as w; import pathlib; w(pathlib.Path({str(folder)!r}))"
        run([environment.python(), "-c", call], log="models", cwd=ROOT)

    return cache.folder("models", cache.digest(*sources), make)


def lock_file(pyodide: release.Release, wheels: list[Path]) -> dict[str, Any]:
    """Pyodide's lock file with ``wheels`` as its packages."""
    entries = [lock_entry(path) for path in wheels]
    return {**pyodide.lock, "packages": {entry["name"]: entry for entry in entries}}


def lock_entry(wheel: Path) -> dict[str, Any]:
    """A wheel as a package of Pyodide's lock file."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (metadata,) = (name for name in names if re.fullmatch(r"[^/]+\.dist-info/METADATA", name))
        fields = HeaderParser().parsestr(archive.read(metadata).decode())
    tops = {name.split("/")[0].removesuffix(".py") for name in names}
    required = {
        normalise(re.split(r"[^\w.-]", line)[0])
        for line in fields.get_all("Requires-Dist", [])
        if "extra ==" not in line
    }
    return {
        "name": normalise(fields["Name"]),
        "version": fields["Version"],
        "file_name": WHEELS + wheel.name,
        "install_dir": "site",
        "sha256": hashlib.sha256(wheel.read_bytes()).hexdigest(),
        "package_type": "package",
        "imports": sorted(top for top in tops if top.isidentifier()),
        "depends": sorted(required),
        "unvendored_tests": False,
        "tool": {},
    }


def synchronise(files: dict[str, Path | bytes], folder: Path) -> int:
    """Makes ``folder`` hold exactly ``files`` (path inside it -> content or a file); returns how many were written."""
    written = 0
    for name, source in files.items():
        content = source if isinstance(source, bytes) else source.read_bytes()
        path = folder / name
        if not path.is_file() or path.read_bytes() != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            draft = path.with_name(f".{path.name}.new")
            draft.write_bytes(content)
            draft.replace(path)
            written += 1
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir():
            if not any(path.iterdir()):
                path.rmdir()
        elif path.relative_to(folder).as_posix() not in files:
            path.unlink()
    return written
