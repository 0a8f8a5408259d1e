"""Attention out of the nodes that exporters write: where it fuses, where it must not, and results."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest

from pyxnn import passes
from tests.support.onnx_models import build, graph, node, ops
from tests.support.parity import assert_parity

Nodes = list[onnx.NodeProto]
RANDOM = np.random.default_rng(1)
SHAPES: dict[str, Any] = {"q": [2, 3, 5, 8], "k": [2, 3, 6, 8], "v": [2, 3, 6, 4]}
FEEDS = {name: RANDOM.standard_normal(shape, np.float32) for name, shape in SHAPES.items()}
NUMBERS = {
    name: np.array(value, np.float32)
    for name, value in {
        "root": 8**0.5,
        "scale": 8**-0.5,
        "sqrt": 8**-0.25,
        "lowest": np.finfo(np.float32).min,
        "infinite": -np.inf,
        "zero": 0,
        "few": -10000,
    }.items()
}
KEYS = node("Transpose", ["k"], ["t"], perm=[0, 1, 3, 2])
END = [node("Softmax", ["s"], ["w"], axis=-1), node("MatMul", ["w", "v"], ["y"])]
PLAIN = [KEYS, node("MatMul", ["q", "t"], ["s"]), *END]
BOTH_SCALED = [
    node("Mul", ["q", "sqrt"], ["qs"]),
    KEYS,
    node("Mul", ["t", "sqrt"], ["ts"]),
    node("MatMul", ["qs", "ts"], ["s"]),
]
PRODUCT = [KEYS, node("MatMul", ["q", "t"], ["p"])]
GUARD = [
    node("Softmax", ["s"], ["w0"], axis=-1),
    node("IsNaN", ["w0"], ["n"]),
    node("Where", ["n", "zero", "w0"], ["w"]),
    END[1],
]
MASK = RANDOM.standard_normal((2, 1, 1, 6), np.float32)
BITS = RANDOM.standard_normal((5, 6)) > -1
BITS[:, 0] = True


def after(nodes: Nodes, outputs: tuple[str, ...] = ("y",), **feeds: np.ndarray):
    """The graph after the passes; its results are the model's, with the passes and without."""
    types = {np.dtype(np.float32): 1, np.dtype(bool): 9}
    inputs = SHAPES | {name: (types[a.dtype], list(a.shape)) for name, a in feeds.items()}
    assert_parity(build(nodes, inputs, outputs, NUMBERS), FEEDS | feeds)
    result = graph(nodes, inputs, outputs, NUMBERS)
    passes.run(result)
    return result


def attention(result: Any) -> Any:
    (fused,) = (one for one in result.nodes if one.op_type == "Attention")
    assert not {"Softmax", "MatMul"} & set(ops(result))
    return fused


@pytest.mark.parametrize(
    ("nodes", "scale"),
    [
        (PLAIN, 1),
        ([*PRODUCT, node("Div", ["p", "root"], ["s"]), *END], 8**-0.5),
        ([*PRODUCT, node("Mul", ["scale", "p"], ["s"]), *END], 8**-0.5),
        (
            [node("Div", ["q", "root"], ["d"]), KEYS, node("MatMul", ["d", "t"], ["s"]), *END],
            8**-0.5,
        ),
        ([*BOTH_SCALED, *END], 8**-0.5),
        ([*BOTH_SCALED, *GUARD], 8**-0.5),
    ],
)
def test_scales(nodes: Nodes, scale: float) -> None:
    result = after(nodes)
    assert ops(result) == ["Attention"]
    fused = attention(result)
    assert fused.inputs == ["q", "k", "v"]
    assert fused.attributes == {"scale": pytest.approx(scale)}


@pytest.mark.parametrize(
    "operands", [["p", "mask"], ["mask", "p"]], ids=["mask second", "mask first"]
)
@pytest.mark.parametrize(
    "mask", [MASK, MASK[0, 0, 0], MASK[:1], np.zeros((2, 3, 5, 6), np.float32)]
)
def test_added_mask(operands: list[str], mask: np.ndarray) -> None:
    nodes = [*PRODUCT, node("Add", operands, ["s"]), *END]
    fused = attention(after(nodes, mask=mask))
    assert fused.inputs == ["q", "k", "v", "mask"]


