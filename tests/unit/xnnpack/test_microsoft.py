"""onnxruntime's own operators against native onnxruntime: all of their body on XNNPACK.

Tolerance: sums of at most 40 products of values around 1, and functions to a few units in the last place: 1e-5; after the
division by a deviation, five times that.
"""

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper

import pyxnn
from pyxnn.microsoft import DOMAIN
from tests.support import native

TOLERANCE = {"rtol": 1e-4, "atol": 5e-5}
ACTIVATIONS = [
    ("Relu", []),
    ("Tanh", []),
    ("Sigmoid", []),
    ("LeakyRelu", [0.3]),
    ("HardSigmoid", [0.3, 0.4]),
    ("Clip", [-0.4, 0.7]),
]


def random(seed, shape):
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


def node(op_type, inputs, outputs=("y",), **attributes):
    return helper.make_node(op_type, inputs, list(outputs), domain=DOMAIN, **attributes)


def compare(nodes, feeds, outputs=("y",), constants=None, **kwargs):
    data = native.build(nodes, feeds, outputs, constants, domains={DOMAIN: 1}, **kwargs)
    native.compare(data, feeds, **TOLERANCE)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=4), st.booleans(), st.booleans())
def test_gelus(shape, constant, dynamic):
    feeds = {"x": random(0, shape) * 3, "b": random(1, shape[-1:])}
    nodes = [
        node("Gelu", ["x"], ["y0"]),
        node("BiasGelu", ["x", "b"], ["y1"]),
        node("FastGelu", ["x", "b"], ["y2"]),
        node("FastGelu", ["x"], ["y3"]),
        node("QuickGelu", ["x"], ["y4"]),
        node("QuickGelu", ["x"], ["y5"], alpha=1.0),
    ]
    constants = {"b": feeds.pop("b")} if constant else {}
    outputs = [f"y{index}" for index in range(6)]
    compare(nodes, feeds, outputs, constants, dynamic=dynamic)


@st.composite
def matmuls(draw):
    rank = draw(st.integers(2, 4))
    batch = draw(st.lists(st.integers(1, 3), min_size=rank - 2, max_size=rank - 2))
    m, k, n = (draw(st.integers(1, 20)) for _ in range(3))
    attributes = {name: draw(st.integers(0, 1)) for name in ("transA", "transB")}
    if rank > 2:
        attributes |= {name: draw(st.integers(0, 1)) for name in ("transBatchA", "transBatchB")}
    feeds = {}
    for side, rows, columns in (("A", m, k), ("B", k, n)):
        if attributes[f"trans{side}"]:
            rows, columns = columns, rows
        shape = [*batch, rows, columns]
        if attributes.get(f"transBatch{side}"):
            shape = [rows, *batch, columns]
        feeds[side] = random(len(feeds), shape)
    alpha = draw(st.sampled_from([1.0, 0.5]))
    constants = {"B": feeds.pop("B")} if draw(st.booleans()) else {}
    return attributes | {"alpha": alpha}, feeds, constants


@given(matmuls(), st.booleans())
def test_fused_matmul(case, dynamic):
    attributes, feeds, constants = case
    compare(
        [node("FusedMatMul", ["A", "B"], **attributes)], feeds, ["y"], constants, dynamic=dynamic
    )


@pytest.mark.parametrize(("activation", "numbers"), ACTIVATIONS)
@pytest.mark.parametrize("with_sum", [False, True])
def test_fused_conv(activation, numbers, with_sum):
    feeds = {"x": random(0, (2, 6, 7, 8))}
    constants = {"w": random(1, (4, 3, 3, 3)) / 5, "b": random(2, (4,))}
    inputs = ["x", "w", "b"]
    if with_sum:
        feeds["z"] = random(3, (2, 4, 7, 8))
        inputs.append("z")
    fused = node(
        "FusedConv",
        inputs,
        activation=activation,
        pads=[1] * 4,
        group=2,
        **({"activation_params": numbers} if numbers else {}),
    )
    compare([fused], feeds, ["y"], constants)


