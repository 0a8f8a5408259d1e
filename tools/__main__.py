"""The build's verbs: ``python3 -m tools VERB``."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tools import (
    chromium,
    emscripten,
    environment,
    lint,
    npm,
    pyodide_wheels,
    relock,
    site,
    wasm,
    wheel,
)
from tools.run import BUILD, ROOT, BuildError, attempt, cpus, say, show, stage

Arguments = list[str]


def setup(_: Arguments) -> None:
    """Everything that the other verbs need and that this machine lacks."""
    with stage("compiler"):
        compiler = emscripten.get()
        say(f"   Emscripten {compiler.version}" + (f" in {compiler.root}" if compiler.root else ""))
    with stage("Python packages, Node and Chromium"):
        say(f"   development environment: {environment.python()}")
        say(f"   Node: {npm.node()}")
        say(f"   Chromium: {chromium.find()}")


def build_engine(_: Arguments) -> None:
    """The engine."""
    with stage("engine"):
        wasm.build()


def build_wheels(_: Arguments) -> None:
    """All wheels."""
    with stage("wheels for Pyodide"):
        pyodide_wheels.build()
    with stage("engine and wheel of pyxnn"):
        wheel.build()


def build_site(arguments: Arguments) -> None:
    """The static site, with what goes into it."""
    build_wheels(arguments)
    with stage("site"):
        say(f"   {site.build().relative_to(ROOT)}")


def demo(arguments: Arguments) -> None:
    """The main job, headless, and then the page served."""
    setup([])
    build_site([])
    with stage("demo"):
        _module("demo", arguments)


def test(arguments: Arguments) -> None:
    """All tests and checks, or those that the arguments tell pytest."""
    setup([])
    build_site([])
    if arguments:
        _pytest(arguments)
        return
    with stage("lint"):
        lint.check()
    with stage("unit tests"):
        _pytest([f"--numprocesses={cpus()}", "tests/unit"])
    with stage("browser tests"):
        _pytest(["tests/browser"])


def bench(arguments: Arguments) -> None:
    """The benchmark."""
    setup([])
    build_site([])
    with stage("benchmark"):
        _module("bench", arguments)


def operators(_: Arguments) -> None:
    """The page of operators."""
    with stage("operators"):
        _module("operators", [])


def models(arguments: Arguments) -> None:
    """The zoo's table."""
    setup([])
    build_site([])
    with stage("models"):
        _module("models", arguments)


def backend(_: Arguments) -> None:
    """ONNX's backend tests."""
    setup([])
    build_site([])
    with stage("ONNX's backend tests"):
        _module("backend", [])


def check(_: Arguments) -> None:
    """Lint."""
    with stage("lint"):
        lint.check()


def repair(_: Arguments) -> None:
    """Formatting."""
    with stage("format"):
        lint.repair()


def lock(_: Arguments) -> None:
    """The lock file anew."""
    with stage("lock file"):
        relock.relock()


def clean(_: Arguments) -> None:
    """Removes what was built inside the checkout; the cache stays."""
    shutil.rmtree(BUILD, ignore_errors=True)
    shutil.rmtree(wheel.ASSETS, ignore_errors=True)


def _module(name: str, arguments: Arguments) -> None:
    """Runs a module of tools that needs third-party packages, or pyxnn itself, in their environment."""
    source = os.pathsep.join((".", "py"))
    _succeed([environment.python(), "-m", f"tools.{name}", *arguments], env={"PYTHONPATH": source})


def _pytest(arguments: Arguments) -> None:
    _succeed([environment.python(), "-m", "pytest", *arguments])


def _succeed(argv: list[str | Path], env: Mapping[str, str] | None = None) -> None:
    code = show(argv, env=env)
    if code:
        words = " ".join(map(str, argv[1:]))
        raise BuildError(f"`python {words}` failed (exit code {code}); its output is above")


@dataclass(frozen=True)
class Verb:
    """What a word on the command line does."""

    help: str
    act: Callable[[Arguments], None]


VERBS = {
    "setup": Verb("install or fetch what the build needs and the machine lacks", setup),
    "wasm": Verb("build the engine's four WebAssembly binaries", build_engine),
    "wheels": Verb("build numpy and ml_dtypes for Pyodide, and pyxnn's wheel", build_wheels),
    "site": Verb("build the static site with the demo page", build_site),
    "demo": Verb("run the main job in a headless browser, then serve the page [--headless]", demo),
    "test": Verb("run all checks and tests, or what pytest's arguments name", test),
    "bench": Verb("measure speed and memory beside other libraries [--quick; --help]", bench),
    "operators": Verb("write docs/operators.md anew", operators),
    "models": Verb("run the zoo in Chromium, and write docs/models.md [NAMES]", models),
    "backend": Verb(
        "run ONNX's backend tests in Chromium, and write docs/backend-tests.md", backend
    ),
    "lint": Verb("check style and types of Python, C and JavaScript", check),
    "format": Verb("lay out the code as lint wants it", repair),
    "lock": Verb("make third_party.lock anew after a change of versions", lock),
    "clean": Verb("remove what was built here; the cache stays", clean),
}


def main(arguments: Arguments) -> int:
    """Runs the verb that ``arguments`` begin with; returns the exit code."""
    if not arguments or arguments[0] not in VERBS:
        if arguments:
            say(f"there is no verb {arguments[0]}")
        say("usage: ./build.sh VERB, where VERB is one of")
        for name, verb in VERBS.items():
            say(f"  {name:9} {verb.help}")
        return 2 if arguments else 0
    return attempt(lambda: VERBS[arguments[0]].act(arguments[1:]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