@pytest.mark.parametrize("fill", ["infinite", "lowest"])
@pytest.mark.parametrize("keeps_true", [True, False])
def test_chosen_mask(fill: str, keeps_true: bool) -> None:
    choices = ["p", fill] if keeps_true else [fill, "p"]
    nodes = [*PRODUCT, node("Where", ["bits", *choices], ["s"]), *END]
    fused = attention(after(nodes, bits=BITS if keeps_true else ~BITS))
    assert (fused.inputs[3] == "bits") == (keeps_true and fill == "infinite")


def test_two_masks_after_a_scale() -> None:
    """GPT-2: the causal one chosen, that of the padding added."""
    nodes = [
        *PRODUCT,
        node("Div", ["p", "root"], ["d"]),
        node("Where", ["bits", "d", "lowest"], ["c"]),
        node("Add", ["c", "mask"], ["s"]),
        *END,
    ]
    fused = attention(after(nodes, bits=BITS, mask=MASK))
    assert fused.attributes == {"scale": pytest.approx(8**-0.5)}


def test_three_dimensions() -> None:
    """Batch and heads as one axis."""
    shapes = {"q": [6, 5, 8], "k": [6, 8, 7], "v": [6, 7, 4]}
    nodes = [node("MatMul", ["q", "k"], ["s"]), *END]
    feeds = {name: RANDOM.standard_normal(shape, np.float32) for name, shape in shapes.items()}
    assert_parity(build(nodes, shapes), feeds)
    result = graph(nodes, shapes)
    passes.run(result)
    assert ops(result) == [
        "Transpose",
        "Unsqueeze",
        "Unsqueeze",
        "Unsqueeze",
        "Attention",
        "Squeeze",
    ]


@pytest.mark.parametrize("extra", ["t", "p", "s", "w"])
def test_stays_where_a_value_between_is_needed(extra: str) -> None:
    nodes = [*PRODUCT, node("Mul", ["p", "scale"], ["s"]), *END]
    result = ops(after(nodes, ("y", extra)))
    assert ("Attention" in result) == (extra == "t")
    result = ops(after([*nodes, node("Neg", [extra], ["z"])], ("y", "z")))
    assert ("Attention" in result) == (extra == "t")


@pytest.mark.parametrize(
    "nodes",
    [
        [*PRODUCT, node("Where", ["bits", "p", "few"], ["s"]), *END],
        [*PRODUCT, node("Where", ["bits", "p", "p"], ["s"]), *END],
        [KEYS, node("MatMul", ["q", "t"], ["s"]), node("Softmax", ["s"], ["w"], axis=1), END[1]],
        [*PRODUCT, node("Add", ["p", "bias"], ["a"]), node("Mul", ["a", "scale"], ["s"]), *END],
        [*PRODUCT, node("Add", ["p", "one"], ["s"]), *END],
        [
            node("Relu", ["q"], ["s"]),
            node("Softmax", ["s"], ["w"]),
            node("MatMul", ["w", "u"], ["y"]),
        ],
    ],
    ids=["few", "no fill", "axis", "scaled mask", "one key", "no product"],
)
def test_stays_with_others(nodes: Nodes) -> None:
    feeds = {"bits": BITS, "bias": MASK, "one": MASK[..., :1], "u": MASK[0, 0].repeat(8, 0)}
    used = {name for one in nodes for name in one.input}
    assert "Attention" not in ops(after(nodes, **{n: a for n, a in feeds.items() if n in used}))


def test_stays_where_a_mask_makes_more() -> None:
    shapes = SHAPES | {"q": [2, 3, 1, 8], "mask": [5, 6]}
    result = graph([*PRODUCT, node("Add", ["p", "mask"], ["s"]), *END], shapes)
    passes.run(result)
    assert "Attention" not in ops(result)


def test_stays_where_heads_broadcast() -> None:
    result = graph(PLAIN, SHAPES | {"k": [2, 1, 6, 8]})
    passes.run(result)
    assert "Attention" not in ops(result)


def test_stays_where_xnnpack_would_not_run_it() -> None:
    shapes = {name: (11, shape) for name, shape in SHAPES.items()}
    result = graph(PLAIN, shapes, output_type=11)
    passes.run(result)
    assert "Attention" not in ops(result)