@pytest.mark.parametrize(("activation", "numbers"), ACTIVATIONS[:-1])
def test_fused_gemm(activation, numbers):
    names = ("activation_alpha", "activation_beta")
    fused = node(
        "FusedGemm",
        ["x", "w", "b"],
        activation=activation,
        transB=1,
        **dict(zip(names, numbers, strict=False)),
    )
    feeds = {"x": random(0, (5, 8))}
    compare([fused], feeds, ["y"], {"w": random(1, (6, 8)), "b": random(2, (6,))})


@pytest.mark.parametrize("op_type", ["SkipLayerNormalization", "SkipSimplifiedLayerNormalization"])
@pytest.mark.parametrize("with_bias", [False, True])
@pytest.mark.parametrize("with_sum", [False, True])
@pytest.mark.parametrize("dynamic", [False, True])
def test_skip_layer_normalization(op_type, with_bias, with_sum, dynamic):
    feeds = {"x": random(0, (2, 5, 24)), "s": random(1, (2, 5, 24))}
    constants = {name: random(seed, (24,)) for seed, name in enumerate(["g", "b", "c"])}
    inputs = ["x", "s", "g"]
    if op_type == "SkipLayerNormalization":
        inputs.append("b" if not with_sum else "")
    if with_bias:
        inputs.append("c")
    outputs = ["y", "", "", "t"] if with_sum else ["y"]
    constants = {name: constants[name] for name in inputs if name in constants}
    layer = node(op_type, inputs, outputs, epsilon=1e-3)
    compare([layer], feeds, [name for name in outputs if name], constants, dynamic=dynamic)


def test_simplified_layer_normalization():
    layer = helper.make_node(
        "SimplifiedLayerNormalization", ["x", "g"], ["y"], axis=-1, epsilon=1e-3
    )
    feeds = {"x": random(0, (2, 5, 24))}
    compare([layer], feeds, ["y"], {"g": random(1, (24,))})


@pytest.mark.parametrize("opset", [9, 13, 16])
def test_layer_normalization_of_older_opsets(opset):
    layer = helper.make_node("LayerNormalization", ["x", "g", "b"], ["y"], axis=-1, epsilon=1e-3)
    softmax = helper.make_node("Softmax", ["y"], ["z"], axis=2)
    feeds = {"x": random(0, (2, 5, 24))}
    constants = {"g": random(1, (24,)), "b": random(2, (24,))}
    compare([layer, softmax], feeds, ["y", "z"], constants, opset=opset)


def test_types_go_on_behind():
    """What comes after needs ranks and extents."""
    nodes = [
        node("FusedMatMul", ["x", "w"], ["h"], transB=1),
        node("BiasGelu", ["h", "b"], ["g"]),
        helper.make_node("Softmax", ["g"], ["y"], axis=1),
    ]
    feeds = {"x": random(0, (2, 3, 8))}
    compare(nodes, feeds, ["y"], {"w": random(1, (5, 8)), "b": random(2, (5,))}, opset=11)


@pytest.mark.parametrize("with_segments", [False, True])
@pytest.mark.parametrize("with_ids", [False, True])
def test_embed_layer_normalization(with_segments, with_ids):
    feeds = {"ids": np.array([[1, 4, 2], [0, 3, 3]], np.int32)}
    constants = {
        name: random(seed, (6, 16)) for seed, name in enumerate(["words", "places", "kinds"])
    }
    constants |= {"g": random(3, (16,)), "b": random(4, (16,))}
    inputs = ["ids", "segments", "words", "places", "kinds", "g", "b", "mask", "position_ids"]
    feeds["mask"] = np.array([[1, 1, 1], [1, 0, 0]], np.int32)
    if with_segments:
        feeds["segments"] = np.array([[0, 1, 1], [1, 0, 0]], np.int32)
    else:
        inputs[1] = inputs[4] = ""
        del constants["kinds"]
    if with_ids:
        feeds["position_ids"] = np.array([[3, 1, 0], [2, 2, 4]], np.int32)
    else:
        inputs.pop()
    embed = node("EmbedLayerNormalization", inputs, ["y", "counts"], epsilon=1e-3)
    data = native.build([embed], feeds, ["y"], constants, domains={DOMAIN: 1})
    expected = native.run_native(data, feeds)
    with pyxnn.InferenceSession(data) as session:
        results = session.run(None, feeds)
    for got, want in zip(results, expected, strict=True):
        np.testing.assert_allclose(got, want, **TOLERANCE)


