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


def test_three_dimensions_stay_where_a_value_between_is_needed() -> None:
    """What was made for the Attention doesn't keep the passes busy for ever."""
    result = graph([*PLAIN[1:]], {"q": [6, 5, 8], "t": [6, 8, 7], "v": [6, 7, 4]}, ("y", "s"))
    passes.run(result)
    assert ops(result) == ["MatMul", "Softmax", "MatMul"] and not result.initializers


@pytest.mark.parametrize("extra", ["t", "p", "s", "w"])
def test_stays_where_a_value_between_is_needed(extra: str) -> None:
    nodes = [*PRODUCT, node("Mul", ["p", "scale"], ["s"]), *END]
    result = ops(after(nodes, ("y", extra)))
    assert ("Attention" in result) == (extra == "t")
    result = ops(after([*nodes, node("Neg", [extra], ["z"])], ("y", "z")))
    assert ("Attention" in result) == (extra == "t")


@pytest.mark.parametrize("extra", ["qs", "ts"])
def test_scaled_operands_that_are_needed_stay(extra: str) -> None:
    nodes = [*BOTH_SCALED, *END]
    for others, outputs in (([], ("y", extra)), ([node("Neg", [extra], ["z"])], ("y", "z"))):
        result = ops(after([*nodes, *others], outputs))
        assert result.count("Attention") == result.count("Mul") == 1


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


# What PyTorch's exporters write, of sequences whose length they don't know.

DYNAMIC: dict[str, Any] = {name: ["batch", 4, "tokens", 16] for name in ("q", "k", "v")}
SEQUENCES = {name: RANDOM.standard_normal((2, 4, 5, 16), np.float32) for name in DYNAMIC}
CONSTANTS = {
    "zero": np.zeros(1, np.float32),
    "one": np.ones(1, np.float32),
    "half": np.array(0.5, np.float32),
    "root": np.array(4, np.float32),
    "infinite": np.array([-np.inf], np.float32),
    "first": np.array(0),
    "second": np.array(1),
    "third": np.array(2),
    "last": np.array(-1),
    "at_0": np.array([0]),
    "at_1": np.array([1]),
    "at_2": np.array([2]),
    "at_3": np.array([3]),
    "last_but_one": np.array([-2]),
    "at_last": np.array([-1]),
    "end": np.array([2**63 - 1]),
    "heads": np.array([4]),
    "size": np.array([16]),
    "lower": np.tril(np.ones((1, 1, 64, 64), np.float32)),
    "weights": RANDOM.standard_normal((64, 192), np.float32) / 8,
}
SCALE_OF_SHAPE = [
    node("Shape", ["q"], ["q_shape"]),
    node("Slice", ["q_shape", "at_last", "end"], ["q_size"]),
    node("Cast", ["q_size"], ["q_number"], to=onnx.TensorProto.FLOAT),
    node("Sqrt", ["q_number"], ["q_root"]),
    node("Div", ["one", "q_root"], ["factor"]),
    node("Sqrt", ["factor"], ["q_factor"]),
    node("Sqrt", ["factor"], ["k_factor"]),
]
SCALED_PRODUCT = [
    node("Mul", ["q", "q_factor"], ["qs"]),
    node("Mul", ["t", "k_factor"], ["ts"]),
    node("MatMul", ["qs", "ts"], ["p"]),
]
SDPA = [*SCALE_OF_SHAPE, KEYS, *SCALED_PRODUCT]
CAUSAL = [
    node("Shape", ["q"], ["rows_of"]),
    node("Shape", ["k"], ["columns_of"]),
    node("Slice", ["rows_of", "last_but_one", "at_last"], ["rows"]),
    node("Slice", ["columns_of", "last_but_one", "at_last"], ["columns"]),
    node("Concat", ["rows", "columns"], ["extents"], axis=0),
    node("Expand", ["one", "extents"], ["ones"]),
    node("Trilu", ["ones"], ["triangle"], upper=0),
    node("Equal", ["triangle", "zero"], ["above"]),
    node("Where", ["above", "infinite", "zero"], ["mask"]),
    node("Add", ["p", "mask"], ["s"]),
]
DYNAMO_KEYS = [
    node("Shape", ["k"], ["k_size"], start=-1),
    node("Shape", ["k"], ["k_rows"], start=-2, end=-1),
    node("Shape", ["k"], ["k_outer"], end=-2),
    node("Concat", ["at_last", "k_rows", "k_size"], ["k_flat"], axis=0),
    node("Reshape", ["k", "k_flat"], ["k3"]),
    node("Transpose", ["k3"], ["t3"], perm=[0, 2, 1]),
    node("Concat", ["k_outer", "k_size", "k_rows"], ["t_shape"], axis=0),
    node("Reshape", ["t3", "t_shape"], ["t"]),
]
NANO_GPT = [
    node("Mul", ["p", "half"], ["d"]),
    node("Shape", ["q"], ["q_shape"]),
    node("Gather", ["q_shape", "third"], ["length"], axis=0),
    node("Unsqueeze", ["length", "at_0"], ["tokens"]),
    node("Slice", ["lower", "at_0", "tokens", "at_2", "at_1"], ["some_rows"]),
    node("Slice", ["some_rows", "at_0", "tokens", "at_3", "at_1"], ["square"]),
    node("Equal", ["square", "zero"], ["above"]),
    node("Where", ["above", "infinite", "d"], ["s"]),
]
ROOT_OF_SHAPE = [
    node("Shape", ["v"], ["v_shape"]),
    node("Gather", ["v_shape", "last"], ["v_size"], axis=0),
    node("Cast", ["v_size"], ["v_number"], to=onnx.TensorProto.FLOAT),
    node("Pow", ["v_number", "half"], ["v_root"]),
    node("Div", ["p", "v_root"], ["s"]),
]


