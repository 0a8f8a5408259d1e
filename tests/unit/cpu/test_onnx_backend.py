"""ONNX's own tests of operators and small models, on the CPU provider."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import numpy_helper
from onnx.backend.test.case.test_case import TestCase
from onnx.backend.test.loader import load_model_tests
from onnx.backend.test.runner import Runner

import pyxnn
from tests.support.parity import CPU

EXPECTED = {
    # Random numbers.
    "test_bernoulli",
    "test_bernoulli_double",
    "test_bernoulli_double_expanded",
    "test_bernoulli_expanded",
    "test_bernoulli_seed",
    "test_bernoulli_seed_expanded",
    # Gradients: training.
    "test_gradient_of_add",
    "test_gradient_of_add_and_mul",
    # onnx.reference has no Scan of opset 8, with its batches.
    "test_scan_sum",
    # The sequence comes within another one; onnx.reference gives it so too.
    "test_if_opt",
    # Equal, but the runner can't compare an optional that is a sequence.
    "test_loop16_seq_none",
}


@pytest.mark.parametrize("kind", ["node", "simple", "pytorch-converted", "pytorch-operator"])
def test_backend(kind: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of NumPy, on the infinities among the data
        cases = load_model_tests(kind=kind)
        failures = {case.name: reason for case in cases if (reason := failure(case))}
    unexpected = {name: reason for name, reason in failures.items() if name not in EXPECTED}
    assert not unexpected
    assert not {case.name for case in cases} & EXPECTED - set(failures)


def failure(case: TestCase) -> str | None:
    """What goes wrong with a case; None when nothing does."""
    try:
        run(case)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return None


def run(case: TestCase) -> None:
    model = case.model or onnx.load(Path(case.model_dir) / "model.onnx")
    session = pyxnn.InferenceSession(model.SerializeToString(), providers=CPU)
    for inputs, outputs in data_sets(case, model):
        feed = {value.name: given for value, given in zip(model.graph.input, inputs, strict=False)}
        Runner.assert_similar_outputs(
            outputs, session.run(None, feed), case.rtol, case.atol, case.name
        )


def data_sets(case: TestCase, model: onnx.ModelProto) -> Iterator[tuple[list[Any], list[Any]]]:
    """Inputs and outputs of a case, which are in memory or in files."""
    for inputs, outputs in case.data_sets or ():
        yield [array(value) for value in inputs], [array(value) for value in outputs]
    for folder in sorted(Path(case.model_dir or "/nowhere").glob("test_data_set_*")):
        yield (
            [tensor(path) for path in numbered(folder, "input")],
            [tensor(path) for path in numbered(folder, "output")],
        )


def numbered(folder: Path, kind: str) -> list[Path]:
    return sorted(folder.glob(f"{kind}_*.pb"), key=lambda path: int(path.stem.rpartition("_")[2]))


def tensor(path: Path) -> Any:
    return array(onnx.TensorProto.FromString(path.read_bytes()))


def array(value: Any) -> Any:
    return numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else value
