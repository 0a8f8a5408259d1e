"""Builds numpy for Pyodide, with the Meson that its source distribution carries."""

from __future__ import annotations

import functools
import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path

from tools import cache, debian, emscripten, lock, sources
from tools.pyodide import ninja, packing, release, target
from tools.run import LOGS, say

# A side module may leave symbols open until it is loaded, so Meson finds every function it looks for. Of those that
# numpy asks about, `backtrace` is the one that isn't there when it is called.
CROSS_FILE = """[binaries]
c = 'emcc'
cpp = 'em++'
ar = 'emar'
python = '{python}'

[built-in options]
c_args = {compile_flags}
cpp_args = {compile_flags}
c_link_args = {link_flags}
cpp_link_args = {link_flags}

[properties]
longdouble_format = 'IEEE_QUAD_LE'
skip_sanity_check = true
has_function_backtrace = false

[host_machine]
system = 'emscripten'
cpu_family = 'wasm32'
cpu = 'wasm32'
endian = 'little'
"""
NATIVE_FILE = """[binaries]
cython = ['python3', '{cython}']
"""
OPTIONS = (
    "--buildtype=release",
    "-Db_ndebug=true",
    "-Dallow-noblas=true",
    "-Dblas=none",
    "-Dlapack=none",
    "-Ddisable-optimization=true",
    "-Dpython.purelibdir=/packages",
    "-Dpython.platlibdir=/packages",
)
ADVICE = "read the log; Meson's own is meson-logs/meson-log.txt in the build folder"


@dataclass(frozen=True)
class Built:
    """The wheel, and numpy's C headers for extensions that are compiled against it."""

    wheel: Path
    include: Path


@functools.cache
def build() -> Built:
    """numpy's wheel, from the cache or built in about 4 minutes."""
    sdist = sources.pypi_file("numpy", ".tar.gz")
    compiler = emscripten.get()
    python = target.get()
    key = cache.digest(
        CROSS_FILE,
        OPTIONS,
        target.COMPILE_FLAGS,
        target.LINK_FLAGS,
        compiler.version,
        python.folder.name,
        *(lock.find("pypi", name).key() for name in ("numpy", "cython")),
    )
    folder = cache.folder("numpy", key, lambda draft: _build(compiler, python, sdist, draft))
    (wheel,) = folder.glob("*.whl")
    return Built(wheel, folder / "include")


def _build(
    compiler: emscripten.Emscripten, python: target.Target, sdist: Path, folder: Path
) -> None:
    say("   numpy for Pyodide: about 4 minutes")
    if not compiler.root:
        debian.require("ninja", "ninja-build")
    work = folder / "work"
    source, build = work / "source", work / "build"
    source.mkdir(parents=True)
    sources.unpack(sdist, source)
    with zipfile.ZipFile(sources.pypi_file("cython", "any.whl")) as wheel:
        wheel.extractall(work / "cython")

    cross, native = work / "cross.ini", work / "native.ini"
    link_flags = ["-sSIDE_MODULE=1", *target.LINK_FLAGS]
    cross.write_text(
        CROSS_FILE.format(
            python=python.python,
            compile_flags=list(target.COMPILE_FLAGS),
            link_flags=link_flags,
        )
    )
    native.write_text(NATIVE_FILE.format(cython=work / "cython/cython.py"))

    def meson(*words: str | Path) -> None:
        script = source / "vendored-meson/meson/meson.py"
        compiler.run(["python3", script, *words], log="numpy", cwd=source, advice=ADVICE)

    meson("setup", build, "--prefix=/", *OPTIONS, "--cross-file", cross, "--native-file", native)
    with ninja.progress("compile numpy", LOGS / "numpy.log"):
        meson("compile", "-C", build)
    for tags, destination in (("runtime,python-runtime", "packages"), ("devel", "headers")):
        meson("install", "-C", build, "--tags", tags, "--destdir", work / destination)

    # The headers that are generated go by another tag than the rest.
    for destination in ("packages", "headers"):
        headers = work / destination / "packages/numpy/_core/include"
        shutil.copytree(headers, folder / "include", dirs_exist_ok=True)
    metadata = (source / "PKG-INFO").read_text()
    packing.pack(work / "packages/packages", metadata, release.get().wheel_tag, folder)
    shutil.rmtree(work)
