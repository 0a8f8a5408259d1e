"""The cases of the operator tests once more: in Pyodide, from the wheel, with threads, through the public API."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from tests.browser.python import Python
from tests.support.recording import FOLDER_VARIABLE, Case, recorded
from tools.run import ROOT

BATCH = 50

REPLAY = """
import pyxnn

outputs = []
for model, feeds in cases:
    try:
        with pyxnn.InferenceSession(model) as session:
            providers = sorted({node.provider for node in session.placement.nodes})
            outputs.append([session.run(None, feeds), providers])
    except Exception as error:
        outputs.append(str(error))
outputs
"""


@pytest.fixture(scope="session")
def cases(tmp_path_factory: pytest.TempPathFactory) -> list[Case]:
    folder = tmp_path_factory.mktemp("cases")
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "tests/unit/xnnpack"],
        cwd=ROOT,
        env={**os.environ, FOLDER_VARIABLE: str(folder)},
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return recorded(folder)


def test_all_cases(pyodide_worker: Python, cases: list[Case]) -> None:
    assert len(cases) > 100
    wrong = []
    for start in range(0, len(cases), BATCH):
        batch = cases[start : start + BATCH]
        answers = pyodide_worker.run(REPLAY, cases=[[case.model, case.feeds] for case in batch])
        wrong += [
            f"{case.test}: {problem}"
            for case, answer in zip(batch, answers, strict=True)
            if (problem := _problem(case, answer))
        ]
    assert not wrong, "\n".join(wrong)


def _problem(case: Case, answer: str | list) -> str | None:
    """What is wrong with the browser's answer; None when nothing is."""
    if isinstance(answer, str):
        return answer
    outputs, providers = answer
    if providers not in ([], ["XnnpackExecutionProvider"]):
        return f"ran on {providers}"
    for got, expected in zip(outputs, case.expected, strict=True):
        try:
            np.testing.assert_allclose(got, expected, case.rtol, case.atol, strict=True)
        except AssertionError as error:
            return str(error)
    return None
