"""The engine: our C linked with XNNPACK into four WebAssembly binaries, in ``build/wasm``."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tools import cache, compiler, emscripten, xnnpack
from tools.emscripten import Emscripten
from tools.run import BUILD, ROOT, BuildError, cpus, say
from tools.xnnpack import VARIANTS, Library, Variant

SOURCE = ROOT / "wasm"
TARGET = BUILD / "wasm"
LARGEST = 2_500_000

# Functions behind one interface may ignore what they have no use for.
WARNINGS = ("-Wall", "-Wextra", "-Wno-unused-parameter", "-Werror")

# A bare module that imports its memory, which JavaScript makes: as large as the browser grants.
LINK = (
    "-O3",
    "-sSTANDALONE_WASM",
    "--no-entry",
    "-sIMPORTED_MEMORY",
    "-sALLOW_MEMORY_GROWTH",
    "-sMAXIMUM_MEMORY=4GB",
    "-sSTACK_SIZE=256KB",
)


def build() -> list[Path]:
    """Builds what is not up to date of the four binaries; returns their paths."""
    for variant in VARIANTS:
        xnnpack.library(variant)
    kinds = [
        (f"pyxnn-{variant.name}-{'threads' if threads else 'single'}", variant, threads)
        for variant in VARIANTS
        for threads in (False, True)
    ]
    files = sorted((SOURCE / "src").rglob("*.c"))
    with ThreadPoolExecutor(cpus()) as pool:
        jobs = [
            pool.submit(_program, name, files, variant, threads, TARGET)
            for name, variant, threads in kinds
        ]
        return [job.result() for job in jobs]


def pool_test() -> Path:
    """The test program of the worker pool: the pool with threads and nothing else of the engine."""
    files = [ROOT / "tests/pool/pool_test.c", SOURCE / "src/pool.c"]
    return _program("pool", files, xnnpack.RELAXED, True, BUILD / "tests")


def _program(
    name: str, files: Sequence[Path], variant: Variant, threads: bool, folder: Path
) -> Path:
    """Compiles and links ``files`` with XNNPACK's library into ``folder/<name>.wasm``."""
    emcc = emscripten.get()
    library = xnnpack.library(variant)
    objects = _compile(emcc, name, files, library, threads)
    link = [*LINK, *variant.flags, *(["-pthread"] if threads else [])]
    key = cache.digest(emcc.version, link, *map(cache.file_digest, objects), library.archive)

    def make(draft: Path) -> None:
        emcc.run(
            ["emcc", *link, *objects, library.archive, "-o", draft / "program.wasm"], log="link"
        )

    program = cache.folder("program", key, make) / "program.wasm"
    size = program.stat().st_size
    if size > LARGEST:
        raise BuildError(f"{name}.wasm has {size} bytes; {LARGEST} are allowed")
    target = folder / f"{name}.wasm"
    if cache.place(program, target):
        say(f"   {target.relative_to(ROOT)}: {size / 1e6:.2f} MB")
    return target


def _compile(
    emcc: Emscripten, name: str, files: Sequence[Path], library: Library, threads: bool
) -> list[Path]:
    """The object files of our own C, compiled where they are not in the cache."""
    flags = [
        *library.flags,
        *WARNINGS,
        f"-DPYXNN_THREADS={int(threads)}",
        *(f"-I{SOURCE / part}" for part in ("include", "src")),
        *(f"-isystem{path}" for path in library.include),
    ]
    headers = [cache.file_digest(path) for path in sorted(SOURCE.rglob("*.h"))]
    common = (emcc.version, library.archive, library.flags, threads, *headers)
    folder = cache.root() / "engine"
    objects = [
        folder / f"{cache.digest(*common, path.relative_to(ROOT), path.read_text())}.o"
        for path in files
    ]
    compiler.compile_missing(emcc, dict(zip(objects, files, strict=True)), flags, name)
    return objects
