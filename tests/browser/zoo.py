"""The zoo's models in Pyodide, beside native onnxruntime."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import onnx

from tests.browser.python import MODELS_FOLDER, Python
from tests.models import zoo

CODE = (Path(__file__).parent / "trial.py").read_text() + "\nawait trial(address, feeds)"


class Trial(NamedTuple):
    """What came out of a model in the browser.

    Attributes:
        model: that was run.
        runs: its inputs, and what native onnxruntime gave.
        errors: of each output, the greatest of all runs, as parts of the greatest expected value.
        found: what trial.py tells.
    """

    model: onnx.ModelProto
    runs: list[zoo.Run]
    errors: dict[str, float]
    found: dict[str, Any]


def trial(python: Python, entry: zoo.Entry, **arguments: Any) -> Trial:
    """Runs a model of the zoo, made with the arguments."""
    model = entry.make(**arguments)
    data = model.SerializeToString()
    runs = list(zoo.runs(entry, data))
    MODELS_FOLDER.mkdir(parents=True, exist_ok=True)
    path = MODELS_FOLDER / f"zoo_{model.graph.name}.onnx"
    path.write_bytes(data)
    address = f"/test-models/{path.name}"
    found = python.run(CODE, address=address, feeds=[run.feeds for run in runs])
    path.unlink()
    errors = {
        name: max(
            zoo.error(outputs[name], run.expected[name])
            for run, outputs in zip(runs, found["outputs"], strict=True)
        )
        for name in runs[0].expected
    }
    return Trial(model, runs, errors, found)
