"""Cast against native onnxruntime: exact, what doesn't fit included."""

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from onnx import helper

from tests.support import native

TYPES = [
    "bool",
    "uint8",
    "int8",
    "int16",
    "uint16",
    "int32",
    "uint32",
    "int64",
    "uint64",
    "float32",
    "float64",
]
RANDOM = np.random.default_rng(11)


def cast(x, dtype, opset=18):
    to = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    node = helper.make_node("Cast", ["x"], ["y"], to=to)
    native.compare(native.build([node], {"x": x}, ["y"], dtype=dtype, opset=opset), {"x": x})


@pytest.mark.parametrize("source", TYPES)
@pytest.mark.parametrize("target", TYPES)
def test_cast(source, target):
    """Numbers that fit the target, and integers that wrap."""
    if {source, target} <= {"uint64", source} and "float" in target + source:
        pytest.skip("see test_uint64")
    x = RANDOM.integers(0 if "u" in source + target else -120, 120, 5000)
    if "float" in source:
        x = x + np.where(x > 0, 0.75, -0.25)
    elif (
        source not in ("bool", "float32", "float64") and "float" not in target and target != "bool"
    ):
        x = RANDOM.integers(-(2**63), 2**63 - 1, 5000)
    cast(x.astype(source), target)


def test_uint64():
    """As long as int64 holds it."""
    cast(np.array([0, 3, 2**40], np.uint64), np.float32)
    cast(np.array([0.0, 3.9, 2.0**40], np.float32), np.uint64)


@pytest.mark.parametrize("target", ["uint8", "int8", "int16", "uint16", "int32", "int64", "bool"])
@pytest.mark.parametrize("source", [np.float32, np.float64])
def test_floats_that_do_not_fit(source, target):
    special = [
        np.nan,
        np.inf,
        -np.inf,
        3e9,
        -3e9,
        1e20,
        -1e20,
        300.7,
        -300.7,
        -1.5,
        65536.3,
        2.0**31,
        -(2.0**31),
    ]
    if source is np.float64 and target not in ("int32", "int64", "bool"):
        special = special[7:11]  # onnxruntime's vectors and its rest differ
    cast(np.array(special, source), target)


@given(x=arrays.arrays(np.int64, st.integers(1, 40), elements=st.integers(-(2**63), 2**63 - 1)))
def test_int64_is_rounded_once(x):
    cast(x, np.float32)


@given(x=arrays.arrays(np.float32, st.integers(1, 40), elements=st.floats(width=32)))
def test_float32_to_int32(x):
    cast(x, np.int32)


@pytest.mark.parametrize("opset", [7, 9, 13, 19, 24])
def test_opsets(opset):
    cast(np.array([[1, 0], [-1, 2**40]]), np.bool_, opset)


def test_to_the_same_type_moves_nothing():
    x = np.arange(3)
    nodes = [
        helper.make_node("Add", ["x", "x"], ["h"]),
        helper.make_node("Cast", ["h"], ["y"], to=helper.np_dtype_to_tensor_dtype(x.dtype)),
    ]
    part = native.subgraph(native.build(nodes, {"x": x}, ["y"], dtype=np.int64))
    assert len(native.tasks(part, {"x": x})) == 1
    part.close()


def test_cast_like():
    x, like = np.array([1.5, -2.5], np.float32), np.zeros(3, np.int32)
    node = helper.make_node("CastLike", ["x", "like"], ["y"])
    feeds = {"x": x, "like": like}
    native.compare(native.build([node], feeds, ["y"], dtype=np.int32), feeds)


def test_refusals():
    x = np.ones(3, np.float32)
    node = helper.make_node("Cast", ["x"], ["y"], to=onnx.TensorProto.STRING)
    data = native.build([node], {"x": x}, ["y"], dtype=np.str_)
    assert native.refusal(data) == "no kernel makes object"
    node = helper.make_node("CastLike", ["x", "like"], ["y"])
    data = native.build([node], {"x": x, "like": np.array(["a"])}, ["y"], dtype=np.str_)
    assert native.refusal(data) == "no kernel makes object"
