"""The JupyterLite site, which is ``lite`` in the static site: JupyterLab, a notebook, and what this opens.

The kernel is the site's Pyodide, so pyxnn and its dependencies come from there. What the kernel itself installs in the
browser is in an index of JupyterLite's own; no registry is asked.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from tools import cache, environment, lock, sources, wheel
from tools.run import ROOT, BuildError, run

PROJECT = ROOT / "web/lite"
# JupyterLite's name of the folder of wheels; jupyter_lite_config.json has it too.
WHEELS = "wheels"
# Runs before JupyterLab does.
SCRIPT = PROJECT / "messages.js"


def files(contents: list[Path]) -> dict[str, Path | bytes]:
    """The site's files by their path; ``contents`` are those that lie beside the notebooks."""
    shown = [*sorted(PROJECT.glob("*.ipynb")), *contents]
    folder = build()
    found: dict[str, Path | bytes] = {
        path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()
    }
    found |= {f"files/{path.name}": path for path in shown}
    found["api/contents/all.json"] = json.dumps(listing(shown), indent=1).encode()
    return found


def build() -> Path:
    """The folder of JupyterLite itself, without contents."""
    settings = sorted(PROJECT.glob("*.json"))
    wheels = [sources.pypi_file(package.name, "any.whl") for package in lock.pypi_group("kernel")]
    tools = environment.requirements("lite")

    def make(folder: Path) -> None:
        with tempfile.TemporaryDirectory() as name:
            project = Path(name)
            for path in settings:
                cache.place(path, project / path.name)
            for path in wheels:
                cache.place(path, project / WHEELS / path.name)
            jupyterlite = (environment.python("lite"), "-m", "jupyterlite_core")
            target = ("--output-dir", folder)
            run([*jupyterlite, "build", *target], log="lite", cwd=project, env=wheel.EPOCH)
        cache.place(SCRIPT, folder / SCRIPT.name)
        page = folder / "lab/index.html"
        head, found, rest = page.read_text().partition("<head>")
        if not found:
            raise BuildError(f"JupyterLab's page has no head to put {SCRIPT.name} into")
        page.write_text(f'{head}<head><script src="../{SCRIPT.name}"></script>{rest}')

    texts = (path.read_text() for path in (*settings, SCRIPT))
    names = (path.name for path in wheels)
    return cache.folder("lite", cache.digest(tools, wheel.EPOCH, *texts, *names), make)


def listing(paths: list[Path]) -> dict[str, Any]:
    """A folder of ``paths`` as Jupyter's contents API has it."""
    return _entry("", "directory", [_entry(path.name, _kind(path), None) for path in paths])


def _kind(path: Path) -> str:
    return "notebook" if path.suffix == ".ipynb" else "file"


def _entry(name: str, kind: str, content: list[dict[str, Any]] | None) -> dict[str, Any]:
    return {
        "name": name,
        "path": name,
        "type": kind,
        "format": None if content is None else "json",
        "content": content,
        "mimetype": None,
        "writable": True,
        "created": wheel.DATE,
        "last_modified": wheel.DATE,
    }
