"""The benchmark's operators, at sizes that they have in published networks: tiles, tasks and remainders that small tensors
never reach, on threads.

Tolerance: 1e-5 of the largest output, as in the operators' own tests; weights of few bits take rows rounded to 16 bits.
"""

from __future__ import annotations

import numpy as np
import pytest

from tests.browser.python import MODELS_FOLDER, Python
from tests.models.operators import OPERATORS
from tests.support import native

RUN = """
from pyodide.http import pyfetch

import pyxnn

model = await (await pyfetch(address)).bytes()
with pyxnn.InferenceSession(model) as session:
    outputs = session.run(None, feeds)
outputs
"""

# Native onnxruntime has no RoiAlign of opset 22, hands out no bfloat16 and no float8, and its STFT has errors of 2e-5.
BY_REFERENCE = {
    "RoiAlign_1x256x56x56",
    "Cast_bfloat16_1x64x112x112",
    "Cast_float8_1x64x112x112",
    "STFT_1x480000x1",
}


@pytest.mark.parametrize("name", OPERATORS)
def test_operator(pyodide_worker: Python, name: str) -> None:
    model = OPERATORS[name].make()
    data = model.SerializeToString()
    shape = [dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim]
    feeds = {"input": np.random.default_rng(0).standard_normal(shape, np.float32)}
    expected = (native.run_reference if name in BY_REFERENCE else native.run_native)(data, feeds)
    MODELS_FOLDER.mkdir(parents=True, exist_ok=True)
    path = MODELS_FOLDER / f"real_{name}.onnx"
    path.write_bytes(data)
    outputs = pyodide_worker.run(RUN, address=f"/test-models/{path.name}", feeds=feeds)
    path.unlink()
    part = 5e-5 if name.startswith("MatMulNBits") else 1e-5
    for output, right in zip(outputs, expected, strict=True):
        atol = (
            part * np.abs(right[np.isfinite(right)]).max(initial=0)
            if right.dtype.kind == "f"
            else 0
        )
        np.testing.assert_allclose(output, right, rtol=0, atol=atol, strict=True)
