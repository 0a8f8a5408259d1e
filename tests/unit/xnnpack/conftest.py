"""The engine's one-thread binary, in wasmtime, for all tests of the provider."""

from collections.abc import Iterator

import pytest

from pyxnn import engine
from tests.support.wasmtime_host import BINARY, WasmtimeHost


@pytest.fixture(scope="session", autouse=True)
def _engine() -> Iterator[None]:
    if not BINARY.exists():
        pytest.skip(f"{BINARY} is missing: run ./build.sh wasm")
    engine.use(WasmtimeHost())
    yield


@pytest.fixture(autouse=True)
def _no_leaks(_engine: None) -> Iterator[None]:
    """Every test gives back all of the engine's memory that it takes."""
    before = engine.get().memory_used()
    yield
    assert engine.get().memory_used() == before
