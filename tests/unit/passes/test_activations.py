"""Activations out of the nodes that exporters write: where they fuse, where they must not, and results."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest

from pyxnn import passes
from pyxnn.graph import Graph
from tests.support.onnx_models import build, graph, node, ops
from tests.support.parity import assert_parity

Nodes = list[onnx.NodeProto]
X = np.random.default_rng(1).standard_normal((2, 5, 8), np.float32) * 4


def scalars(**values: float) -> dict[str, np.ndarray]:
    return {name: np.array(value, np.float32) for name, value in values.items()}


NUMBERS = scalars(zero=0, one=1, three=3, six=6, sixth=1 / 6, half=0.5, alpha=1.702)


def after(nodes: Nodes, outputs: tuple[str, ...] = ("y",), **constants: Any) -> Graph:
    """The graph after the passes; its results are onnxruntime's, with the passes and without."""
    known = NUMBERS | constants
    assert_parity(build(nodes, {"x": list(X.shape)}, outputs, known), {"x": X})
    result = graph(nodes, {"x": list(X.shape)}, outputs, known)
    passes.run(result)
    return result


RELU6 = [node("Add", ["x", "three"], ["s"]), node("Clip", ["s", "zero", "six"], ["c"])]
SCALED = [
    node("Mul", ["x", "sixth"], ["m"]),
    node("Add", ["half", "m"], ["s"]),
    node("Clip", ["s", "zero", "one"], ["c"]),
]
CASES: dict[str, tuple[Nodes, str, dict[str, Any]]] = {
    "Swish": ([node("Sigmoid", ["x"], ["g"]), node("Mul", ["x", "g"], ["y"])], "Swish", {}),
    "Swish, the other way": (
        [node("Sigmoid", ["x"], ["g"]), node("Mul", ["g", "x"], ["y"])],
        "Swish",
        {},
    ),
    "Swish with alpha": (
        [
            node("Mul", ["alpha", "x"], ["a"]),
            node("Sigmoid", ["a"], ["g"]),
            node("Mul", ["x", "g"], ["y"]),
        ],
        "Swish",
        {"alpha": pytest.approx(1.702)},
    ),
    "HardSigmoid": (
        [*RELU6, node("Div", ["c", "six"], ["y"])],
        "HardSigmoid",
        {"alpha": pytest.approx(1 / 6), "beta": 0.5},
    ),
    "HardSigmoid by a product": (
        [*RELU6, node("Mul", ["sixth", "c"], ["y"])],
        "HardSigmoid",
        {"alpha": pytest.approx(1 / 6), "beta": 0.5},
    ),
    "HardSigmoid without a division": (
        [*SCALED[:2], node("Clip", ["s", "zero", "one"], ["y"])],
        "HardSigmoid",
        {"alpha": pytest.approx(1 / 6), "beta": 0.5},
    ),
    "HardSwish": (
        [*RELU6, node("Mul", ["x", "c"], ["p"]), node("Div", ["p", "six"], ["y"])],
        "HardSwish",
        {},
    ),
    "HardSwish of a quotient": (
        [*RELU6, node("Div", ["c", "six"], ["p"]), node("Mul", ["p", "x"], ["y"])],
        "HardSwish",
        {},
    ),
    "HardSwish by a product": (
        [*RELU6, node("Mul", ["c", "sixth"], ["p"]), node("Mul", ["x", "p"], ["y"])],
        "HardSwish",
        {},
    ),
    "HardSwish of a scaled value": ([*SCALED, node("Mul", ["x", "c"], ["y"])], "HardSwish", {}),
    "HardSwish of HardSigmoid": (
        [
            node("HardSigmoid", ["x"], ["g"], alpha=1 / 6, beta=0.5),
            node("Mul", ["g", "x"], ["y"]),
        ],
        "HardSwish",
        {},
    ),
    "HardSwish of Max and Min": (
        [
            RELU6[0],
            node("Max", ["zero", "s"], ["r"]),
            node("Min", ["r", "six"], ["c"]),
            node("Mul", ["x", "c"], ["p"]),
            node("Div", ["p", "six"], ["y"]),
        ],
        "HardSwish",
        {},
    ),
    "Mish": (
        [
            node("Softplus", ["x"], ["s"]),
            node("Tanh", ["s"], ["g"]),
            node("Mul", ["x", "g"], ["y"]),
        ],
        "Mish",
        {},
    ),
    "Mish from exponentials": (
        [
            node("Exp", ["x"], ["e"]),
            node("Add", ["one", "e"], ["a"]),
            node("Log", ["a"], ["s"]),
            node("Tanh", ["s"], ["g"]),
            node("Mul", ["g", "x"], ["y"]),
        ],
        "Mish",
        {},
    ),
    "Softplus": (
        [
            node("Exp", ["x"], ["e"]),
            node("Add", ["e", "one"], ["a"]),
            node("Log", ["a"], ["y"]),
        ],
        "Softplus",
        {},
    ),
    "LeakyRelu": ([node("PRelu", ["x", "half"], ["y"])], "LeakyRelu", {"alpha": 0.5}),
    "Clip of Max": ([node("Max", ["zero", "x"], ["y"])], "Clip", {}),
    "Clip of Clips": (
        [
            node("Clip", ["x", "half", "six"], ["c"]),
            node("Clip", ["c", "", "one"], ["d"]),
            node("Clip", ["d", "zero"], ["y"]),
        ],
        "Clip",
        {},
    ),
    "Clip of Min": ([node("Min", ["x", "one"], ["y"])], "Clip", {}),
}


