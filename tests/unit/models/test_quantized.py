"""The zoo's quantized models against native onnxruntime: what each group makes of the same integers, and the class that comes first.

Both sides round numbers that differ in their last bits, so a group may be one step off where one is half way between two
integers: in at most one of fifty thousand elements.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator

import numpy as np
import onnx
import pytest

from pyxnn import engine
from tests.models.zoo import QUANTIZED, ZOO, runs
from tests.support import native
from tests.support.groups import groups
from tests.support.wasmtime_host import BINARY, WasmtimeHost

KINDS = ("u8s8", "s8s8")
CLASSES = ("mobilenet_v2", "mobilenet_v3", "efficientnet_b0", "resnet50")
PICTURES = 4


@pytest.fixture(scope="module", autouse=True)
def _engine() -> Iterator[None]:
    if not BINARY.exists():
        pytest.skip(f"{BINARY} is missing: run ./build.sh wasm")
    engine.use(WasmtimeHost())
    yield


@functools.cache
def small(name: str) -> onnx.ModelProto:
    entry = ZOO[name]
    return entry.make(**entry.small)


@pytest.mark.parametrize("name", QUANTIZED)
@pytest.mark.parametrize("kind", KINDS)
def test_groups(name: str, kind: str) -> None:
    entry, model = ZOO[f"{name}_{kind}"], small(f"{name}_{kind}")
    (run,) = runs(entry, model.SerializeToString())
    elements = apart = 0
    for group in groups(model, run.feeds):
        part = native.subgraph(group.data)
        result = part.run(group.inputs)[group.output]
        part.close()
        assert result.dtype == group.expected.dtype
        difference = np.abs(result.astype(np.int32) - group.expected)
        assert difference.max() <= 1, group.output
        elements += difference.size
        apart += np.count_nonzero(difference)
    assert apart <= elements / 50_000


@pytest.mark.parametrize("name", CLASSES)
def test_first_class(name: str) -> None:
    """Where native onnxruntime's two best are at least three steps apart."""
    entry, data = ZOO[f"{name}_u8s8"], small(f"{name}_u8s8").SerializeToString()
    part = native.subgraph(data)
    told = 0
    for seed in range(PICTURES):
        (run,) = runs(entry, data, seed=seed)
        ((output, expected),) = run.expected.items()
        result = part.run(run.feeds)[output]
        steps = np.unique(expected)
        if steps[-1] - steps[-2] >= 3 * np.diff(steps).min() - 1e-6:
            told += 1
            assert result.argmax() == expected.argmax()
    part.close()
    assert told
