"""QOperator forms against native onnxruntime: QLinearConv, QLinearMatMul and onnxruntime's own, on integers.

Scales are no round numbers, so that half way between two integers is rare.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper

from pyxnn.microsoft import DOMAIN
from tests.support import native

U8, S8 = np.dtype(np.uint8), np.dtype(np.int8)
Arrays = dict[str, np.ndarray]


def integers(seed: int, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    limits = np.iinfo(dtype)
    random = np.random.default_rng(seed)
    return random.integers(limits.min, limits.max + 1, shape).astype(dtype)


def scale(value: float) -> np.ndarray:
    return np.array(value, np.float32)


def compare(node: Any, feeds: Arrays, constants: Arrays, dtype: np.dtype, **kwargs: Any) -> None:
    data = native.build(
        [node], feeds, ["y"], constants, dtype=dtype.type, domains={DOMAIN: 1}, **kwargs
    )
    native.compare_integers(data, feeds)


def operands(dtype: np.dtype, zero: int, *names: str) -> Arrays:
    """Scales and zero points by the names of tensors."""
    found: Arrays = {}
    for index, name in enumerate(names):
        found[f"{name}_scale"] = scale(0.02137 * 1.3713**index)
        found[f"{name}_zero"] = np.array(zero + index, dtype)
    return found


def three(name: str) -> list[str]:
    return [name, f"{name}_scale", f"{name}_zero"]


@given(
    st.sampled_from([(U8, S8), (U8, U8), (S8, S8)]),
    st.booleans(),
    st.booleans(),
    st.integers(0, 255),
    st.sampled_from([(1, (6, 5, 3, 3)), (5, (5, 1, 3, 3)), (1, (4, 5, 1, 1))]),
)
def test_conv(types: Any, per_channel: bool, bias: bool, zero: int, form: Any) -> None:
    (x_type, w_type), (groups, shape) = types, form
    per_channel &= w_type == S8  # onnxruntime has no others
    constants = {
        "w": integers(1, shape, w_type),
        "x_scale": scale(0.05),
        "x_zero": np.array(zero - 128 * (x_type == S8), x_type),
        "w_scale": np.float32(np.linspace(0.01, 0.02, shape[0])) if per_channel else scale(0.01),
        "w_zero": np.zeros(shape[0] if per_channel else (), w_type)
        + w_type.type(128 if w_type == U8 else 0),
        "y_scale": scale(0.7),
        "y_zero": np.array(3, x_type),
        "b": np.random.default_rng(2).integers(-9999, 9999, shape[0]).astype(np.int32),
    }
    inputs = [*three("x"), *three("w"), "y_scale", "y_zero", *(["b"] if bias else [])]
    node = helper.make_node("QLinearConv", inputs, ["y"], group=groups, pads=[1, 0, 1, 1])
    compare(node, {"x": integers(0, (2, 5, 7, 6), x_type)}, constants, x_type)


@pytest.mark.parametrize("dtype", [U8, S8])
@pytest.mark.parametrize("computed", [False, True])
@pytest.mark.parametrize("per_column", [False, True])
def test_matmul(dtype: np.dtype, computed: bool, per_column: bool) -> None:
    values = operands(dtype, 5, "x", "w", "y")
    values["y_scale"] = scale(3)
    if per_column:
        values["w_scale"] = np.float32(np.linspace(0.01, 0.05, 9))
        values["w_zero"] = np.zeros(9, dtype) + dtype.type(7)
    feeds = {"x": integers(0, (2, 4, 8), dtype)}
    (feeds if computed else values)["w"] = integers(1, (8, 9), dtype)
    node = helper.make_node("QLinearMatMul", [*three("x"), *three("w"), "y_scale", "y_zero"], ["y"])
    compare(node, feeds, values, dtype)


@pytest.mark.parametrize("dtype", [U8, S8])
@pytest.mark.parametrize("op_type", ["QLinearAdd", "QLinearMul"])
@pytest.mark.parametrize("shape", [(2, 3, 4), (4,), ()])
def test_binary(op_type: str, dtype: np.dtype, shape: tuple[int, ...]) -> None:
    feeds = {"a": integers(0, (2, 3, 4), dtype), "b": integers(1, shape, dtype)}
    inputs = [*three("a"), *three("b"), "y_scale", "y_zero"]
    node = helper.make_node(op_type, inputs, ["y"], domain=DOMAIN)
    compare(node, feeds, operands(dtype, 9, "a", "b", "y"), dtype)


UNARY: dict[str, dict[str, Any]] = {
    "QLinearSigmoid": {},
    "QLinearLeakyRelu": {"alpha": 0.2},
    "QLinearSoftmax": {"axis": 1, "opset": 13},
    "QLinearAveragePool": {"kernel_shape": [3, 2], "strides": [2, 1], "pads": [1, 0, 1, 1]},
    "QLinearGlobalAveragePool": {"channels_last": 0},
}


@pytest.mark.parametrize("dtype", [U8, S8])
@pytest.mark.parametrize("op_type", UNARY)
def test_unary(op_type: str, dtype: np.dtype) -> None:
    values = operands(dtype, 4, "x", "y")
    values["y_scale"] = scale(1 / 256 if op_type in ("QLinearSoftmax", "QLinearSigmoid") else 0.03)
    inputs = [*three("x"), "y_scale", "y_zero"]
    node = helper.make_node(op_type, inputs, ["y"], domain=DOMAIN, **UNARY[op_type])
    compare(node, {"x": integers(0, (2, 3, 9, 8), dtype)}, values, dtype)


@pytest.mark.parametrize("op_type", ["QLinearAveragePool", "QLinearGlobalAveragePool"])
def test_channels_last(op_type: str) -> None:
    node = helper.make_node(
        op_type,
        [*three("x"), "y_scale", "y_zero"],
        ["y"],
        domain=DOMAIN,
        **UNARY[op_type] | {"channels_last": 1},
    )
    compare(node, {"x": integers(0, (2, 9, 8, 3), U8)}, operands(U8, 4, "x", "y"), U8)


def test_softmax_of_all_axes_behind_one() -> None:
    values = operands(U8, 0, "x", "y") | {"y_scale": scale(1 / 256)}
    inputs = [*three("x"), "y_scale", "y_zero"]
    node = helper.make_node("QLinearSoftmax", inputs, ["y"], domain=DOMAIN, axis=1, opset=11)
    compare(node, {"x": integers(0, (2, 3, 5), U8)}, values, U8)


@pytest.mark.parametrize("dtype", [U8, S8])
def test_concat(dtype: np.dtype) -> None:
    feeds = {"a": integers(0, (2, 3, 4), dtype), "b": integers(1, (2, 2, 4), dtype)}
    inputs = ["y_scale", "y_zero", *three("a"), *three("b")]
    node = helper.make_node("QLinearConcat", inputs, ["y"], domain=DOMAIN, axis=1)
    compare(node, feeds, operands(dtype, 9, "a", "b", "y"), dtype)


def test_where() -> None:
    feeds = {
        "c": np.random.default_rng(3).integers(0, 2, (2, 1, 4)).astype(bool),
        "a": integers(0, (2, 3, 4), U8),
        "b": integers(1, (3, 4), U8),
    }
    inputs = ["c", *three("a"), *three("b"), "y_scale", "y_zero"]
    node = helper.make_node("QLinearWhere", inputs, ["y"], domain=DOMAIN)
    compare(node, feeds, operands(U8, 9, "a", "b", "y"), U8)


@pytest.mark.parametrize("transposed", [0, 1])
@pytest.mark.parametrize("bias", [False, True])
def test_gemm(transposed: int, bias: bool) -> None:
    values = operands(U8, 100, "x", "w", "y") | {"y_scale": scale(2)}
    values["w"] = integers(1, (6, 8) if transposed else (8, 6), U8)
    values["b"] = np.arange(6, dtype=np.int32) * 1000
    inputs = [*three("x"), *three("w"), "b" if bias else "", "y_scale", "y_zero"]
    node = helper.make_node("QGemm", inputs, ["y"], domain=DOMAIN, transB=transposed)
    compare(node, {"x": integers(0, (3, 8), U8)}, values, U8)


@pytest.mark.parametrize("op_type", ["QuantizeLinear", "DequantizeLinear"])
def test_conversions(op_type: str) -> None:
    values = operands(S8, 9, "x", "y")
    quantizes = op_type == "QuantizeLinear"
    x = np.linspace(-5, 5, 60, dtype=np.float32).reshape(3, 4, 5)
    feeds = {"x": x if quantizes else integers(0, (3, 4, 5), S8)}
    node = helper.make_node(op_type, three("x"), ["y"], domain=DOMAIN)
    dtype = S8 if quantizes else np.dtype(np.float32)
    data = native.build([node], feeds, ["y"], values, dtype=dtype.type, domains={DOMAIN: 1})
    native.compare(data, feeds)


def test_reduce_mean() -> None:
    """onnxruntime knows its schema, and has no kernel."""
    values = operands(S8, 4, "x", "y")
    inputs = [*three("x"), "y_scale", "y_zero"]
    node = helper.make_node("QLinearReduceMean", inputs, ["y"], domain=DOMAIN, axes=[1], keepdims=0)
    x = integers(0, (2, 3, 9), S8)
    data = native.build([node], {"x": x}, ["y"], values, dtype=np.int8, domains={DOMAIN: 1})
    part = native.subgraph(data)
    (y,) = part.run({"x": x}).values()
    part.close()
    numbers = (x.astype(np.float32) - 4).mean(axis=1) * values["x_scale"] / values["y_scale"]
    assert np.abs(np.clip(np.rint(numbers) + 5, -128, 127) - y).max() <= 1


def test_conv_transpose() -> None:
    """onnxruntime has no kernel for it here: beside its float operator between conversions."""
    values = operands(U8, 100, "x", "w", "y") | {"y_scale": scale(4.1), "w_zero": np.uint8(128)}
    values |= {"w": integers(1, (4, 3, 2, 3), U8), "b": np.int32([900, -800, 7])}
    values["b_scale"] = values["x_scale"] * values["w_scale"]
    feeds = {"x": integers(0, (1, 4, 5, 6), U8)}
    names = [*three("x"), *three("w"), "y_scale", "y_zero", "b"]
    strides = {"strides": [2, 1]}
    node = helper.make_node("QLinearConvTranspose", names, ["y"], domain=DOMAIN, **strides)
    twin = [
        helper.make_node("DequantizeLinear", three("x"), ["xf"]),
        helper.make_node("DequantizeLinear", three("w"), ["wf"]),
        helper.make_node("DequantizeLinear", ["b", "b_scale"], ["bf"]),
        helper.make_node("ConvTranspose", ["xf", "wf", "bf"], ["yf"], **strides),
        helper.make_node("QuantizeLinear", ["yf", "y_scale", "y_zero"], ["y"]),
    ]
    (expected,) = native.run_native(native.build(twin, feeds, ["y"], values, dtype=np.uint8), feeds)
    data = native.build([node], feeds, ["y"], values, dtype=np.uint8, domains={DOMAIN: 1})
    part = native.subgraph(data)
    (y,) = part.run(feeds).values()
    part.close()
    assert np.abs(expected.astype(int) - y).max() <= 1


@pytest.mark.parametrize("per_column", [False, True])
@pytest.mark.parametrize("past", [False, True])
@pytest.mark.parametrize("causal", [0, 1])
def test_attention(per_column: bool, past: bool, causal: int) -> None:
    """Tolerance: sums of products of integers are exact, what is done with the floats they end in is rounded."""
    batch, rows, width, heads = 2, 5, 16, 4
    columns = 3 * width
    values = {
        "w": integers(1, (width, columns), S8),
        "b": np.random.default_rng(2).standard_normal(columns, np.float32),
        "x_scale": scale(0.0213),
        "x_zero": np.uint8(120),
        "w_scale": np.float32(np.linspace(0.003, 0.005, columns)) if per_column else scale(0.004),
        "w_zero": np.zeros(columns if per_column else (), np.int8),
    }
    feeds = {"x": integers(0, (batch, rows, width), U8)}
    inputs = ["x", "w", "b", "x_scale", "w_scale", "", "x_zero", "w_zero"]
    outputs = ["y"]
    if past:
        shape = (2, batch, heads, 3, width // heads)
        feeds["past"] = np.random.default_rng(3).standard_normal(shape, np.float32)
        inputs, outputs = [*inputs, "past"], ["y", "present"]
    attributes = {"num_heads": heads, "unidirectional": causal}
    node = helper.make_node("QAttention", inputs, outputs, domain=DOMAIN, **attributes)
    data = native.build([node], feeds, outputs, values, domains={DOMAIN: 1})
    native.compare(data, feeds, rtol=1e-5, atol=1e-5)
    part = native.subgraph(data)
    tasks = [task.split()[0] for task in native.tasks(part, feeds)]
    part.close()
    assert "MatMulInteger+Cast+Mul+Add" in tasks and "MatMul" not in tasks
