"""The wheels that the site adds to Pyodide: what onnx and pyxnn need there, and micropip."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tools import sources
from tools.pyodide import ml_dtypes_wheel, numpy_wheel, release

# Packages that PyPI has no Pyodide wheel of, and how to build it.
BUILDERS: dict[str, Callable[[], Path]] = {
    "numpy": lambda: numpy_wheel.build().wheel,
    "ml-dtypes": ml_dtypes_wheel.build,
}
# PyPI's wheels: package -> the end of the file's name.
READY = {
    "micropip": "any.whl",
    "onnx": "wasm32.whl",
    "protobuf": "any.whl",
    "typing-extensions": "any.whl",
}


def build() -> list[Path]:
    """All of the wheels, in the cache."""
    wheels = [compiled(name) for name in BUILDERS]
    wheels += [sources.pypi_file(name, ending) for name, ending in READY.items()]
    return wheels


def compiled(name: str) -> Path:
    """A wheel of the Pyodide distribution if that can be reached, else one built here."""
    return release.get().from_distribution(name) or BUILDERS[name]()
