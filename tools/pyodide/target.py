"""What C code for Pyodide is compiled against: CPython's headers, and a build-time configuration that says so.

Pyodide's npm package carries no headers, but a package on PyPI has those of the same CPython version. They all serve but
pyconfig.h, which is made from the variables that Pyodide's own standard library records of its build.
"""

from __future__ import annotations

import functools
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path

from tools import cache, sources
from tools.pyodide import release

SYSCONFIG = "_sysconfigdata__emscripten_wasm32-emscripten"

PYTHON = """#!/bin/sh
export _PYTHON_SYSCONFIGDATA_NAME={sysconfig} PYTHONPATH={folder}
exec python3 "$@"
"""

COMPILE_FLAGS = (
    "-fPIC",
    "-g0",
    "-fwasm-exceptions",
    "-sSUPPORT_LONGJMP=wasm",
    "-DPY_CALL_TRAMPOLINE",
    "-D_GNU_SOURCE",
)
LINK_FLAGS = ("-sWASM_BIGINT", "-fwasm-exceptions", "-sSUPPORT_LONGJMP=wasm")


@dataclass(frozen=True)
class Target:
    """A folder with ``include/python3.x`` and ``python``, an interpreter that describes Pyodide's build."""

    folder: Path
    include: Path
    extension_suffix: str

    @property
    def python(self) -> Path:
        """Runs python3 with the configuration of Pyodide's Python; for build systems that ask the interpreter."""
        return self.folder / "python"


@functools.cache
def get() -> Target:
    """The target for the locked Pyodide, made when needed."""
    pyodide = release.get()
    with zipfile.ZipFile(pyodide.folder / "python_stdlib.zip") as stdlib:
        variables = build_variables(stdlib.read(f"{SYSCONFIG}.py").decode())
    headers = _headers(pyodide.python)
    headers["pyconfig.h"] = pyconfig(headers["pyconfig.h"].decode(), variables).encode()

    include = Path("include") / f"python{pyodide.python}"
    key = cache.digest(PYTHON, variables, headers)
    final = cache.root() / "pyodide-target" / key

    def make(folder: Path) -> None:
        for name, content in headers.items():
            path = folder / include / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        moved = relocated(variables, final)
        (folder / f"{SYSCONFIG}.py").write_text(f"build_time_vars = {moved!r}\n")
        python = folder / "python"
        python.write_text(PYTHON.format(sysconfig=SYSCONFIG, folder=final))
        python.chmod(0o755)

    cache.folder(final.parent.name, key, make)
    return Target(final, final / include, str(variables["EXT_SUFFIX"]))


def _headers(python: str) -> dict[str, bytes]:
    """CPython's headers, for a build that isn't Pyodide's: path -> content."""
    folder = f"wasmpy_build/include/cp{python.replace('.', '')}/"
    with zipfile.ZipFile(sources.pypi_file("wasmpy-build", "any.whl")) as wheel:
        return {
            name.removeprefix(folder): wheel.read(name)
            for name in wheel.namelist()
            if name.startswith(folder) and name.endswith(".h")
        }


def build_variables(module: str) -> dict[str, int | str]:
    """The variables in the text of a ``_sysconfigdata`` module."""
    scope: dict[str, dict[str, int | str]] = {}
    exec(module, scope)
    return scope["build_time_vars"]


def pyconfig(native: str, variables: dict[str, int | str]) -> str:
    """pyconfig.h for a build with ``variables``: they say what the names are that another build's header knows."""
    names = set(re.findall(r"#\s*(?:define|undef)\s+(\w+)", native))
    lines = []
    for name in sorted(names & variables.keys()):
        value = variables[name]
        # A feature that the configuration did not find is recorded as 0, and is not defined.
        if value or (value == 0 and name.startswith(("ALIGNOF_", "SIZEOF_"))):
            lines.append(f"#define {name} {value}\n")
    return f"#ifndef Py_PYCONFIG_H\n#define Py_PYCONFIG_H\n{''.join(lines)}#endif\n"


def relocated(variables: dict[str, int | str], prefix: Path) -> dict[str, int | str]:
    """``variables`` with the installation moved to ``prefix``."""
    old = str(variables["INCLUDEPY"]).split("/include/")[0]
    return {
        name: value.replace(old, str(prefix)) if isinstance(value, str) else value
        for name, value in variables.items()
    }
