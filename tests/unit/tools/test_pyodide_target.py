"""The configuration that C code for Pyodide is compiled against."""

from __future__ import annotations

from pathlib import Path

from tools.pyodide import target

NATIVE = """
#define SIZEOF_LONG 8
#define HAVE_FORK 1
# define HAVE_DUP3 1
/* #undef HAVE_KQUEUE */
#define HASHES "sha2"
#define ONLY_HERE 1
#undef ALIGNOF_ODD
"""


def test_pyconfig_takes_names_from_one_build_and_values_from_another() -> None:
    variables: dict[str, int | str] = {
        "SIZEOF_LONG": 4,
        "HAVE_FORK": 0,
        "HAVE_DUP3": 1,
        "HASHES": '"md5,sha2"',
        "ALIGNOF_ODD": 0,
        "CC": "cc",
    }
    lines = target.pyconfig(NATIVE, variables).splitlines()
    assert lines == [
        "#ifndef Py_PYCONFIG_H",
        "#define Py_PYCONFIG_H",
        "#define ALIGNOF_ODD 0",
        '#define HASHES "md5,sha2"',
        "#define HAVE_DUP3 1",
        "#define SIZEOF_LONG 4",
        "#endif",
    ]


def test_relocated_moves_the_installation() -> None:
    variables: dict[str, int | str] = {
        "INCLUDEPY": "/old/include/python3.14",
        "CONFIG": "-I/old/include -L/old/lib",
        "SIZEOF_LONG": 4,
    }
    assert target.relocated(variables, Path("/new")) == {
        "INCLUDEPY": "/new/include/python3.14",
        "CONFIG": "-I/new/include -L/new/lib",
        "SIZEOF_LONG": 4,
    }


def test_build_variables() -> None:
    assert target.build_variables("build_time_vars = {'A': 1}") == {"A": 1}
