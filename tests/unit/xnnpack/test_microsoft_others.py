"""More of onnxruntime's own operators against native onnxruntime: all of their body on XNNPACK.

Tolerance: sums of at most 16 products of values around 1, and functions to a few units in the last place.
"""

import numpy as np
import pytest
from onnx import helper

from pyxnn.microsoft import DOMAIN
from tests.support import native

RULES = {"linear": (), "gated": ("g",), "delta": ("b",), "gated_delta": ("g", "b")}


def random(seed, shape):
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


def compare(op_type, inputs, feeds, outputs=("y",), constants=None, **attributes):
    node = helper.make_node(op_type, inputs, list(outputs), domain=DOMAIN, **attributes)
    data = native.build([node], feeds, outputs, constants, opset=18, domains={DOMAIN: 1})
    native.compare(data, feeds, rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("with_past", [False, True])
@pytest.mark.parametrize("rule", RULES)
def test_linear_attention(rule, with_past):
    feeds = {"q": random(0, (2, 5, 32)), "k": random(1, (2, 5, 16)) / 4, "v": random(2, (2, 5, 24))}
    if with_past:
        feeds["s"] = random(3, (2, 2, 8, 12))
    if "g" in RULES[rule]:
        feeds["g"] = -np.abs(random(4, (2, 5, 2)))
    if "b" in RULES[rule]:
        feeds["b"] = np.abs(random(5, (2, 5, 2))) / 4
    inputs = [name if name in feeds else "" for name in "qkvsgb"]
    attributes = {"update_rule": rule, "q_num_heads": 4, "kv_num_heads": 2}
    compare("LinearAttention", inputs, feeds, ["y", "t"], **attributes)


@pytest.mark.parametrize("activation", ["none", "silu"])
@pytest.mark.parametrize("with_past", [False, True])
def test_causal_conv(with_past, activation):
    feeds = {"x": random(0, (2, 6, 9))}
    constants = {"w": random(1, (6, 1, 4)), "c": random(2, (6,))}
    inputs = ["x", "w", "c"]
    if with_past:
        feeds["p"] = random(3, (2, 6, 3))
        inputs.append("p")
    attributes = {"activation": activation, "ndim": 1}
    compare("CausalConvWithState", inputs, feeds, ["y", "s"], constants, **attributes)


@pytest.mark.parametrize("with_b", [False, True])
def test_linear_attention_gate(with_b):
    feeds = {"a": random(0, (2, 5, 3))}
    constants = {"t": random(1, (3,)), "s": -np.abs(random(2, (3,)))}
    if with_b:
        feeds["b"] = random(3, (2, 5, 3))
    outputs = ["y", "z"][: 1 + with_b]
    compare(
        "LinearAttentionGate",
        ["a", "t", "s", *feeds][:3] + ["b"] * with_b,
        feeds,
        outputs,
        constants,
    )


@pytest.mark.parametrize("heads", [1, 3])
@pytest.mark.parametrize("activation", ["silu", "sigmoid"])
def test_gated_rms_norm(activation, heads):
    feeds = {"x": random(0, (2, 5, 8 * heads)), "g": random(1, (2, 5, 8 * heads))}
    constants = {"s": random(2, (8,))}
    compare("GatedRMSNorm", ["x", "s", "g"], feeds, ["y"], constants, activation=activation)


def test_gates():
    feeds = {"x": random(0, (2, 5, 8)), "z": random(1, (2, 5, 8)), "g": random(2, (2, 5, 1))}
    compare("GatedAdd", ["x", "z", "g"], feeds)
    compare("ScaledSiLU", ["x"], {"x": feeds["x"]}, alpha=0.7)
    constants = {"s": np.array(1.5, np.float32)}
    compare("ScaledSiLU", ["x", "s"], {"x": feeds["x"]}, ["y"], constants)


@pytest.mark.parametrize("trans", [0, 1])
def test_transpose_matmul(trans):
    feeds = {"a": random(0, (2, 5, 7)), "b": random(1, (2, 5, 3) if trans else (2, 7, 3))}
    compare("TransposeMatMul", ["a", "b"], feeds, transA=trans, alpha=0.5)


def test_forms_of_onnx():
    x = random(0, (2, 5, 7))
    for upper in (0, 1):
        constants = {"k": np.array(-1)}
        compare("Trilu", ["x", "k"], {"x": x}, ["y"], constants, upper=upper)
    constants = {"p": np.array([0, 1, 2, 0, 0, 3]), "v": np.array(2, np.float32)}
    compare("Pad", ["x", "p", "v"], {"x": x}, ["y"], constants, mode="constant")
    compare("Pad", ["x", "p"], {"x": x}, ["y"], {"p": constants["p"]}, mode="edge")
    compare("ExpandDims", ["x", "a"], {"x": x}, ["y"], {"a": np.array(-1, np.int32)})
    feeds = {"x": random(0, (1, 3, 6, 7)), "g": random(1, (1, 4, 5, 2)) / 2}
    for mode in ("bilinear", "nearest", "bicubic"):
        compare("GridSample", ["x", "g"], feeds, mode=mode, padding_mode="border")


@pytest.mark.parametrize("attributes", [{"dilation": 2}, {"channels_last": 1}, {"ndim": 2}])
def test_forms_that_onnx_lacks(attributes):
    feeds = {"x": random(0, (2, 6, 9))}
    node = helper.make_node("CausalConvWithState", ["x", "w"], ["y"], domain=DOMAIN, **attributes)
    data = native.build([node], feeds, ["y"], {"w": random(1, (6, 1, 4))}, domains={DOMAIN: 1})
    assert native.refusal(data) == "XNNPACK has no com.microsoft.CausalConvWithState"
