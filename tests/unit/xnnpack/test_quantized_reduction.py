"""Means between DequantizeLinear and QuantizeLinear, as native onnxruntime runs them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper

from tests.support import native

Arrays = dict[str, np.ndarray]
OPSET = 21


def model(feeds: Arrays, middle: list[Any], constants: Arrays, point: int, factor: float) -> bytes:
    dtype = feeds["x"].dtype
    points = {
        "x_zero": np.array(point, np.uint8).view(dtype),
        "y_zero": np.array(255 - point, np.uint8).view(dtype),
    }
    scales = {"x_scale": np.float32(0.0317), "y_scale": np.float32(0.0317 * factor)}
    nodes = [
        helper.make_node("DequantizeLinear", ["x", "x_scale", "x_zero"], ["a"]),
        *middle,
        helper.make_node("QuantizeLinear", ["b", "y_scale", "y_zero"], ["y"]),
    ]
    constants = constants | points | scales
    return native.build(nodes, feeds, ["y"], constants, dtype=dtype.type, opset=OPSET)


def integers(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    random = np.random.default_rng(sum(shape))
    return random.integers(0, 256, shape).astype(np.uint8).view(dtype)


@given(
    shape=st.lists(st.integers(1, 9), min_size=1, max_size=5),
    dtype=st.sampled_from([np.int8, np.uint8]),
    axes=st.sets(st.integers(0, 4), max_size=5),
    keepdims=st.integers(0, 1),
    point=st.integers(0, 255),
    factor=st.floats(0.0625, 2, width=32),
)
def test_reduce_mean(
    shape: list[int], dtype: Any, axes: set[int], keepdims: int, point: int, factor: float
) -> None:
    feeds = {"x": integers(tuple(shape), dtype)}
    chosen = np.array(sorted(axis for axis in axes if axis < len(shape)), np.int64)
    node = helper.make_node("ReduceMean", ["a", "axes"], ["b"], keepdims=keepdims)
    data = model(feeds, [node], {"axes": chosen}, point, factor * 1.01)
    native.compare_integers(data, feeds)


@pytest.mark.parametrize("shape", [(2, 70, 9, 8), (1, 16, 40, 31), (1, 3, 20, 20), (3, 200, 5)])
@pytest.mark.parametrize("point", [0, 128, 255])
def test_global_average_pool(shape: tuple[int, ...], point: int) -> None:
    feeds = {"x": integers(shape, np.int8)}
    node = helper.make_node("GlobalAveragePool", ["a"], ["b"])
    data = model(feeds, [node], {}, point, 0.1037)
    native.compare_integers(data, feeds)
    part = native.subgraph(data)
    assert len(native.tasks(part, feeds)) == 1
    part.close()


@pytest.mark.parametrize("channels", [3, 16, 70])
def test_as_it_lies(channels: int) -> None:
    """Behind a convolution channels are last."""
    feeds = {"x": integers((2, 5, 21, 19), np.int8)}
    random = np.random.default_rng(channels)
    constants = {
        "w": random.integers(-128, 128, (channels, 5, 1, 1)).astype(np.int8),
        "h_scale": np.float32(0.0737),
        "h_zero": np.int8(-11),
        "w_scale": np.float32(0.0117),
        "w_zero": np.int8(0),
    }
    middle = [
        helper.make_node("DequantizeLinear", ["w", "w_scale", "w_zero"], ["v"]),
        helper.make_node("Conv", ["a", "v"], ["c"]),
        helper.make_node("QuantizeLinear", ["c", "h_scale", "h_zero"], ["h"]),
        helper.make_node("DequantizeLinear", ["h", "h_scale", "h_zero"], ["d"]),
        helper.make_node("GlobalAveragePool", ["d"], ["b"]),
    ]
    data = model(feeds, middle, constants, 128, 0.237)
    native.compare_integers(data, feeds)


@pytest.mark.parametrize("rows", [255, 256, 70_000])
@pytest.mark.parametrize("value", [-128, 127])
def test_sums_of_extremes(rows: int, value: int) -> None:
    node = helper.make_node("ReduceMean", ["a", "axes"], ["b"])
    for shape, axis in (((2, rows, 17), 1), ((2, rows), 1)):
        feeds = {"x": np.full(shape, value, np.int8)}
        data = model(feeds, [node], {"axes": np.array([axis])}, 1, 1.37)
        native.compare_integers(data, feeds)
