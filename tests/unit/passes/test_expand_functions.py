"""Operators that ONNX defines by others: their bodies where XNNPACK runs all of it, themselves elsewhere."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pyxnn import passes
from pyxnn.graph import Graph
from pyxnn.xnnpack import registry
from tests.support.onnx_models import build, graph, node, ops
from tests.support.parity import assert_parity

X = np.random.default_rng(0).standard_normal((2, 6, 4, 4), np.float32)
DOUBLE = 11

CASES: dict[str, tuple[int, dict[str, Any]]] = {
    "Swish": (24, {"alpha": 0.7}),
    "Softsign": (22, {}),
    "Softsign below the function": (17, {}),
    "MeanVarianceNormalization": (13, {"axes": [1, 3]}),
}


def model(case: str) -> tuple[dict[str, Any], list[Any]]:
    opset, attributes = CASES[case]
    return {"opset": opset}, [node(case.split()[0], ["x"], ["y"], **attributes)]


def expanded(
    nodes: list[Any], inputs: Any, monkeypatch: pytest.MonkeyPatch, **kwargs: Any
) -> Graph:
    for one in nodes:
        monkeypatch.delitem(registry._operators, ("", one.op_type), raising=False)
    result = graph(nodes, inputs, **kwargs)
    passes.run(result)
    return result


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("extents", [[2, 6, 4, 4], ["n", 6, "h", "w"]])
def test_function(case: str, extents: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    kwargs, nodes = model(case)
    result = expanded(nodes, {"x": extents}, monkeypatch, **kwargs)
    assert nodes[0].op_type not in ops(result)
    if nodes[0].op_type != "Swish":  # native onnxruntime has none
        assert_parity(build(nodes, {"x": extents}, **kwargs), {"x": X})


def test_function_in_a_function(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mish is made of Softplus, which is made of Exp and Log."""
    monkeypatch.delitem(registry._operators, ("", "Softplus"), raising=False)
    nodes = [node("Mish", ["x"], ["y"])]
    result = expanded(nodes, {"x": [3]}, monkeypatch, opset=22)
    assert {"Exp", "Log", "Tanh", "Mul"} <= set(ops(result))
    assert_parity(build(nodes, {"x": [3]}, opset=18), {"x": X[0, 0, 0, :3]})


def test_names_are_free(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two nodes without names, between values with the names of the body's."""
    nodes = [node("Softsign", ["input"], ["ABS"]), node("Softsign", ["ABS"], ["output"])]
    kwargs: Any = {"outputs": ["output"], "opset": 22}
    result = expanded(nodes, {"input": [2, 3]}, monkeypatch, **kwargs)
    assert len(result.nodes) == len({one.output(0) for one in result.nodes}) == 6
    assert_parity(
        build(nodes, {"input": [2, 3]}, outputs=["output"], opset=21), {"input": X[0, :2, 0, :3]}
    )


def test_stays_where_xnnpack_has_it() -> None:
    result = graph([node("Softmax", ["x"], ["y"])], {"x": [2, 3]}, opset=18)
    passes.run(result)
    assert ops(result) == ["Softmax"]


@pytest.mark.parametrize(
    ("op_type", "type"), [("Softsign", DOUBLE), ("SoftmaxCrossEntropyLoss", DOUBLE)]
)
def test_stays_where_the_body_would_not_run_on_xnnpack(
    op_type: str, type: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs = {"x": (type, [2, 3]), "l": (7, [2])}
    names = ["x", "l"] if op_type == "SoftmaxCrossEntropyLoss" else ["x"]
    nodes = [node(op_type, names, ["y"])]
    result = expanded(nodes, inputs, monkeypatch, opset=22, output_type=type)
    assert ops(result) == [op_type]


def test_function_of_another_domain() -> None:
    """Its import list is empty: nodes are of the model's opset."""
    domain = "ai.onnx.preview"
    nodes = [node("FlexAttention", ["q", "q", "q"], ["y"], domain=domain)]
    result = graph(nodes, {"q": [1, 2, 3, 4]}, opset=24, domains={domain: 1})
    passes.run(result)
    assert ops(result)[-1] != "FlexAttention"
    assert all(one.since for one in result.nodes)
