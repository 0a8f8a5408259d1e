"""ONNX's own tests of operators and small models, on the CPU provider."""

from __future__ import annotations

import warnings

import pytest

import pyxnn
from tests.support import onnx_backend
from tests.support.exact import CPU
from tests.support.onnx_backend import FAILURES, Case
from tests.support.similar import assert_similar


@pytest.mark.parametrize("kind", ["node", "simple", "pytorch-converted", "pytorch-operator"])
def test_backend(kind: str) -> None:
    cases = onnx_backend.cases(kind)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of NumPy, on the infinities among the data
        failures = {case.name: reason for case in cases if (reason := failure(case))}
    assert not {name: reason for name, reason in failures.items() if name not in FAILURES}
    assert not {case.name for case in cases} & FAILURES.keys() - failures.keys()


def failure(case: Case) -> str | None:
    """What goes wrong with a case; None when nothing does."""
    try:
        session = pyxnn.InferenceSession(case.model, providers=CPU)
        for feed, outputs in case.data_sets:
            assert_similar(outputs, session.run(None, feed), case.rtol, case.atol)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return None
