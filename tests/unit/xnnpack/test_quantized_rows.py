"""Softmax, normalization and means of windows between DequantizeLinear and QuantizeLinear, as native onnxruntime runs them.

Native onnxruntime runs Softmax and AveragePool on integers, the others as floats. An element that lies half way between two
integers may be one off, as sums are rounded in another order.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import NodeProto, helper

from tests.support import native

OPSET = 21
TYPES = (np.int8, np.uint8)
POINTS = st.integers(0, 255)


def model(
    x: np.ndarray,
    node: NodeProto,
    scales: tuple[float, float],
    points: tuple[int, int],
    constants: dict[str, np.ndarray] | None = None,
    opset: int = OPSET,
) -> bytes:
    """A node between integers `x` and `y`, its first input and its output "a" and "b"; zero points are given as bytes."""
    both = zip("xy", scales, points, strict=True)
    known = dict(constants or {})
    for name, scale, point in both:
        known[f"{name}_scale"] = np.asarray(scale, np.float32)
        known[f"{name}_zero"] = np.array(point, np.uint8).view(x.dtype)
    nodes = [
        helper.make_node("DequantizeLinear", ["x", "x_scale", "x_zero"], ["a"]),
        node,
        helper.make_node("QuantizeLinear", ["b", "y_scale", "y_zero"], ["y"]),
    ]
    return native.build(nodes, {"x": x}, ["y"], known, dtype=x.dtype.type, opset=opset)


def check(data: bytes, x: np.ndarray) -> None:
    """As native onnxruntime does, and on integers."""
    native.compare_integers(data, {"x": x})
    assert runs_on_integers(data, x)


def runs_on_integers(data: bytes, x: np.ndarray) -> bool:
    """Whether a step is more than the model's node."""
    part = native.subgraph(data)
    tasks = native.tasks(part, {"x": x})
    part.close()
    return any(re.match(r"(?!Dequantize)\w+\+QuantizeLinear ", task) for task in tasks)


