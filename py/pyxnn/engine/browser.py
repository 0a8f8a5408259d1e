"""The engine in a browser: the JavaScript of ``web/``, evaluated from the wheel, and copies in and out of its memory."""

import asyncio
import contextlib
import warnings
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from js import Object  # type: ignore[import-not-found]
from pyodide.code import run_js  # type: ignore[import-not-found]
from pyodide.ffi import (  # type: ignore[import-not-found]
    JsException,
    can_run_sync,
    create_proxy,
    run_sync,
    to_js,
)

from pyxnn import errors

_ASSETS = Path(__file__).parent / "assets"
_SECONDS_FOR_WORKERS = 1.0
_VIEWS = 64


def _binary(name: str) -> Any:
    return to_js((_ASSETS / f"pyxnn-{name}.wasm").read_bytes())


def _warn(message: str) -> None:
    warnings.warn(message, RuntimeWarning, stacklevel=2)


def _bytes_of(array: np.ndarray) -> np.ndarray:
    """A contiguous array as uint8, the only type that is copied to and from a Uint8Array."""
    return (array if array.ndim else array.reshape(1)).view(np.uint8)


class BrowserHost:
    """The instance that ``web/loader.js`` starts (see :class:`pyxnn.engine.Host`).

    Raises:
        EngineError: the browser has no WebAssembly SIMD, or refuses the memory.
    """

    def __init__(self) -> None:
        loader = run_js((_ASSETS / "loader.js").read_text())
        binary = create_proxy(_binary)
        options = {
            "binaries": binary,
            "workerSource": (_ASSETS / "worker.js").read_text(),
            "warn": create_proxy(_warn),
        }
        try:
            self._engine = loader.createEngine(to_js(options, dict_converter=Object.fromEntries))
        except JsException as exception:
            raise errors.EngineError(str(exception.message)) from exception
        finally:
            binary.destroy()
        self.binary: str = self._engine.binary
        self.max_threads: int = self._engine.maxThreads
        self.isolated: bool = self._engine.features.isolated
        self._exports = self._engine.exports
        # Views of shared memory outlive its growth, and to make one takes longer than most copies.
        shared = self.max_threads > 1
        self._view = lru_cache(_VIEWS)(self._engine.view) if shared else self._engine.view
        self._functions: dict[str, Any] = {}
        self._waited = False

    def call(self, function: str, *args: int) -> int:
        export = self._functions.get(function)
        if export is None:
            export = self._functions[function] = getattr(self._exports, function)
        try:
            return export(*args) or 0
        except JsException as exception:
            self._engine.recover()
            raise errors.RuntimeException(f"{function} trapped: {exception.message}") from exception

    def write(self, address: int, data: np.ndarray) -> None:
        self._view(address, data.nbytes).assign(_bytes_of(data))

    def read(self, address: int, out: np.ndarray) -> None:
        self._view(address, out.nbytes).assign_to(_bytes_of(out))

    def memory_size(self) -> int:
        size: int = self._engine.memory.buffer.byteLength
        return size

    async def ready(self) -> int:
        """Wait until every worker is up or has been given up; return how many threads there are."""
        return await self._engine.ready

    def start_missing_workers(self, asset_url: str) -> None:
        self._engine.retry(asset_url)
        self._waited = False

    def wait_ready(self) -> None:
        """Wait for the workers, for a second at most and once, where this thread can be suspended (JSPI)."""
        if self._waited or not can_run_sync():
            return
        self._waited = True
        with contextlib.suppress(TimeoutError):
            run_sync(asyncio.wait_for(self._engine.ready, _SECONDS_FOR_WORKERS))