@pytest.mark.parametrize("case", CASES)
def test_fuses(case: str) -> None:
    nodes, op_type, attributes = CASES[case]
    (fused,) = after(nodes).nodes
    assert (fused.op_type, fused.input(0), fused.attributes) == (op_type, "x", attributes)


@pytest.mark.parametrize("case", [case for case in CASES if case != "Clip of Clips"])
def test_stays_where_a_value_between_is_needed(case: str) -> None:
    nodes, op_type, _ = CASES[case]
    for name in [one.output[0] for one in nodes[:-1]]:
        again = [*nodes, node("Neg", [name], ["n"])]
        for result in (after(nodes, ("y", name)), after(again, ("y", "n"))):
            assert not any(one.op_type == op_type and one.input(0) == "x" for one in result.nodes)


def test_what_x_is_made_of_may_have_other_users() -> None:
    """x is a sum itself, so that the sum in the middle could be counted from further up."""
    before = [node("Neg", ["x"], ["z"]), node("Add", ["z", "one"], ["v"])]
    nodes, op_type, _ = CASES["HardSwish"]
    for one in nodes:
        one = onnx.NodeProto.FromString(one.SerializeToString())
        one.input[:] = ["v" if name == "x" else name for name in one.input]
        before.append(one)
    assert ops(after(before)) == ["Neg", "Add", op_type]


OTHERS: dict[str, tuple[str, dict[str, Any]]] = {
    "another addend": ("HardSwish", {"three": np.float32(2.5)}),
    "another bound": ("HardSwish", {"zero": np.float32(-1)}),
    "another divisor": ("HardSwish", {"six": np.float32(5)}),
    "no number": ("HardSwish", {"three": np.full(8, 3, np.float32)}),
    "a dimension more": ("HardSwish", {"three": np.full((1, 1, 1, 1), 3, np.float32)}),
    "a sum of 2": ("Softplus", {"one": np.float32(2)}),
    "a vector of ones": ("Softplus", {"one": np.ones(8, np.float32)}),
    "a sum with a dimension more": ("Softplus", {"one": np.ones((1, 1, 1, 1), np.float32)}),
    "alpha with a dimension more": (
        "Swish with alpha",
        {"alpha": np.ones((1, 1, 1, 1), np.float32)},
    ),
    "alpha by column": ("Swish with alpha", {"alpha": np.arange(8, dtype=np.float32)}),
    "slopes": ("LeakyRelu", {"half": np.arange(8, dtype=np.float32)}),
    "bounds": ("Clip of Max", {"zero": np.arange(8, dtype=np.float32)}),
    "a bound with a dimension more": ("Clip of Max", {"zero": np.zeros((1,) * 4, np.float32)}),
}


@pytest.mark.parametrize("case", OTHERS)
def test_stays_with_other_constants(case: str) -> None:
    nodes, op_type, _ = CASES[OTHERS[case][0]]
    assert op_type not in ops(after(nodes, **OTHERS[case][1]))


@pytest.mark.parametrize(
    ("nodes", "op_type"),
    [
        ([node("Sigmoid", ["x"], ["g"]), node("Mul", ["g", "half"], ["y"])], "Swish"),
        (
            [
                node("Neg", ["x"], ["n"]),
                node("Sigmoid", ["n"], ["g"]),
                node("Mul", ["g", "x"], ["y"]),
            ],
            "Swish",
        ),
        (
            [
                node("Softplus", ["x"], ["s"]),
                node("Tanh", ["x"], ["g"]),
                node("Mul", ["s", "g"], ["y"]),
            ],
            "Mish",
        ),
        (
            [node("HardSigmoid", ["x"], ["g"]), node("Mul", ["g", "x"], ["y"])],
            "HardSwish",
        ),
        ([*RELU6[:1], node("Clip", ["s", "zero", "six"], ["y"])], "HardSigmoid"),
        ([node("Clip", ["x", "zero", "one"], ["y"])], "HardSigmoid"),
    ],
)
def test_stays_when_it_is_another_function(nodes: Nodes, op_type: str) -> None:
    if op_type == "HardSigmoid" and len(nodes) == 2:
        op_type = "HardSwish"  # Clip(x + 3, 0, 6) is 6 * HardSigmoid, which would be no gain
    assert op_type not in ops(after(nodes))


def test_clips_stay_where_the_value_between_is_needed() -> None:
    nodes, _, _ = CASES["Clip of Clips"]
    assert ops(after(nodes, ("y", "c"))) == ["Clip", "Clip"]


def test_clips_with_min_above_max_stay() -> None:
    nodes = [
        node("Clip", ["x", "six", "one"], ["c"]),
        node("Clip", ["c", "zero", "three"], ["y"]),
    ]
    assert ops(after(nodes)) == ["Clip", "Clip"]


def test_integers_stay() -> None:
    to = onnx.TensorProto.INT32
    nodes = [node("Cast", ["x"], ["i"], to=to), node("Max", ["i", "zero"], ["y"])]
    result = graph(nodes, {"x": [3]}, ["y"], {"zero": np.int32(0)}, output_type=to)
    passes.run(result)
    assert ops(result) == ["Cast", "Max"]
