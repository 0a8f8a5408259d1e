"""Operators that move or choose elements, between DequantizeLinear and QuantizeLinear, as native onnxruntime runs them: on bytes.

Choices are made among numbers that were quantized before, which is the same, as quantizing keeps their order.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx import NodeProto, TensorProto, helper

from tests.support import native
from tests.unit.xnnpack.test_quantized_elementwise import (
    Arrays,
    dequantize,
    every,
    kinds,
    parameters,
    quantize,
)
from tests.unit.xnnpack.test_quantized_elementwise import model as model_of

DTYPES = (np.int8, np.uint8)
LOOKUP = "DequantizeLinear+QuantizeLinear"


def check(nodes: list[NodeProto], feeds: Arrays, constants: Arrays, steps: list[str]) -> None:
    data = model_of(nodes, feeds, constants, feeds["x"].dtype.type)
    native.compare_integers(data, feeds)
    assert kinds(data, feeds) == steps


def three(dtype: type, *, alike: bool) -> Arrays:
    """The parameters of x, z and y."""
    if alike:
        return {
            name: array
            for each in "xzy"
            for name, array in parameters(each, 0.0317, 77, dtype).items()
        }
    return (
        parameters("x", 0.0317, 77, dtype)
        | parameters("z", 0.0213, 140, dtype)
        | parameters("y", 0.0291, 120, dtype)
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(3, 5, 7), (5, 1), (1,)])
@pytest.mark.parametrize("op_type", ["Max", "Min"])
def test_extremes(op_type: str, shape: tuple[int, ...], dtype: type) -> None:
    feeds = {"x": every(dtype, (3, 5, 7)), "z": every(dtype, (*shape,))}
    nodes = [
        dequantize("x", "a"),
        dequantize("z", "c"),
        helper.make_node(op_type, ["a", "c"], ["b"]),
        quantize("b", "y"),
    ]
    check(nodes, feeds, three(dtype, alike=True), [op_type])
    check(nodes, feeds, three(dtype, alike=False), [LOOKUP, LOOKUP, op_type])


@pytest.mark.parametrize("dtype", DTYPES)
def test_three_and_a_constant(dtype: type) -> None:
    feeds = {name: every(dtype, (4, 9))[:, ::step] for name, step in (("x", 1), ("z", -1))}
    nodes = [
        dequantize("x", "a"),
        dequantize("z", "c"),
        helper.make_node("Max", ["a", "c", "k"], ["b"]),
        quantize("b", "y"),
    ]
    constants = three(dtype, alike=True) | {"k": np.linspace(-1, 1, 9, dtype=np.float32)}
    check(nodes, feeds, constants, ["Max", "Max"])


@pytest.mark.parametrize("dtype", DTYPES)
def test_where(dtype: type) -> None:
    feeds = {
        "x": every(dtype, (3, 5, 7)),
        "z": every(dtype, (5, 1)),
        "m": np.arange(35).reshape(5, 7) % 3 == 0,
    }
    nodes = [
        dequantize("x", "a"),
        dequantize("z", "c"),
        helper.make_node("Where", ["m", "a", "c"], ["b"]),
        quantize("b", "y"),
    ]
    check(nodes, feeds, three(dtype, alike=True), ["Where"])
    check(nodes, feeds, three(dtype, alike=False), [LOOKUP, LOOKUP, "Where"])


@pytest.mark.parametrize("op_type", ["Max", "Min"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_extremes_of_bytes_themselves(op_type: str, dtype: type) -> None:
    feeds = {"x": every(dtype, (16, 16)), "z": every(dtype, (16, 1))}
    node = helper.make_node(op_type, ["x", "z"], ["y"])
    data = native.build([node], feeds, ["y"], dtype=dtype)
    native.compare(data, feeds)
    assert kinds(data, feeds) == [op_type]


def test_choices_of_one_tensor_are_looked_up() -> None:
    nodes = [
        dequantize("x", "a"),
        helper.make_node("Sigmoid", ["a"], ["c"]),
        helper.make_node("Max", ["a", "c"], ["b"]),
        quantize("b", "y"),
    ]
    data = model_of(nodes, {"x": every(np.int8)}, three(np.int8, alike=False), np.int8)
    native.compare_integers(data, {"x": every(np.int8)})
    assert len(kinds(data, {"x": every(np.int8)})) == 1


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("alike", [False, True])
@pytest.mark.parametrize("value", [np.float32(0.5), None, "quantized"])
def test_pad(dtype: type, alike: bool, value: Any) -> None:
    """With a number for which an integer stands, or not."""
    feeds = {"x": every(dtype, (3, 5, 7))}
    constants = three(dtype, alike=alike) | {"pads": np.array([0, 1, 2, 0, 0, 1])}
    inputs, nodes = ["a", "pads"], [dequantize("x", "a")]
    if value == "quantized":
        constants |= {"k": np.array(99, np.uint8).view(dtype)}
        nodes.append(dequantize("k", "v", "x"))
        inputs.append("v")
    elif value is not None:
        constants |= {"v": value}
        inputs.append("v")
    nodes += [helper.make_node("Pad", inputs, ["b"]), quantize("b", "y")]
    check(nodes, feeds, constants, ["Pad"] if alike else [LOOKUP, "Pad"])


@pytest.mark.parametrize("mode", ["reflect", "edge"])
def test_pad_by_what_is_there(mode: str) -> None:
    nodes = [
        dequantize("x", "a"),
        helper.make_node("Pad", ["a", "pads"], ["b"], mode=mode),
        quantize("b", "y"),
    ]
    constants = three(np.int8, alike=True) | {"pads": np.array([0, 1, 2, 0, 0, 1])}
    check(nodes, {"x": every(np.int8, (3, 5, 7))}, constants, ["Pad"])


def moved_weights(moves: list[NodeProto], w: np.ndarray, **constants: np.ndarray) -> Arrays:
    """A product with weights that are moved behind their DequantizeLinear, scales along their first axis; its model must fit."""
    random = np.random.default_rng(0)
    feeds = {"x": every(np.int8, (5, 24))}
    known = (
        parameters("x", 0.0317, 77, np.int8)
        | parameters("y", 0.91, 120, np.int8)
        | {"w": w, "w_scale": random.uniform(0.002, 0.01, len(w)).astype(np.float32)}
        | {"w_zero": np.zeros(len(w), np.int8)}
        | constants
    )
    nodes = [
        dequantize("x", "a"),
        helper.make_node("DequantizeLinear", ["w", "w_scale", "w_zero"], ["w_d"], axis=0),
        *moves,
        helper.make_node("MatMul", ["a", "m"], ["b"]),
        quantize("b", "y"),
    ]
    check(nodes, feeds, known, ["MatMul+QuantizeLinear"])
    return feeds


def test_scales_go_along_with_moved_weights() -> None:
    w = every(np.int8, (17, 24))
    transpose = helper.make_node("Transpose", ["w_d"], ["m"], perm=[1, 0])
    moved_weights([transpose], w)
    parts = [
        helper.make_node("Reshape", ["w_d", "shape"], ["r"]),
        helper.make_node("Squeeze", ["r", "axis"], ["s"]),
        helper.make_node("Transpose", ["s"], ["m"], perm=[1, 0]),
    ]
    moved_weights(parts, w.reshape(17, 4, 6), shape=np.array([1, 17, 24]), axis=np.array([0]))


@pytest.mark.parametrize("type", [TensorProto.INT4, TensorProto.UINT4])
@pytest.mark.parametrize("per_column", [False, True])
@pytest.mark.parametrize("has_zeros", [False, True])
def test_weights_of_4_bits(type: int, per_column: bool, has_zeros: bool) -> None:
    """They multiply bytes as bytes."""
    random = np.random.default_rng(3)
    dtype = helper.tensor_dtype_to_np_dtype(type)
    low, high = (-8, 8) if type == TensorProto.INT4 else (0, 16)
    shape = (17,) if per_column else ()
    names = ["w", "w_scale", *["w_zero"] * has_zeros]
    constants = (
        parameters("x", 0.0317, 77, np.int8)
        | parameters("y", 0.0191, 120, np.int8)
        | {"w": random.integers(low, high, (48, 17)).astype(dtype)}
        | {"w_scale": random.uniform(0.002, 0.01, shape).astype(np.float32)}
        | {"w_zero": random.integers(low, high, shape).astype(dtype)}
    )
    nodes = [
        dequantize("x", "a"),
        helper.make_node("DequantizeLinear", names, ["m"]),
        helper.make_node("MatMul", ["a", "m"], ["b"]),
        quantize("b", "y"),
    ]
    check(nodes, {"x": every(np.int8, (5, 48))}, constants, ["MatMul+QuantizeLinear"])


@pytest.mark.parametrize("op_type", ["Relu", "Clip"])
def test_bounds_in_front_of_an_output_of_uint8(op_type: str) -> None:
    """The group before them runs on int8, as it does without them."""
    random = np.random.default_rng(0)
    constants = (
        parameters("x", 0.0317, 77, np.uint8)
        | parameters("y", 0.0191, 20, np.uint8)
        | parameters("w", 0.0071, 128, np.int8)
        | {"w": every(np.int8, (24, 17)), "low": np.float32(-0.1)}
    )
    nodes = [
        dequantize("x", "a"),
        dequantize("w", "m"),
        helper.make_node("MatMul", ["a", "m"], ["c"]),
        helper.make_node(op_type, ["c", *["low"] * (op_type == "Clip")], ["b"]),
        quantize("b", "y"),
    ]
    feeds = {"x": random.integers(0, 256, (5, 24)).astype(np.uint8)}
    check(nodes, feeds, constants, [LOOKUP, f"MatMul+{op_type}+QuantizeLinear", LOOKUP])
