"""What the engine runs on."""

from __future__ import annotations

from typing import Any

from pyxnn import engine


def get_device() -> str:
    """The kind of device that models run on, as in onnxruntime: always "CPU"."""
    return "CPU"


def device_info() -> dict[str, Any]:
    """What the engine found.

    Returns:
        binary: name of the WebAssembly binary in use, such as "relaxed-threads".
        threads: how many threads take part in a run now.
        max_threads: how many will, once all are up.
        cross_origin_isolated: whether the page may have threads at all.

    Raises:
        EngineError: the engine can't start.
    """
    running = engine.get()
    return {
        "binary": running.binary,
        "threads": running.threads_ready(),
        "max_threads": running.max_threads,
        "cross_origin_isolated": running.host.isolated,
    }


async def ready() -> int:
    """Waits until all worker threads are up; returns how many threads there are, the caller's
    included.

    Nothing needs it: a run before that uses the threads that are there.
    """
    return await engine.get().host.ready()


def configure(*, asset_url: str) -> None:
    """Says where the worker's script is served, for pages whose Content-Security-Policy forbids
    workers from blobs.

    Args:
        asset_url: URL of the directory that holds the wheel's assets, on the page's own origin.
    """
    engine.configure(asset_url)
