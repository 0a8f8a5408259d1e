"""Whole models in real Pyodide, from pyxnn's wheel, against native onnxruntime.

Tolerance: 1e-4 of the largest output. Both sum the same products in float32 in different orders, through 50 layers.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest

from tests.browser.python import MODELS_FOLDER, Python
from tests.browser.zoo import trial
from tests.models import MODELS, digits
from tests.models.zoo import ZOO
from tests.support import exact

FETCH = """
from pyodide.http import pyfetch

async def fetch(name):
    return await (await pyfetch(f"/test-models/{name}.onnx")).bytes()
"""


@pytest.fixture(scope="session")
def served_model() -> Callable[[str], bytes]:
    """Builds a model by name, into the folder that the test server serves as ``/test-models/``."""

    def build(name: str) -> bytes:
        path = MODELS_FOLDER / f"{name}.onnx"
        if not path.exists():
            MODELS_FOLDER.mkdir(parents=True, exist_ok=True)
            onnx.save(MODELS[name](), path)
        return path.read_bytes()

    return build


def native(data: bytes, feeds: dict[str, np.ndarray]) -> np.ndarray:
    output: np.ndarray = exact.session(data).run(None, feeds)[0]
    return output


@pytest.mark.parametrize("name", ZOO)
def test_zoo(pyodide_worker: Python, name: str) -> None:
    entry = ZOO[name]
    _, _, errors, found = trial(pyodide_worker, entry, **entry.small)
    assert max(errors.values()) < entry.tolerance, errors
    assert found["again"]
    assert found["left"] == 0


@pytest.mark.parametrize("name", ["mobilenet_v2", "resnet50"])
def test_whole_models(
    pyodide_page: Python, served_model: Callable[[str], bytes], name: str
) -> None:
    data = served_model(name)
    x = np.random.default_rng(1).standard_normal((1, 3, 224, 224), np.float32)
    feed = onnx.load_from_string(data).graph.input[0].name
    y, again, nodes, used = pyodide_page.run(
        FETCH
        + """
import numpy as np
import pyxnn
from pyxnn import engine

before = engine.get().memory_used()
with pyxnn.InferenceSession(await fetch(name)) as session:
    [y] = session.run(None, {feed: x})
    [again] = session.run(None, {feed: x})
    nodes = sorted({node.provider for node in session.placement.nodes})
[y, again, nodes, engine.get().memory_used() - before]
""",
        name=name,
        feed=feed,
        x=x,
    )
    expected = native(data, {feed: x})
    np.testing.assert_allclose(y, expected, rtol=0, atol=1e-4 * np.abs(expected).max())
    np.testing.assert_array_equal(y, again)
    assert nodes == ["XnnpackExecutionProvider"]
    assert used == 0


def test_digits(pyodide: Python, served_model: Callable[[str], bytes]) -> None:
    data = served_model("digits")
    images, labels = digits.held_out()
    feed = onnx.load_from_string(data).graph.input[0].name
    y = pyodide.run(
        FETCH
        + """
import pyxnn
pyxnn.InferenceSession(await fetch("digits")).run(None, {feed: x})[0]
""",
        feed=feed,
        x=images,
    )
    expected = native(data, {feed: images})
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)
    assert digits.accuracy(y, labels) >= 0.97


def run_with_threads(python: Python, served_model: Callable[[str], bytes], code: str) -> Any:
    served_model("mobilenet_v2")
    return python.run(FETCH + code)


def test_threads_agree(pyodide: Python, served_model: Callable[[str], bytes]) -> None:
    """One thread and all give the same, to the bit: threads split the work, they don't change the sums."""
    threads, equal = run_with_threads(
        pyodide,
        served_model,
        """
import numpy as np
import pyxnn

threads = await pyxnn.ready()
model = await fetch("mobilenet_v2")
x = np.random.default_rng(2).standard_normal((1, 3, 224, 224)).astype(np.float32)
outputs = []
for count, spinning in [(1, "1"), (2, "1"), (2, "0"), (0, "1")]:
    options = pyxnn.SessionOptions()
    options.intra_op_num_threads = count
    options.add_session_config_entry("session.intra_op.allow_spinning", spinning)
    with pyxnn.InferenceSession(model, options) as session:
        outputs.append(session.run(None, {session.get_inputs()[0].name: x})[0])
[threads, all(np.array_equal(outputs[0], output) for output in outputs)]
""",
    )
    assert threads == os.cpu_count()
    assert equal


def test_memory_of_freed_sessions_comes_back(
    pyodide_worker: Python, served_model: Callable[[str], bytes]
) -> None:
    used, size = run_with_threads(
        pyodide_worker,
        served_model,
        """
import numpy as np
import pyxnn
from pyxnn import engine

model = await fetch("mobilenet_v2")
x = np.zeros((1, 3, 224, 224), np.float32)
used, size = [], []
for _ in range(200):
    with pyxnn.InferenceSession(model) as session:
        session.run(None, {session.get_inputs()[0].name: x})
    used.append(engine.get().memory_used())
    size.append(engine.get().host.memory_size())
[used, size]
""",
    )
    assert set(used[2:]) == {used[2]}
    assert set(size[2:]) == {size[2]}


def test_memory_above_two_gibibytes(
    pyodide_worker: Python, served_model: Callable[[str], bytes]
) -> None:
    """Addresses that are negative as signed numbers, then none at all, then as before."""
    equal, message, left = run_with_threads(
        pyodide_worker,
        served_model,
        """
import numpy as np
import pyxnn
from pyxnn import engine

model = await fetch("mobilenet_v2")
x = np.random.default_rng(3).standard_normal((1, 3, 224, 224)).astype(np.float32)

def run():
    with pyxnn.InferenceSession(model) as session:
        return session.run(None, {session.get_inputs()[0].name: x})[0]

running = engine.get()
before = running.memory_used()
expected = run()
ballast = [running.allocate(1 << 30) for _ in range(2)] + [running.allocate(900 << 20)]
equal = np.array_equal(run(), expected)
message = ""
try:
    while True:
        ballast.append(running.allocate(10 << 20))
except pyxnn.RuntimeException:
    pass
try:
    run()
except pyxnn.RuntimeException as error:
    message = str(error)
for address in ballast:
    running.release(address)
[equal and np.array_equal(run(), expected), message, running.memory_used() - before]
""",
    )
    assert equal
    assert "out of memory" in message
    assert left == 0
