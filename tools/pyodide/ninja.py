"""Shows how far a build by Ninja has come."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tools.run import Progress

INTERVAL = 0.5


@contextmanager
def progress(what: str, log: Path) -> Iterator[None]:
    """Prints a progress line while a command in the body adds Ninja's output to ``log``."""
    ended = threading.Event()
    start = log.stat().st_size

    def follow() -> None:
        line: Progress | None = None
        with log.open(errors="replace") as file:
            file.seek(start)
            last = False
            while not last:
                last = ended.wait(INTERVAL)
                for done, total in re.findall(r"^\[(\d+)/(\d+)\]", file.read(), re.MULTILINE):
                    line = line or Progress(what, int(total))
                    line.step(int(done) - line.count)

    thread = threading.Thread(target=follow)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