@pytest.mark.parametrize("has_zeros", [False, True])
@pytest.mark.parametrize(("type", "bits"), [("INT4", 4), ("UINT4", 4), ("UINT8", 4), ("UINT8", 8)])
@pytest.mark.parametrize("columns", [64, 48])
def test_gather_block_quantized(type, bits, has_zeros, columns):
    """Rows of a table: blocks of 16 columns, three of them or four."""
    numbers, blocks = np.random.default_rng(0), columns // 16
    low = -8 if type == "INT4" else 0
    parts = {"d": (7, columns), "z": (7, blocks)}
    tensors = []
    for name, shape in parts.items():
        values = numbers.integers(low, low + (1 << bits), shape)
        if type == "UINT8" and bits == 4:
            values = np.pad(values, [(0, 0), (0, values.shape[1] % 2)])
            values = values[:, ::2] | values[:, 1::2] << 4
        if name == "d" or has_zeros:
            kind = getattr(onnx.TensorProto, type)
            tensors.append(helper.make_tensor(name, kind, values.shape, values.reshape(-1)))
    inputs = ["d", "i", "s", *["z"] * has_zeros]
    attributes = {"bits": bits} if type == "UINT8" else {}
    gather = node("GatherBlockQuantized", inputs, block_size=16, quantize_axis=-1, **attributes)
    feeds = {"i": np.array([[0, 1, -1], [3, 3, 6]])}
    scales = {"s": numbers.uniform(0.5, 1, (7, blocks)).astype(np.float32)}
    data = native.build([gather], feeds, ["y"], scales, opset=21, domains={DOMAIN: 1})
    model = onnx.ModelProto.FromString(data)
    model.graph.initializer.extend(tensors)
    native.compare(model.SerializeToString(), feeds, rtol=1e-6)


def test_gather_block_quantized_of_columns():
    """Blocks lie before what is gathered."""
    numbers = np.random.default_rng(0)
    data = helper.make_tensor("d", onnx.TensorProto.UINT4, (32, 5), numbers.integers(0, 16, 160))
    gather = node(
        "GatherBlockQuantized", ["d", "i", "s"], block_size=16, gather_axis=1, quantize_axis=0
    )
    feeds = {"i": np.array([[0, 1], [4, 3], [2, 2]])}
    scales = {"s": numbers.uniform(0.5, 1, (2, 5)).astype(np.float32)}
    model = onnx.ModelProto.FromString(
        native.build([gather], feeds, ["y"], scales, opset=21, domains={DOMAIN: 1})
    )
    model.graph.initializer.append(data)
    native.compare(model.SerializeToString(), feeds, rtol=1e-6)


@pytest.mark.parametrize("direction", ["forward", "bidirectional"])
@pytest.mark.parametrize("per_column", [False, True])
@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
def test_dynamic_quantize_lstm(direction, per_column, dtype):
    """onnxruntime rounds inputs and states to 8 bits of their range, ours stay floats."""
    count, inputs, hidden = 1 + (direction == "bidirectional"), 9, 5
    numbers = np.random.default_rng(0)
    scale = (count, 4 * hidden) if per_column else (count,)
    middle = 0 if dtype == np.int8 else 128
    constants = {"b": random(2, (count, 8 * hidden))}
    for name, rows in (("w", inputs), ("r", hidden)):
        shape = (count, rows, 4 * hidden)
        constants[name] = (numbers.integers(-100, 100, shape) + middle).astype(dtype)
        constants[f"{name}_scale"] = numbers.uniform(0.002, 0.005, scale).astype(np.float32)
        constants[f"{name}_zero"] = np.full(scale, middle, dtype)
    feeds = {"x": random(1, (6, 2, inputs))}
    names = ["x", "w", "r", "b", "", "", "", "", "w_scale", "w_zero", "r_scale", "r_zero"]
    outputs = ["y", "h", "c"]
    lstm = node("DynamicQuantizeLSTM", names, outputs, direction=direction, hidden_size=hidden)
    data = native.build([lstm], feeds, outputs, constants, domains={DOMAIN: 1})
    native.compare(data, feeds, atol=0.02)
