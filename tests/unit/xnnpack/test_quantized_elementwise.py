"""Elementwise operators between DequantizeLinear and QuantizeLinear, as native onnxruntime runs them.

Scales are no round numbers, so that half way between two integers is rare.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from onnx import helper

from tests.support import native

OPSET = 21
DTYPES = [np.int8, np.uint8]
Arrays = dict[str, np.ndarray]

scales = st.floats(1 / 256, 1 / 8, width=32)
points = st.integers(0, 255)


def every(dtype: type, shape: tuple[int, ...] = (256,)) -> np.ndarray:
    """Integers of all values, in no order."""
    count = int(np.prod(shape))
    found = np.random.default_rng(count).permutation(max(256, count))[:count]
    return found.astype(np.uint8).view(dtype).reshape(shape)


def parameters(name: str, scale: float, point: int, dtype: type) -> Arrays:
    zero = np.array(point, np.uint8) if dtype is np.uint8 else np.array(point - 128, dtype)
    return {f"{name}_scale": np.float32(scale), f"{name}_zero": zero}


def dequantize(x: str, y: str, parameters: str | None = None) -> onnx.NodeProto:
    name = parameters or x
    return helper.make_node("DequantizeLinear", [x, f"{name}_scale", f"{name}_zero"], [y])


def quantize(x: str, y: str) -> onnx.NodeProto:
    return helper.make_node("QuantizeLinear", [x, f"{y}_scale", f"{y}_zero"], [y])


def model(
    nodes: list[onnx.NodeProto], feeds: Arrays, constants: Arrays, dtype: type, **kwargs: Any
) -> bytes:
    return native.build(nodes, feeds, ["y"], constants, dtype=dtype, opset=OPSET, **kwargs)


def kinds(data: bytes, feeds: Arrays) -> list[str]:
    """What the steps of a run do."""
    part = native.subgraph(data)
    found = [task.split()[0] for task in native.tasks(part, feeds)]
    part.close()
    return found


CHAINS: dict[str, list[onnx.NodeProto]] = {
    "Sigmoid": [helper.make_node("Sigmoid", ["a"], ["b"])],
    "HardSwish": [helper.make_node("HardSwish", ["a"], ["b"])],
    "HardSigmoid": [helper.make_node("HardSigmoid", ["a"], ["b"], alpha=0.3, beta=0.4)],
    "Tanh": [helper.make_node("Tanh", ["a"], ["b"])],
    "LeakyRelu": [helper.make_node("LeakyRelu", ["a"], ["b"], alpha=0.07)],
    "Elu": [helper.make_node("Elu", ["a"], ["b"], alpha=1.3)],
    "Gelu": [helper.make_node("Gelu", ["a"], ["b"])],
    "Softplus": [helper.make_node("Softplus", ["a"], ["b"])],
    "Erf": [helper.make_node("Erf", ["a"], ["b"])],
    "Exp": [helper.make_node("Exp", ["a"], ["b"])],
    "Sqrt": [helper.make_node("Abs", ["a"], ["c"]), helper.make_node("Sqrt", ["c"], ["b"])],
    "Neg": [helper.make_node("Neg", ["a"], ["b"])],
    "Clip": [helper.make_node("Clip", ["a", "number"], ["b"])],
    "Relu": [helper.make_node("Relu", ["a"], ["b"])],
    "Pow": [helper.make_node("Pow", ["a", "two"], ["b"])],
    "Mul": [helper.make_node("Mul", ["a", "number"], ["b"])],
    "Sub": [helper.make_node("Sub", ["number", "a"], ["b"])],
    "Div": [helper.make_node("Div", ["a", "two"], ["b"])],
    "Swish": [
        helper.make_node("Sigmoid", ["a"], ["c"]),
        helper.make_node("Mul", ["a", "c"], ["b"]),
    ],
    "Mish": [
        helper.make_node("Softplus", ["a"], ["c"]),
        helper.make_node("Tanh", ["c"], ["d"]),
        helper.make_node("Mul", ["a", "d"], ["b"]),
    ],
    "Where": [
        helper.make_node("Greater", ["a", "number"], ["c"]),
        helper.make_node("Where", ["c", "a", "two"], ["b"]),
    ],
    "nothing": [helper.make_node("Identity", ["a"], ["b"])],
}
CONSTANTS = {"number": np.float32(0.37), "two": np.float32(2)}


@pytest.mark.parametrize("name", CHAINS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("point", [128, 31])
def test_functions_are_looked_up(name: str, dtype: type, point: int) -> None:
    feeds = {"x": every(dtype, (2, 3, 9, 5))}
    constants = (
        CONSTANTS | parameters("x", 0.0317, point, dtype) | parameters("y", 0.0171, 77, dtype)
    )
    nodes = [dequantize("x", "a"), *CHAINS[name], quantize("b", "y")]
    data = model(nodes, feeds, constants, dtype)
    native.compare_integers(data, feeds)
    (step,) = kinds(data, feeds)
    assert step.startswith("DequantizeLinear") and step.endswith("QuantizeLinear")


def test_what_quantizers_make_of_swish_is_one_table() -> None:
    """The sigmoid is quantized before it is multiplied."""
    feeds = {"x": every(np.uint8, (4, 64))}
    constants = (
        parameters("x", 0.0317, 100, np.uint8)
        | parameters("s", 1 / 255, 0, np.uint8)
        | parameters("y", 0.0171, 20, np.uint8)
    )
    nodes = [
        dequantize("x", "a"),
        helper.make_node("Sigmoid", ["a"], ["b"]),
        quantize("b", "s"),
        dequantize("s", "c"),
        helper.make_node("Mul", ["a", "c"], ["d"]),
        quantize("d", "y"),
    ]
    data = model(nodes, feeds, constants, np.uint8)
    native.compare_integers(data, feeds)
    assert len(kinds(data, feeds)) == 1


def test_floats_beside_integers() -> None:
    """Others may want the floats on the way."""
    feeds = {"x": every(np.int8)}
    constants = parameters("x", 0.0317, 100, np.int8) | parameters("y", 0.0171, 20, np.int8)
    nodes = [
        dequantize("x", "a"),
        helper.make_node("Sigmoid", ["a"], ["b"]),
        quantize("b", "y"),
        helper.make_node("Softmax", ["b"], ["z"]),
    ]
    data = native.build(nodes, feeds, ["z"], constants, opset=OPSET)
    native.compare(data, feeds, rtol=1e-5)
    data = model(nodes, feeds, constants, np.int8)
    native.compare_integers(data, feeds)


def test_numbers_of_higher_rank_are_no_table() -> None:
    feeds = {"x": every(np.int8)}
    constants = parameters("x", 0.0317, 100, np.int8) | parameters("y", 0.0171, 20, np.int8)
    nodes = [
        dequantize("x", "a"),
        helper.make_node("Mul", ["a", "n"], ["b"]),
        quantize("b", "y"),
    ]
    data = model(nodes, feeds, constants | {"n": np.full((1, 1), 0.7, np.float32)}, np.int8)
    native.compare_integers(data, feeds)
    assert len(kinds(data, feeds)) == 3


@given(
    op_type=st.sampled_from(["Add", "Sub", "Mul"]),
    shapes=arrays.mutually_broadcastable_shapes(num_shapes=2, max_dims=4, max_side=20),
    dtype=st.sampled_from(DTYPES),
    scales=st.tuples(scales, scales, scales),
    points=st.tuples(points, points, points),
    is_constant=st.booleans(),
    activation=st.sampled_from(["", "Relu", "Clip"]),
)
def test_two_tensors(
    op_type: str,
    shapes: Any,
    dtype: type,
    scales: Any,
    points: Any,
    is_constant: bool,
    activation: str,
) -> None:
    shape_a, shape_b = shapes.input_shapes
    a, b = (
        {"a": every(dtype, shape_a)},
        {"b": every(dtype, shape_b)[..., ::-1] if shape_b else every(dtype, shape_b)},
    )
    constants = dict(CONSTANTS)
    for name, scale, point in zip("aby", scales, points, strict=True):
        constants |= parameters(name, scale, point, dtype)
    nodes = [
        dequantize("a", "c"),
        dequantize("b", "d"),
        helper.make_node(op_type, ["c", "d"], ["e"]),
        *([helper.make_node(activation, ["e"], ["f"])] if activation == "Relu" else []),
        *([helper.make_node("Clip", ["e", "", "number"], ["f"])] if activation == "Clip" else []),
        quantize("f" if activation else "e", "y"),
    ]
    feeds, constants = (a, constants | b) if is_constant else (a | b, constants)
    native.compare_integers(model(nodes, feeds, constants, dtype), feeds, rare=2e-3)


def test_two_tensors_are_one_step() -> None:
    """With what bounds the sum; uint8 comes in and leaves by a table."""
    feeds = {"a": every(np.int8, (2, 8, 5, 5)), "b": every(np.int8, (2, 8, 1, 1))}
    constants = {
        **parameters("a", 0.0317, 100, np.int8),
        **parameters("b", 0.0217, 30, np.int8),
        **parameters("y", 0.0417, 128, np.int8),
    }
    nodes = [
        dequantize("a", "c"),
        dequantize("b", "d"),
        helper.make_node("Add", ["c", "d"], ["e"]),
        helper.make_node("Relu", ["e"], ["f"]),
        quantize("f", "y"),
    ]
    data = model(nodes, feeds, constants, np.int8)
    native.compare_integers(data, feeds)
    assert kinds(data, feeds) == ["Add+Relu+QuantizeLinear"]


@pytest.mark.parametrize(("op_type", "scale"), [("Add", 20.0), ("Mul", 3.0)])
def test_scales_too_far_apart_run_on_floats(op_type: str, scale: float) -> None:
    feeds = {"a": every(np.int8), "b": every(np.int8)}
    constants = {
        **parameters("a", scale, 128, np.int8),
        **parameters("b", scale, 128, np.int8),
        **parameters("y", 0.07, 128, np.int8),
    }
    nodes = [
        dequantize("a", "c"),
        dequantize("b", "d"),
        helper.make_node(op_type, ["c", "d"], ["e"]),
        quantize("e", "y"),
    ]
    data = model(nodes, feeds, constants, np.int8)
    native.compare_integers(data, feeds)
    assert len(kinds(data, feeds)) == 4
