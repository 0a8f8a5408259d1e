"""ONNX's own tests of operators and models (onnx.backend.test), and what is known to fail of them."""

from __future__ import annotations

import functools
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import onnx
from onnx import numpy_helper
from onnx.backend.test import loader
from onnx.backend.test.case.test_case import TestCase
from onnx.backend.test.runner import Runner

KINDS = ("node", "pytorch-converted", "pytorch-operator", "simple", "real")

RANDOM = "its outputs are random numbers of another generator"
TRAINING = "gradients are for training"

BY_CHANCE = {
    "test_bernoulli": RANDOM,
    "test_bernoulli_double": RANDOM,
    "test_bernoulli_double_expanded": RANDOM,
    "test_bernoulli_expanded": RANDOM,
    "test_bernoulli_seed": RANDOM,
    "test_bernoulli_seed_expanded": RANDOM,
}
"""Tests that pass now and then, and why; they count as failed and needn't be run."""

FAILURES = BY_CHANCE | {
    "test_gradient_of_add": TRAINING,
    "test_gradient_of_add_and_mul": TRAINING,
}
"""Tests that fail with all providers, and why."""

_INEXACT = "it wants NumPy's rounding error, 1.9e-7, where 0 is right, with a tolerance of 1e-7"
_PILLOW = "its format needs Pillow, which pyxnn doesn't ask for and the test page hasn't"

BROWSER_FAILURES = FAILURES | {
    "test_dft_inverse": _INEXACT,
    "test_dft_inverse_opset19": _INEXACT,
}
BROWSER_FAILURES |= {
    f"test_image_decoder_decode_{name}": _PILLOW
    for name in ("jpeg2k_rgb", "jpeg_bgr", "jpeg_grayscale", "jpeg_rgb", "webp_rgb")
}
"""Tests that fail in Pyodide, and why."""


class Case(NamedTuple):
    """A test.

    Attributes:
        kind: of `KINDS`.
        operator: what it is a test of; empty if not of one operator.
        data_sets: pairs of inputs (by name) and outputs.
    """

    kind: str
    name: str
    operator: str
    model: bytes
    data_sets: list[tuple[dict[str, Any], list[Any]]]
    rtol: float
    atol: float


def cases(kind: str) -> list[Case]:
    """All tests of a kind, in the order of their names."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of NumPy, on the infinities among the data
        return [_case(kind, case) for case in sorted(_loaded(kind), key=lambda case: case.name)]


@functools.cache
def _loaded(kind: str) -> list[TestCase]:
    return list(loader.load_model_tests(kind=kind))


def _case(kind: str, case: TestCase) -> Case:
    model = case.model or onnx.load(_path(case))
    constants = {tensor.name for tensor in model.graph.initializer} if case.url else set()
    wanted = [value for value in model.graph.input if value.name not in constants]
    return Case(
        kind,
        case.name,
        _operator(case) if kind == "node" else "",
        model.SerializeToString(),
        [
            ({value.name: given for value, given in zip(wanted, inputs, strict=False)}, outputs)
            for inputs, outputs in _data_sets(case, wanted)
        ],
        case.rtol,
        case.atol,
    )


def _path(case: TestCase) -> Path:
    """Of the model; those called real are in onnx's package with one set of made up weights."""
    if case.model_dir:
        return Path(case.model_dir) / "model.onnx"
    assert case.url
    return Path(onnx.__file__).parent.parent / case.url


@functools.cache
def _operators() -> dict[str, str]:
    """The operators that each node test names, without those that a function's body is made of."""
    return {
        case.name: " ".join(dict.fromkeys(node.op_type for node in case.model.graph.node))
        for case in _loaded("node")
        if case.model and "_expanded" not in case.name
    }


def _operator(case: TestCase) -> str:
    base = re.sub(r"_expanded.*", "", case.name)
    names = _operators()
    return names.get(base) or names.get(case.name) or base


def _data_sets(
    case: TestCase, wanted: list[onnx.ValueInfoProto]
) -> Iterator[tuple[list[Any], list[Any]]]:
    """Inputs and outputs of a case, which are in memory or in files, or made up."""
    for inputs, outputs in case.data_sets or ():
        yield [_array(value) for value in inputs], [_array(value) for value in outputs]
    for folder in sorted(Path(case.model_dir or "/nowhere").glob("test_data_set_*")):
        yield (
            [_tensor(path) for path in _numbered(folder, "input")],
            [_tensor(path) for path in _numbered(folder, "output")],
        )
    if case.url:
        path = _path(case)
        inputs = [Runner.generate_dummy_data(value) for value in wanted]
        yield inputs, [_tensor(path.with_name(f"{path.stem}_output_0.pb"))]


def _numbered(folder: Path, kind: str) -> list[Path]:
    return sorted(folder.glob(f"{kind}_*.pb"), key=lambda path: int(path.stem.rpartition("_")[2]))


def _tensor(path: Path) -> Any:
    return _array(onnx.TensorProto.FromString(path.read_bytes()))


def _array(value: Any) -> Any:
    return numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else value
