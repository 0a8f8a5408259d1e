"""The bridge to the engine: the only part of pyxnn that touches JavaScript and WebAssembly."""

import contextlib
import sys

from pyxnn import errors
from pyxnn.engine.abi import (
    ABSOLUTE,
    ARENA,
    ActivationType,
    BinaryType,
    CellType,
    CoordinateType,
    DirectionType,
    Element,
    FunctionType,
    Kind,
    NormalizeType,
    PaddingType,
    PoolType,
    ReduceType,
    Ref,
    SampleType,
    ScatterType,
    SoftmaxType,
    UnaryType,
)
from pyxnn.engine.core import Engine, EngineOperator, EnginePlan, EngineStep, InvalidInput
from pyxnn.engine.host import Host

__all__ = [
    "ABSOLUTE",
    "ARENA",
    "ActivationType",
    "BinaryType",
    "CellType",
    "CoordinateType",
    "DirectionType",
    "Element",
    "Engine",
    "EngineOperator",
    "EnginePlan",
    "EngineStep",
    "FunctionType",
    "Host",
    "InvalidInput",
    "Kind",
    "NormalizeType",
    "PaddingType",
    "PoolType",
    "ReduceType",
    "Ref",
    "SampleType",
    "ScatterType",
    "SoftmaxType",
    "UnaryType",
    "configure",
    "get",
    "use",
    "warm_up",
]

_engine: Engine | None = None


def get() -> Engine:
    """The process's engine, started on first use.

    Raises:
        EngineError: this Python does not run in a browser, or the browser lacks WebAssembly SIMD.
    """
    if _engine is None:
        if sys.platform != "emscripten":
            raise errors.EngineError(
                "pyxnn's engine is WebAssembly: it runs in Pyodide, JupyterLite or PyScript, "
                f"and this Python runs on {sys.platform}"
            )
        from pyxnn.engine.browser import BrowserHost

        use(BrowserHost())
    assert _engine is not None
    return _engine


def use(host: Host) -> Engine:
    """Make ``host`` the home of the process's engine, and return that engine."""
    global _engine
    _engine = Engine(host)
    return _engine


def warm_up() -> None:
    """Start the engine, where there can be one, so that its workers are up by the time of the first run."""
    if sys.platform == "emscripten":
        with contextlib.suppress(errors.EngineError):
            get()


def configure(asset_url: str) -> None:
    """Start the workers that could not start, from ``worker.js`` in the folder ``asset_url``."""
    get().host.start_missing_workers(asset_url)
