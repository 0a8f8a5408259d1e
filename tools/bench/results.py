"""All that a benchmark found: plain values, as its JSON holds them."""

from __future__ import annotations

from typing import TypedDict

from tools.bench.figures import Alone, Peak, Row, Step
from tools.bench.loading import Loading


class Model(TypedDict):
    """A model through all libraries.

    Attributes:
        left_out: which libraries can't run it, and why: a sentence each.
        placement: what pyxnn runs where: one sentence.
        reasons: operator -> why pyxnn doesn't run it on XNNPACK.
        profile: pyxnn's steps, on the most threads; empty when it can't run the model.
    """

    name: str
    flops: int
    rows: list[Row]
    left_out: list[str]
    placement: str
    reasons: dict[str, str]
    profile: list[Step]


class Results(TypedDict):
    """A run of the benchmark.

    Attributes:
        arguments: of `./build.sh bench`.
        rounds: bursts of each row.
        disturbed: bursts that were kept although other programs were at work, or cores far apart.
        seconds: that it took.
    """

    date: str
    processor: str
    browser: str
    binary: str
    arguments: list[str]
    rounds: int
    peak: Peak
    models: list[Model]
    layers: list[Alone]
    operators: list[Alone]
    loading: Loading | None
    disturbed: int
    seconds: float


def ours(model: Model) -> list[Row]:
    """pyxnn's rows."""
    return [row for row in model["rows"] if row["library"] == "pyxnn"]


def worst(results: Results) -> Model | None:
    """The model by which pyxnn is furthest behind the fastest peer, or least ahead of it."""
    ratios = [
        (ratio, model)
        for model in results["models"]
        for row in ours(model)
        if (ratio := row["to_fastest"]) is not None
    ]
    return min(ratios, key=lambda pair: pair[0])[1] if ratios else None
