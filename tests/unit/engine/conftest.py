import pytest

from pyxnn.engine import Engine
from tests.support.wasmtime_host import WasmtimeHost


@pytest.fixture(scope="session")
def engine() -> Engine:
    return Engine(WasmtimeHost())
