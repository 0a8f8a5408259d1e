"""Waiting for a quiet machine whose cores are near each other."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tools.bench import machine
from tools.bench.machine import Quiet

WORK = "import time\nwhile time.process_time() < 0.3: pass"


def test_own_work_is_that_of_children_too() -> None:
    before = machine.own_seconds()
    subprocess.run([sys.executable, "-c", WORK], check=True)
    spent = machine.own_seconds() - before
    assert 0.25 < spent < 2


def test_others_work_is_foreign() -> None:
    assert machine.foreign_seconds() >= 0


@pytest.fixture
def used(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What others use from one look at the machine to the next, beginning with the last; then nothing."""
    amounts: list[float] = []
    total = 0.0

    def seconds() -> float:
        nonlocal total
        total += amounts.pop() if amounts else 0
        return total

    monkeypatch.setattr(machine, "busy_seconds", seconds)
    monkeypatch.setattr(machine, "foreign_seconds", seconds)
    monkeypatch.setattr(machine, "SAMPLE", 0.01)
    return amounts


def near() -> float:
    return 100


def test_an_idle_machine_runs_once(used: list[float]) -> None:
    runs: list[int] = []
    quiet = Quiet(10, near)
    quiet.run(lambda: runs.append(1), 2)
    assert (len(runs), quiet.patience, quiet.disturbed) == (1, 10, 0)


def test_a_disturbed_run_is_repeated(used: list[float]) -> None:
    runs: list[int] = []
    used[:] = [1, 0, 0, 0]  # waiting takes two looks, the run two
    quiet = Quiet(10, near)
    quiet.run(lambda: runs.append(1), 2)
    assert (len(runs), quiet.disturbed) == (2, 0)


def test_waits_until_others_are_done(used: list[float]) -> None:
    used[:] = [1, 0, 1, 0]
    quiet = Quiet(10, near)
    quiet.run(lambda: None, 2)
    assert quiet.patience == pytest.approx(10 - 2 * 0.01)


def test_patience_ends(used: list[float]) -> None:
    used[:] = [1] * 1000
    quiet = Quiet(0.05, near)
    assert quiet.run(lambda: "result", 2) == "result"
    assert quiet.disturbed == 1


@pytest.mark.parametrize(("threads", "looks"), [(1, 0), (2, 3)])
def test_cores_far_apart(used: list[float], threads: int, looks: int) -> None:
    """Only several threads wait until the cores are near again."""
    ways = [100, 105, 300]
    quiet = Quiet(10, lambda: ways.pop())
    quiet.shortest = 110
    quiet.run(lambda: None, threads)
    assert len(ways) == 3 - looks
    assert quiet.patience == pytest.approx(10 - 0.01 * (threads - 1))


def test_a_run_on_cores_that_went_apart_is_repeated(used: list[float]) -> None:
    runs: list[int] = []
    ways = [100.0, 100, 300, 100]
    quiet = Quiet(10, lambda: ways.pop())
    quiet.run(lambda: runs.append(1), 2)
    assert (len(runs), quiet.disturbed) == (2, 0)
