"""Keeps cases of the operator tests, for the browser to run them again (tests/browser/test_operators.py)."""

from __future__ import annotations

import os
import pickle
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

FOLDER_VARIABLE = "PYXNN_RECORD"
CASES_PER_TEST = 6

_seen: Counter[str] = Counter()


class Case(NamedTuple):
    """A model, its feeds, what native onnxruntime gave, and how far from that is still right."""

    test: str
    model: bytes
    feeds: dict[str, np.ndarray]
    expected: list[Any]
    rtol: float
    atol: float


def record(
    model: bytes, feeds: Mapping[str, np.ndarray], expected: Sequence[Any], rtol: float, atol: float
) -> None:
    """Keeps the case when recording is on and the running test has not yet given enough of them.

    Every second case of hypothesis is passed over, as it begins with the simplest.
    """
    folder = os.environ.get(FOLDER_VARIABLE)
    if folder is None:
        return
    test = os.environ["PYTEST_CURRENT_TEST"].rsplit(" ", 1)[0]
    number = _seen[test]
    _seen[test] += 1
    if number % 2 or number >= 2 * CASES_PER_TEST:
        return
    case = Case(test, model, dict(feeds), list(expected), rtol, atol)
    path = Path(folder) / f"{abs(hash((test, number))):x}-{number}.pickle"
    path.write_bytes(pickle.dumps(tuple(case)))


def recorded(folder: Path) -> list[Case]:
    """The cases kept in a folder."""
    return [Case(*pickle.loads(path.read_bytes())) for path in sorted(folder.glob("*.pickle"))]
