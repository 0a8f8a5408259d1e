"""onnxruntime's own operators: their bodies, the types that follow, and the forms that stay."""

from __future__ import annotations

import numpy as np
import pytest

from pyxnn import passes
from pyxnn.microsoft import DOMAIN
from tests.support.onnx_models import build, graph, node, ops
from tests.support.parity import assert_parity

DOMAINS = {DOMAIN: 1}
X = np.random.default_rng(0).standard_normal((2, 5, 8), np.float32)


def expanded(nodes, inputs, outputs, constants=None):
    result = graph(nodes, inputs, outputs, constants, domains=DOMAINS)
    passes.run(result)
    return result


def test_cpu_provider_runs_the_body() -> None:
    nodes = [node("BiasGelu", ["x", "b"], ["h"], domain=DOMAIN), node("Relu", ["h"], ["y"])]
    data = build(nodes, {"x": [2, 5, 8]}, ["y"], {"b": X[0, 0]}, domains=DOMAINS)
    assert_parity(data, {"x": X})


def test_types_are_inferred_through_the_body() -> None:
    nodes = [
        node("FusedMatMul", ["x", "x"], ["h"], domain=DOMAIN, transB=1),
        node("Relu", ["h"], ["y"]),
    ]
    result = graph(nodes, {"x": ["batch", 5, 8]}, domains=DOMAINS)
    assert result.shape("h") == result.shape("y") == ("batch", 5, 5)


def test_what_has_no_rank_stays() -> None:
    nodes = [
        node("Reshape", ["x", "s"], ["r"]),
        node("FusedMatMul", ["r", "r"], ["y"], domain=DOMAIN, transB=1),
    ]
    inputs = {"x": [2, 5, 8], "s": (7, ["n"])}
    assert ops(expanded(nodes, inputs, ["y"])) == ["Reshape", "FusedMatMul"]


@pytest.mark.parametrize("op_type", ["SkipLayerNormalization", "SkipSimplifiedLayerNormalization"])
def test_statistics_stay(op_type: str) -> None:
    nodes = [node(op_type, ["x", "x", "g"], ["y", "m"], domain=DOMAIN)]
    assert ops(expanded(nodes, {"x": [2, 8]}, ["y", "m"], {"g": X[0, 0]})) == [op_type]


def test_others_stay() -> None:
    nodes = [
        node("Inverse", ["x"], ["h"], domain=DOMAIN),
        node("FusedConv", ["h", "w"], ["y"], domain=DOMAIN, activation="Snake"),
    ]
    weights = {"w": np.ones((1, 1, 1, 1), np.float32)}
    assert ops(expanded(nodes, {"x": [1, 1, 2, 2]}, ["y"], weights)) == ["Inverse", "FusedConv"]