def integers(shape: tuple[int, ...], dtype: Any, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng((seed, *shape))
    return random.integers(0, 256, shape).astype(np.uint8).view(dtype)


@given(
    shape=st.lists(st.integers(1, 40), min_size=1, max_size=3),
    axis=st.integers(-3, 2),
    dtype=st.sampled_from(TYPES),
    scale=st.floats(0.0009765625, 0.5, width=32),
    point=POINTS,
)
def test_softmax(shape: list[int], axis: int, dtype: Any, scale: float, point: int) -> None:
    x = integers(tuple(shape), dtype)
    axis = max(min(axis, len(shape) - 1), -len(shape))
    node = helper.make_node("Softmax", ["a"], ["b"], axis=axis)
    zero = 0 if dtype == np.uint8 else 0x80
    check(model(x, node, (scale, 1 / 256), (point, zero)), x)


@given(
    shape=st.lists(st.integers(1, 40), min_size=1, max_size=3),
    dtype=st.sampled_from(TYPES),
    scale=st.floats(0.0009765625, 0.5, width=32),
    points=st.tuples(POINTS, POINTS),
)
def test_log_softmax(shape: list[int], dtype: Any, scale: float, points: tuple[int, int]) -> None:
    x = integers(tuple(shape), dtype)
    node = helper.make_node("LogSoftmax", ["a"], ["b"])
    check(model(x, node, (scale, 0.0713), points), x)


@pytest.mark.parametrize("length", [1, 15, 16, 17, 1000, 4099])
@pytest.mark.parametrize("op_type", ["Softmax", "LogSoftmax"])
def test_long_rows(op_type: str, length: int) -> None:
    x = integers((3, length), np.uint8)
    node = helper.make_node(op_type, ["a"], ["b"])
    scale = 1 / 256 if op_type == "Softmax" else 0.1
    check(model(x, node, (0.11, scale), (7, 0 if op_type == "Softmax" else 255)), x)


@given(
    shape=st.lists(st.integers(2, 40), min_size=1, max_size=3),
    axis=st.integers(-3, -1),
    dtype=st.sampled_from(TYPES),
    points=st.tuples(POINTS, POINTS),
    has_bias=st.booleans(),
    scale=st.floats(0.0009765625, 0.5, width=32),
)
def test_layer_normalization(
    shape: list[int],
    axis: int,
    dtype: Any,
    points: tuple[int, int],
    has_bias: bool,
    scale: float,
) -> None:
    x = integers(tuple(shape), dtype)
    axis = max(axis, -len(shape))
    random = np.random.default_rng(points)
    row = shape[axis:]
    constants = {"g": random.standard_normal(row, np.float32)}
    inputs = ["a", "g"]
    if has_bias:
        constants["h"] = random.standard_normal(row, np.float32)
        inputs.append("h")
    node = helper.make_node("LayerNormalization", inputs, ["b"], axis=axis)
    check(model(x, node, (scale, 0.0317), points, constants), x)


@given(
    shape=st.lists(st.integers(2, 40), min_size=1, max_size=3),
    axis=st.integers(-3, -1),
    dtype=st.sampled_from(TYPES),
    points=st.tuples(POINTS, POINTS),
    scale=st.floats(0.0009765625, 0.5, width=32),
)
def test_rms_normalization(
    shape: list[int], axis: int, dtype: Any, points: tuple[int, int], scale: float
) -> None:
    x = integers(tuple(shape), dtype)
    axis = max(axis, -len(shape))
    random = np.random.default_rng(points)
    constants = {"g": random.standard_normal(shape[axis:], np.float32)}
    node = helper.make_node("RMSNormalization", ["a", "g"], ["b"], axis=axis)
    check(model(x, node, (scale, 0.0317), points, constants, opset=23), x)


def test_rows_of_one_number() -> None:
    """Without epsilon there would be nothing to divide by."""
    x = np.full((5, 33), 77, np.uint8)
    node = helper.make_node("LayerNormalization", ["a", "g", "h"], ["b"])
    constants = {"g": np.ones(33, np.float32), "h": np.linspace(-1, 1, 33, dtype=np.float32)}
    check(model(x, node, (0.013, 0.0117), (9, 111), constants), x)


@given(
    spatial=st.lists(st.integers(3, 12), min_size=1, max_size=3),
    channels=st.integers(1, 40),
    kernel=st.integers(1, 3),
    stride=st.integers(1, 3),
    pads=st.tuples(st.integers(0, 1), st.integers(0, 1)),
    flags=st.tuples(st.integers(0, 1), st.integers(0, 1)),
    dtype=st.sampled_from(TYPES),
    points=st.tuples(POINTS, POINTS),
    factor=st.floats(0.25, 2, width=32),
)
def test_average_pool(
    spatial: list[int],
    channels: int,
    kernel: int,
    stride: int,
    pads: tuple[int, int],
    flags: tuple[int, int],
    dtype: Any,
    points: tuple[int, int],
    factor: float,
) -> None:
    x, rank = integers((2, channels, *spatial), dtype), len(spatial)
    before, after = (min(pad, kernel - 1) for pad in pads)
    node = helper.make_node(
        "AveragePool",
        ["a"],
        ["b"],
        kernel_shape=[kernel] * rank,
        strides=[stride] * rank,
        pads=[before] * rank + [after] * rank,
        ceil_mode=flags[0],
        count_include_pad=flags[1],
    )
    check(model(x, node, (0.0317, 0.0317 * 1.013 * factor), points), x)


@pytest.mark.parametrize("channels", [8, 16, 24, 33])
@pytest.mark.parametrize("window", [(16, 16), (17, 17), (2, 300), (1, 520)])
def test_large_windows(channels: int, window: tuple[int, int]) -> None:
    """Of the farthest bytes, whose sums have 16 bits up to 256 of them."""
    x = np.full((1, channels, window[0] + 1, window[1] + 2), -128, np.int8)
    x[:, channels // 2] = 127
    node = helper.make_node("AveragePool", ["a"], ["b"], kernel_shape=window)
    check(model(x, node, (0.03, 0.031), (11, 17)), x)
