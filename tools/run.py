"""Runs commands: output goes to a log file, a failure says what failed, where its log is and what to do."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
LOGS = BUILD / "logs"
AGAIN = "mend what the log names, then run the same command again: it goes on from there"


class BuildError(Exception):
    """What stops the build; its text is all that the user sees."""


def say(text: str) -> None:
    """Prints a line at once."""
    print(text, flush=True)


def run(
    argv: Sequence[str | Path],
    *,
    log: str,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    advice: str = "",
) -> None:
    """Runs a command with its output in ``build/logs/<log>.log``; ``env`` is added to the environment.

    Raises BuildError with the command, the end of its log and ``advice`` when it fails.
    """
    LOGS.mkdir(parents=True, exist_ok=True)
    path = LOGS / f"{log}.log"
    command = shlex.join(str(word) for word in argv)
    with path.open("ab") as file:
        file.write(f"\n$ {command}\n".encode())
        file.flush()
        try:
            code = subprocess.run(
                [str(word) for word in argv],
                cwd=cwd,
                env={**os.environ, **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
            ).returncode
        except OSError as error:
            file.write(f"{error}\n".encode())
            code = 127
    if code:
        raise BuildError(failure(command, code, path, advice))


def failure(command: str, code: int, log: Path, advice: str) -> str:
    """The text for a command that failed."""
    lines = log.read_text(errors="replace").splitlines()[-15:]
    shown = command if len(command) <= 300 else command[:300] + " ..."
    text = [f"command failed (exit code {code}): {shown}", f"its log: {log}, which ends with"]
    text += [f"    {line[:200]}" for line in lines if line.strip() and not line.startswith("$ ")]
    text.append(f"what to do: {advice or AGAIN}")
    return "\n".join(text)


def output(argv: Sequence[str | Path], *, advice: str = "") -> str:
    """What a command prints, or BuildError."""
    try:
        done = subprocess.run([str(word) for word in argv], capture_output=True, text=True)
    except OSError as error:
        raise BuildError(f"cannot run {argv[0]}: {error}\n{advice}".rstrip()) from None
    if done.returncode:
        command = shlex.join(str(word) for word in argv)
        raise BuildError(f"command failed: {command}\n{done.stderr.strip()}\n{advice}".rstrip())
    return done.stdout


def show(argv: Sequence[str | Path], *, env: Mapping[str, str] | None = None) -> int:
    """Runs a command in the checkout with its output on the screen; returns its exit code."""
    words = [str(word) for word in argv]
    return subprocess.run(words, cwd=ROOT, env={**os.environ, **(env or {})}).returncode


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Prints a stage's name when it starts and its time when it ends."""
    say(f"== {name}")
    start = time.monotonic()
    yield
    say(f"== {name}: done in {time.monotonic() - start:.1f} s")


def attempt(act: Callable[[], None]) -> int:
    """Calls ``act``; a failure becomes a message without a traceback. Returns the exit code."""
    try:
        act()
    except BuildError as error:
        print(f"\nbuild failed: {error}", file=sys.stderr, flush=True)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted; the same command goes on from here", file=sys.stderr, flush=True)
        return 130
    return 0


class Progress:
    """A progress line: rewritten in place on a terminal, elsewhere printed every tenth of the way."""

    def __init__(self, what: str, total: int) -> None:
        self.what, self.total, self.count = what, total, 0
        self.start = time.monotonic()

    def step(self, count: int = 1) -> None:
        """Moves on by ``count`` of the total."""
        before, self.count = self.count, self.count + count
        spent = time.monotonic() - self.start
        text = f"   {self.what}: {self.count}/{self.total}, {spent:.0f} s"
        if sys.stdout.isatty():
            print(f"\r{text}", end="\n" if self.count >= self.total else "", flush=True)
        elif 10 * before // self.total != 10 * self.count // self.total:
            say(text)


def cpus() -> int:
    """How many commands to run at once."""
    return len(os.sched_getaffinity(0))