def exported(nodes: Nodes, inputs: dict[str, Any], feeds: dict[str, np.ndarray]) -> Any:
    used = {name for one in nodes for name in one.input}
    constants = {name: array for name, array in CONSTANTS.items() if name in used}
    assert_parity(build(nodes, inputs, constants=constants), feeds)
    result = graph(nodes, inputs, constants=constants)
    passes.run(result)
    return result


@pytest.mark.parametrize(
    ("nodes", "scale"),
    [
        ([*SDPA, *CAUSAL, *END], 0.25),
        ([*PRODUCT, *NANO_GPT, *END], 0.5),
        ([*PRODUCT, *ROOT_OF_SHAPE, *END], 0.25),
        (
            [
                *SCALE_OF_SHAPE,
                *DYNAMO_KEYS,
                *SCALED_PRODUCT,
                node("Softmax", ["p"], ["w"], axis=-1),
                END[1],
            ],
            0.25,
        ),
    ],
    ids=["causal", "nanoGPT", "transformers", "dynamo"],
)
def test_exports_of_any_length(nodes: Nodes, scale: float) -> None:
    result = exported(nodes, DYNAMIC, SEQUENCES)
    fused = attention(result)
    assert fused.attributes == {"scale": pytest.approx(scale)}
    assert not {"Mul", "Div", "Sqrt", "Cast"} & set(ops(result))


@pytest.mark.parametrize("guarded", [False, True])
@pytest.mark.parametrize("of_bool", [False, True])
def test_scaled_dot_product_attention_with_a_mask(of_bool: bool, guarded: bool) -> None:
    chosen = [node("Where", ["bits", "zero", "infinite"], ["mask"])] if of_bool else []
    end = GUARD if guarded else END
    nodes = [*SDPA, *chosen, node("Add", ["p", "mask"], ["s"]), *end]
    extents = ["batch", 1, "tokens", "tokens"]
    kept = RANDOM.standard_normal((2, 1, 5, 5)) > -1
    kept[..., 0] = True
    if of_bool:
        inputs, feeds = {"bits": (onnx.TensorProto.BOOL, extents)}, {"bits": kept}
    else:
        inputs, feeds = {"mask": extents}, {"mask": kept.astype(np.float32)}
    fused = attention(exported(nodes, DYNAMIC | inputs, SEQUENCES | feeds))
    assert fused.attributes == {"scale": pytest.approx(0.25)}


@pytest.mark.parametrize("split", [False, True])
def test_vision_transformers(split: bool) -> None:
    """One product for q, k and v, which are the parts of an axis."""
    parts = [
        node("Gather", ["turned", index], [name], axis=0)
        for name, index in zip("qkv", ("first", "second", "third"), strict=True)
    ]
    if split:
        parts = [node("Split", ["turned"], ["q1", "k1", "v1"], axis=0)]
        parts += [node("Squeeze", [f"{name}1", "at_0"], [name]) for name in "qkv"]
    nodes = [
        node("MatMul", ["x", "weights"], ["all"]),
        node("Shape", ["x"], ["x_shape"]),
        node("Slice", ["x_shape", "at_0", "at_2"], ["extents"]),
        node("Concat", ["extents", "at_3", "heads", "size"], ["five"], axis=0),
        node("Reshape", ["all", "five"], ["split"]),
        node("Transpose", ["split"], ["turned"], perm=[2, 0, 3, 1, 4]),
        *parts,
        node("Div", ["q", "root"], ["d"]),
        KEYS,
        node("MatMul", ["d", "t"], ["s"]),
        *END,
    ]
    x = RANDOM.standard_normal((2, 5, 64), np.float32)
    result = exported(nodes, {"x": ["batch", "tokens", 64]}, {"x": x})
    assert ops(result).count("Attention") == 1 and "Softmax" not in ops(result)


def test_a_scale_of_the_length_stays() -> None:
    """Not a constant: here it is the number of keys that scores are divided by."""
    by_length = [
        node("Shape", ["v"], ["v_shape"]),
        node("Gather", ["v_shape", "third"], ["v_size"], axis=0),
        *ROOT_OF_SHAPE[2:],
    ]
    result = exported([*PRODUCT, *by_length, *END], DYNAMIC, SEQUENCES)
    assert "Attention" not in ops(result)
