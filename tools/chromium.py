"""Chromium: the one on this machine, or Debian's, and how the project launches it."""

from __future__ import annotations

import functools
import os
import shutil
from pathlib import Path

from tools import debian
from tools.run import BuildError, output

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

# For Playwright's `launch(executable_path=..., args=ARGUMENTS)`: no sandbox, so that root may run it; nothing that asks
# the network by itself.
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


@functools.cache
def find() -> Path:
    """The executable: CHROMIUM_PATH, an installed one, or Debian's package, which is then installed."""
    chosen = os.environ.get("CHROMIUM_PATH")
    if chosen:
        if not shutil.which(chosen):
            raise BuildError(
                f"CHROMIUM_PATH is {chosen}, which can't be run\nwhat to do: correct or unset it"
            )
        return Path(chosen)
    for name in NAMES:
        found = shutil.which(name)
        if found:
            return Path(found)
    return Path(debian.require("chromium", "chromium"))


def version() -> str:
    """What the browser calls itself, for instance "Chromium 156.0.1"."""
    words = output([find(), "--version"]).split()
    number = next(index for index, word in enumerate(words) if word[0].isdigit())
    return " ".join(words[: number + 1])
