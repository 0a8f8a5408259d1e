"""Style and type checks of everything: Python, C and JavaScript."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tools import environment, npm, sources
from tools.run import ROOT, BuildError, output, say, show

PRETTIER = ("--print-width=100", "--log-level=warn")


def check() -> None:
    """Runs all checks, shows what they find, and fails if it is anything."""
    failed = [name for name, run in CHECKS.items() if not _passes(name, run)]
    if failed:
        raise BuildError(
            f"these checks found something: {', '.join(failed)} (see above)\n"
            "what to do: `./build.sh format` repairs what is only layout"
        )


def repair() -> None:
    """Lays out the code as the checks want it."""
    python = environment.python()
    show([python, "-m", "ruff", "check", "--fix", "--quiet", ROOT])
    show([python, "-m", "ruff", "format", "--quiet", ROOT])
    show([_clang_format(), "-i", *tracked("*.c", "*.h")])
    show([npm.node(), _prettier(), *PRETTIER, "--write", *tracked("*.js", "*.mjs")])


def _passes(name: str, run: Callable[[], int]) -> bool:
    code = run()
    say(f"   {name}: {'fine' if code == 0 else 'FAILED'}")
    return code == 0


def _ruff() -> int:
    return show([environment.python(), "-m", "ruff", "check", "--quiet", ROOT])


def _ruff_format() -> int:
    return show([environment.python(), "-m", "ruff", "format", "--quiet", "--check", ROOT])


def _mypy() -> int:
    return show([environment.python(), "-m", "mypy", "--no-error-summary"])


def _c_layout() -> int:
    return show([_clang_format(), "--dry-run", "-Werror", *tracked("*.c", "*.h")])


def _tsc() -> int:
    compiler = sources.npm_package("typescript") / "bin/tsc"
    return show([npm.node(), compiler, "-p", ROOT / "web/jsconfig.json"])


def _js_layout() -> int:
    return show([npm.node(), _prettier(), *PRETTIER, "--check", *tracked("*.js", "*.mjs")])


CHECKS: dict[str, Callable[[], int]] = {
    "ruff": _ruff,
    "ruff format": _ruff_format,
    "mypy": _mypy,
    "clang-format": _c_layout,
    "tsc": _tsc,
    "prettier": _js_layout,
}


def tracked(*patterns: str) -> list[Path]:
    """The project's files that match, as git knows them."""
    names = output(["git", "-C", ROOT, "ls-files", "-z", "--", *patterns]).split("\0")
    return [ROOT / name for name in names if name]


def _prettier() -> Path:
    return sources.npm_package("prettier") / "bin/prettier.cjs"


def _clang_format() -> str:
    ask = "import clang_format; print(clang_format.get_executable('clang-format'))"
    return output([environment.python(), "-c", ask]).strip()
