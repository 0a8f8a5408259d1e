"""The benchmark with a tiny model: its figures have to be consistent; how fast anything is doesn't matter here."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.models import layers
from tests.models.operators import Made, single
from tools.bench import __main__ as bench
from tools.bench import alone, figures, peers, plot, report, results
from tools.bench.case import Case
from tools.bench.peers import NATIVE, PYXNN, Lab

ROUNDS = 2
# 32x32 pixels, 32 channels from 32 of 3x3 pixels, a multiplication and an addition each
FLOPS = 32 * 32 * 32 * (32 * 3 * 3) * 2
# input and output, weights and bias
FLOATS = 2 * 32 * 32 * 32 + 32 * 32 * 3 * 3 + 32


@pytest.fixture(scope="module")
def lab(browser: Browser, site_folder: Path) -> Iterator[Lab]:
    with peers.serving(site_folder, [peers.onnxruntime_web(), peers.tfjs()]) as address:
        yield Lab(browser, address)


@pytest.fixture(scope="module")
def found(lab: Lab) -> results.Results:
    case = Case.random("tiny", layers.conv(channels=32, size=32))
    peak = bench.measure_peak(lab)
    libraries = [PYXNN, peers.onnxruntime_web(), peers.tfjs(), NATIVE]
    with lab.peers(libraries, [1]) as running, lab.quiet(patience=0) as quiet:
        (model,) = bench.measure([(case, running)], ROUNDS, quiet, peak)
    return {
        "date": "",
        "processor": "",
        "browser": "",
        "binary": "",
        "arguments": [],
        "rounds": ROUNDS,
        "peak": peak,
        "models": [model],
        "layers": [],
        "operators": [],
        "loading": None,
        "disturbed": 0,
        "seconds": 0,
    }


def test_everyone_computes_the_same(found: results.Results) -> None:
    (model,) = found["models"]
    assert not model["left_out"]
    assert len(model["rows"]) == 4
    assert all(row["error"] < 1e-5 for row in model["rows"])


def test_rates(found: results.Results) -> None:
    (model,) = found["models"]
    assert model["flops"] == FLOPS
    assert found["peak"]["gflops"] > 1
    assert found["peak"]["gigabytes"] > 0.5
    for row in model["rows"]:
        assert 0 < row["minimum"] <= row["best"] <= row["median"]
        assert math.isclose(row["gflops"] * row["best"] * 1e6, FLOPS)
        if row["library"] != NATIVE.name:
            share = row["gflops"] / found["peak"]["gflops"]
            assert row["peak_share"] is not None
            assert math.isclose(row["peak_share"], share)


def test_ratios(found: results.Results) -> None:
    rows = {row["library"]: row for row in found["models"][0]["rows"]}
    ours, web, tfjs, _ = rows.values()
    fastest = min(web["best"], tfjs["best"])
    assert math.isclose(ours["to_fastest"] * ours["best"], fastest)
    assert math.isclose(web["to_fastest"] * web["best"], tfjs["best"])
    assert rows[ours["fastest"]]["best"] == fastest
    for row in rows.values():
        assert math.isclose(row["to_onnxruntime_web"] * row["best"], web["best"])


def test_profile(found: results.Results) -> None:
    steps = found["models"][0]["profile"]
    assert math.isclose(sum(step["share"] for step in steps), 1)
    (conv,) = (step for step in steps if step["gflops"])
    assert conv["kind"] == "Conv"
    assert math.isclose(conv["gflops"] * conv["milliseconds"] * 1e6, FLOPS)
    assert math.isclose(conv["gigabytes"] * conv["milliseconds"] * 1e6, 4 * FLOATS)


def test_alone(lab: Lab) -> None:
    """A million sigmoids, of 100 vector operations for four each: so these are the bound, and not memory."""
    shape = (1, 16, 256, 256)
    name, sigmoid = single("Sigmoid", shape, work=100)
    relu = single("Relu", Made(shape, channels_last=True))
    peak: figures.Peak = {"gflops": 50.0, "gigabytes": 10.0}
    singles = {name: sigmoid, **dict([relu])}
    with lab.quiet(patience=0) as quiet:
        first, second = alone.measure(lab, singles, [2], peak, quiet)
    assert (first["name"], first["threads"]) == ("Sigmoid_1x16x256x256", 2)
    assert math.isclose(first["arithmetic"], math.prod(shape) / 4 * 100 * 8 / 100e6)
    for row in (first, second):
        assert 0.01 < row["memory"] < 50
        assert row["best"] > 0.01
    assert math.isclose(first["factor"] * first["arithmetic"], first["best"])
    assert second["arithmetic"] == 0
    assert math.isclose(second["factor"] * second["memory"], second["best"])
    assert second["bytes"] == 2 * math.prod(shape) * 4
    table = report.alone([first, second])
    assert table.count("1x16x256x256") == 2
    assert f"{second['bytes'] / second['best'] / 1e6:.1f}" in table


def test_bursts_of_two_threads_look_at_the_cores(lab: Lab) -> None:
    with lab.quiet(patience=0) as quiet:
        assert quiet.run(lambda: 7, threads=2) == 7
        assert 1 < quiet.shortest < 1e5


def test_report(found: results.Results) -> None:
    text = report.page(found)
    assert text.count("tiny") >= 3  # verdict, table, profile
    assert ElementTree.fromstring(plot.svg(found)).tag.endswith("svg")
