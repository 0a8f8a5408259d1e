"""The engine's one-thread binary in wasmtime, so that CPython tests run the real kernels beside native onnxruntime."""

import ctypes
import functools
import time
from pathlib import Path

import numpy as np
import wasmtime

from pyxnn import errors

BINARY = Path(__file__).parents[2] / "build/wasm/pyxnn-relaxed-single.wasm"
_PAGE = 1 << 16
_MAX_PAGES = 1 << 16


@functools.cache
def _module(path: Path) -> tuple[wasmtime.Engine, wasmtime.Module]:
    config = wasmtime.Config()
    config.wasm_relaxed_simd = True
    config.wasm_threads = True
    config.cache = True
    engine = wasmtime.Engine(config)
    return engine, wasmtime.Module.from_file(engine, str(path))


class WasmtimeHost:
    """A host of the engine (see :class:`pyxnn.engine.Host`) in this process."""

    max_threads = 1
    isolated = False

    def __init__(self, path: Path = BINARY, max_pages: int = _MAX_PAGES) -> None:
        engine, module = _module(path)
        self.binary = path.stem.removeprefix("pyxnn-")
        self._store = wasmtime.Store(engine)
        imports = [self._import(entry, max_pages) for entry in module.imports]
        instance = wasmtime.Instance(self._store, module, imports)
        self._exports = instance.exports(self._store)
        self._exports["_initialize"](self._store)
        assert self.call("pyxnn_initialize") == 0
        assert self.call("pyxnn_pool_create", 1, 1) == 0

    def call(self, function: str, *args: int) -> int:
        try:
            return self._exports[function](self._store, *args) or 0
        except wasmtime.Trap as trap:
            raise errors.RuntimeException(f"{function} trapped: {trap}") from trap

    def write(self, address: int, data: np.ndarray) -> None:
        ctypes.memmove(self._at(address, data.nbytes), data.ctypes.data, data.nbytes)

    def read(self, address: int, out: np.ndarray) -> None:
        ctypes.memmove(out.ctypes.data, self._at(address, out.nbytes), out.nbytes)

    def memory_size(self) -> int:
        return self._memory.data_len(self._store)

    def start_missing_workers(self, asset_url: str) -> None:
        pass

    def wait_ready(self) -> None:
        pass

    async def ready(self) -> int:
        return 1

    def _at(self, address: int, nbytes: int) -> int:
        assert address + nbytes <= self._memory.data_len(self._store)
        pointer = self._memory.data_ptr(self._store)
        return ctypes.cast(pointer, ctypes.c_void_p).value + address

    def _import(
        self, entry: wasmtime.ImportType, max_pages: int
    ) -> wasmtime.Memory | wasmtime.Func:
        if isinstance(entry.type, wasmtime.MemoryType):
            limits = wasmtime.Limits(entry.type.limits.min, max_pages)
            self._memory = wasmtime.Memory(self._store, wasmtime.MemoryType(limits))
            return self._memory
        function = self._clock if entry.name == "clock_time_get" else self._stub(entry)
        return wasmtime.Func(self._store, entry.type, function)

    def _clock(self, _clock_id: int, _precision: int, out: int) -> int:
        self.write(out, np.array([time.monotonic_ns()], np.uint64))
        return 0

    @staticmethod
    def _stub(entry: wasmtime.ImportType):
        def stub(*_args: int):
            return 0 if entry.type.results else None

        return stub
