"""Builds ml_dtypes for Pyodide: one extension of two C++ files."""

from __future__ import annotations

import shutil
from pathlib import Path

from tools import cache, emscripten, lock, sources
from tools.pyodide import numpy_wheel, packing, release, target
from tools.run import say

MODULE = "_ml_dtypes_ext"
FLAGS = (
    "-O3",
    "-DNDEBUG",
    "-std=c++17",
    "-DEIGEN_MPL2_ONLY",
    "-fvisibility=hidden",
    "-ftrapping-math",
    "-Wno-unsupported-floating-point-opt",
    *target.COMPILE_FLAGS,
    *target.LINK_FLAGS,
    "-sSIDE_MODULE=2",
    f"-sEXPORTED_FUNCTIONS=_PyInit_{MODULE}",
)


def build() -> Path:
    """ml_dtypes' wheel, from the cache or built in half a minute (once numpy's is there)."""
    sdist = sources.pypi_file("ml_dtypes", ".tar.gz")
    numpy = numpy_wheel.build()
    key = cache.digest(FLAGS, lock.find("pypi", "ml_dtypes").key(), numpy.wheel.parent.name)
    folder = cache.folder(
        "ml_dtypes", key, lambda draft: _build(emscripten.get(), numpy.include, sdist, draft)
    )
    (wheel,) = folder.glob("*.whl")
    return wheel


def _build(compiler: emscripten.Emscripten, numpy_include: Path, sdist: Path, folder: Path) -> None:
    say("   ml_dtypes for Pyodide: about half a minute")
    python = target.get()
    source, tree = folder / "source", folder / "tree"
    source.mkdir()
    sources.unpack(sdist, source)
    shutil.copytree(
        source / "ml_dtypes", tree / "ml_dtypes", ignore=shutil.ignore_patterns("_src", "tests")
    )
    include = [".", "third_party/eigen", python.include, numpy_include]
    compiler.run(
        [
            "em++",
            *FLAGS,
            *(f"-I{path}" for path in include),
            "ml_dtypes/_src/dtypes.cc",
            "ml_dtypes/_src/numpy.cc",
            "-o",
            tree / "ml_dtypes" / f"{MODULE}{python.extension_suffix}",
        ],
        log="ml_dtypes",
        cwd=source,
    )
    metadata = (source / "PKG-INFO").read_text()
    packing.pack(tree, metadata, release.get().wheel_tag, folder)
    shutil.rmtree(source)
    shutil.rmtree(tree)
