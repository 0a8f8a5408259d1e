"""XNNPACK and pthreadpool as static libraries for WebAssembly, one for each instruction set.

All objects are built with atomics, so each library serves the one-thread binary as well as the one with threads.
What a program doesn't use, the linker leaves out.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from tools import cache, compiler, emscripten, sources

OPTIMISE = ("-O3", "-pthread", "-ffunction-sections", "-fdata-sections", "-fno-math-errno")

# XNNPACK's headers lay out their structs by these, so our C must be compiled with the same.
DEFINES = (
    *(f"-DXNN_ENABLE_{name}=1" for name in ("MEMOPT", "SPARSE", "GEMM_M_SPECIALIZATION")),
    *(
        f"-DXNN_ENABLE_{name}=0"
        for name in ("CPUINFO", "ASSEMBLY", "KLEIDIAI", "HVX", "DWCONV_MULTIPASS")
    ),
    "-DXNN_LOG_LEVEL=0",
    *(
        f"-DPTHREADPOOL_USE_{name}=0"
        for name in ("CPUINFO", "CONDVAR", "FUTEX", "EVENT", "GCD", "FASTPATH")
    ),
)

# Two kernels for WASM SIMD include Arm's header by mistake. And results are clamped by a maximum of a bound and a result, in
# this order, or by one of integers: either is the bound when the result is NaN. The other way round NaN stays, at no price.
SHIMS = {
    "arm_neon.h": "#include <wasm_simd128.h>\n",
    "keep_nan.h": """#include <wasm_simd128.h>
#define wasm_f32x4_pmax(a, b) wasm_f32x4_pmax(b, a)
#define wasm_f32x4_pmin(a, b) wasm_f32x4_pmin(b, a)
#define wasm_f32x4_relaxed_max(a, b) wasm_f32x4_pmax(a, b)
#define wasm_f32x4_relaxed_min(a, b) wasm_f32x4_pmin(a, b)
#define wasm_i32x4_max(a, b) \\
  (__builtin_strstr(__FILE__, "-relu-") ? wasm_f32x4_pmax(b, a) : wasm_i32x4_max(a, b))
""",
}

# Sources that serve XNNPACK's subgraph API alone, which the engine doesn't use.
SUBGRAPH_API = {
    "src/im2col.c",
    "src/memory-planner.c",
    "src/runtime.c",
    "src/subgraph.c",
    "src/tensor.c",
}


@dataclass(frozen=True)
class Variant:
    """An instruction set: its name, the compiler's flags, and XNNPACK's lists of microkernels."""

    name: str
    flags: tuple[str, ...]
    kernels: tuple[str, ...]


SIMD = Variant("simd", ("-msimd128",), ("scalar", "wasm", "wasmsimd"))
RELAXED = Variant("relaxed", ("-msimd128", "-mrelaxed-simd"), (*SIMD.kernels, "wasmrelaxedsimd"))
VARIANTS = (SIMD, RELAXED)


@dataclass(frozen=True)
class Library:
    """A static library, and what to compile with when its headers are used."""

    archive: Path
    flags: tuple[str, ...]
    include: tuple[Path, ...]


def library(variant: Variant) -> Library:
    """XNNPACK's library for ``variant``; about two minutes on two cores the first time."""
    emcc = emscripten.get()
    xnnpack = sources.debian_source("xnnpack")
    pthreadpool = sources.debian_source("pthreadpool")
    shims = cache.folder("shim", cache.digest(*SHIMS.values()), _write_shims)
    include = (
        shims,
        *(xnnpack / name for name in ("include", "src", "")),
        *(pthreadpool / name for name in ("include", "src")),
        *(sources.debian_package(name) / "usr/include" for name in ("libfp16-dev", "libfxdiv-dev")),
    )
    flags = (*OPTIMISE, *variant.flags, *DEFINES)
    files = [xnnpack / name for name in source_files(xnnpack, variant)]
    files.append(pthreadpool / "src/portable-api.c")
    key = f"{variant.name}-{cache.digest(emcc.version, flags, include, files)}"

    def make(folder: Path) -> None:
        # Objects stay in a folder of their own until the library is whole: an interrupted build resumes.
        objects = cache.root() / "objects" / key
        by_object = {objects / object_name(path): path for path in files}
        search = [*(f"-I{path}" for path in include), "-include", str(shims / "keep_nan.h")]
        compiler.compile_missing(emcc, by_object, [*flags, *search], f"XNNPACK for {variant.name}")
        response = folder / "objects.txt"
        response.write_text("".join(f"{path}\n" for path in sorted(by_object)))
        emcc.run(["emar", "rcsD", folder / "libxnnpack.a", f"@{response}"], log="compile")
        response.unlink()
        shutil.rmtree(objects)

    return Library(cache.folder("xnnpack", key, make) / "libxnnpack.a", flags, include)


def _write_shims(folder: Path) -> None:
    for name, text in SHIMS.items():
        (folder / name).write_text(text)


def source_files(xnnpack: Path, variant: Variant) -> list[str]:
    """The files of XNNPACK to compile: the operator API's, and the microkernels that a build for production takes."""
    patterns = ("*.c", "operators/*.c", "configs/*.c", "enums/*.c", "tables/*.c", "reference/*.cc")
    found = {
        str(path.relative_to(xnnpack))
        for pattern in patterns
        for path in (xnnpack / "src").glob(pattern)
    }
    for name in variant.kernels:
        text = (xnnpack / f"cmake/gen/{name}_microkernels.cmake").read_text()
        found.update(cmake_list(text, f"PROD_{name.upper()}_MICROKERNEL_SRCS"))
    return sorted(found - SUBGRAPH_API)


def cmake_list(text: str, name: str) -> list[str]:
    """The items of the list ``name`` that CMake code sets."""
    match = re.search(rf"\bSET\({name}\b([^)]*)\)", text)
    if not match:
        raise ValueError(f"no list {name}")
    return match.group(1).split()


def object_name(path: Path) -> str:
    """The object's file name: the source's with its folder, as some names occur in two folders."""
    return f"{path.parent.name}-{path.stem}{path.suffix}.o"
