"""The build's verbs: ``python3 -m tools VERB``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

from tools import wasm
from tools.run import BuildError, say, stage


def _wasm() -> None:
    with stage("engine"):
        wasm.build()


@dataclass(frozen=True)
class Verb:
    """What a word on the command line does."""

    help: str
    act: Callable[[], None]


VERBS = {
    "wasm": Verb("build the engine's four WebAssembly binaries", _wasm),
}


def main(arguments: list[str]) -> int:
    """Runs the verb that ``arguments`` name; returns the exit code."""
    if len(arguments) != 1 or arguments[0] not in VERBS:
        say("usage: ./build.sh VERB, where VERB is one of")
        for name, verb in VERBS.items():
            say(f"  {name:8} {verb.help}")
        return 0 if not arguments else 2
    try:
        VERBS[arguments[0]].act()
    except BuildError as error:
        print(f"\nbuild failed: {error}", file=sys.stderr, flush=True)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted; the same command goes on from here", file=sys.stderr, flush=True)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
