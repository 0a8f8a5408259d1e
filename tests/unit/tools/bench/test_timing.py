"""What the benchmark makes of its times."""

from __future__ import annotations

import numpy as np
import pytest

from tests.models import layers
from tools.bench.case import Case
from tools.bench.peers import PYXNN
from tools.bench.timing import HEADER, Timed, find


@pytest.fixture(scope="module")
def case() -> Case:
    return Case.random("matmul", layers.matmul(rows=4, inner=8, columns=16))


def test_best_median_and_minimum(case: Case) -> None:
    timed = Timed(case, PYXNN, 1, creation=5, error=1e-6, bursts=[[9, 3, 4], [5, 6, 7]])
    assert (timed.best, timed.median, timed.minimum) == (4, 5.5, 3)


@pytest.mark.parametrize(
    ("bursts", "steady"),
    [
        ([[4, 4, 4]], False),  # nothing to compare it with
        ([[4, 4, 4], [4, 4.1, 4.2], [9, 9, 9]], True),
        ([[4, 4, 4], [9, 9, 9]], False),
        ([[3, 4, 4], [4, 4, 4]], False),  # it can do better
    ],
)
def test_steady_is_what_would_come_again(
    case: Case, bursts: list[list[float]], steady: bool
) -> None:
    timed = Timed(case, PYXNN, 1, creation=0, error=0, bursts=bursts)
    assert timed.is_steady == steady


def test_row_fits_its_header(case: Case) -> None:
    timed = Timed(case, PYXNN, 2, creation=5, error=1e-6, bursts=[[0.001]])
    assert len(str(timed)) == len(HEADER.splitlines()[0])
    assert f"{2 * 4 * 8 * 16 / 1e3:.1f}" in str(timed)  # GFLOP/s when a run takes a microsecond


def test_find(case: Case) -> None:
    rows = [Timed(case, PYXNN, threads, creation=0, error=0) for threads in (1, 2)]
    assert find(rows, PYXNN, 2) is rows[1]


def test_case_is_the_same_each_time(case: Case) -> None:
    again = Case.random("matmul", layers.matmul(rows=4, inner=8, columns=16))
    np.testing.assert_array_equal(case.input, again.input)
    np.testing.assert_array_equal(case.expected, again.expected)
    assert case.input_name == "input"
