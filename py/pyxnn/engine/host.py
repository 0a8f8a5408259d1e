"""What the engine asks of the place where its WebAssembly instance lives."""

from typing import Protocol

import numpy as np


class Host(Protocol):
    """One started instance of the engine's binary (initialised, its pool made) and its linear memory."""

    binary: str
    """Name of the binary in use, for instance ``"relaxed-threads"``."""

    max_threads: int
    """The most threads that can ever take part in a run, the caller among them."""

    isolated: bool
    """Whether the page is cross-origin isolated, so that there can be threads."""

    def call(self, function: str, *args: int) -> int:
        """Call the export ``function``; raise ``errors.RuntimeException`` when it traps."""
        ...

    def write(self, address: int, data: np.ndarray) -> None:
        """Copy a C-contiguous array to ``address`` of the linear memory."""
        ...

    def read(self, address: int, out: np.ndarray) -> None:
        """Fill the C-contiguous array ``out`` from ``address`` of the linear memory."""
        ...

    def memory_size(self) -> int:
        """Bytes of the linear memory, which grows and never shrinks."""
        ...

    def start_missing_workers(self, asset_url: str) -> None:
        """Start the workers that could not start, from ``worker.js`` in the folder ``asset_url``."""
        ...

    def wait_ready(self) -> None:
        """Wait for the workers where this thread can wait, for a second at most and once."""
        ...

    async def ready(self) -> int:
        """Wait until every worker is up or has been given up; return how many threads there are."""
        ...
