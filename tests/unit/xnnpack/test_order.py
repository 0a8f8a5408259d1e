"""ArgMax, ArgMin, TopK, CumSum and CumProd against native onnxruntime, and against NumPy where it has no kernel.

Tolerance: places are exact, running sums of at most 64 numbers below 12 differ by a rounding each, 2e-5, of integers not at all.
"""

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from onnx import helper

from tests.support import native

DTYPES = [np.float32, np.float64, np.int32, np.int64]
OTHERS = [np.int8, np.uint8, np.int16, np.uint16, np.uint32, np.uint64]


def tensors(dtype, max_dims=5, max_side=9):
    """Few different numbers, so that many are equal."""
    return arrays.arrays(
        dtype,
        arrays.array_shapes(max_dims=max_dims, max_side=max_side),
        elements=st.integers(-6, 6),
    )


def run(node, x, constants=None, opset=17):
    """What the provider gives; of two outputs the second is places."""
    data = native.build([node], {"x": x}, list(node.output), constants, opset=opset, dtype=x.dtype)
    model = onnx.load_from_string(data)
    model.graph.output[-1].type.tensor_type.elem_type = onnx.TensorProto.INT64
    part = native.subgraph(model.SerializeToString())
    results = part.run({"x": x})
    part.close()
    return [results[name] for name in node.output]


@pytest.mark.parametrize("op_type", ["ArgMax", "ArgMin"])
@given(data=st.data())
def test_places(op_type, data):
    x = data.draw(tensors(np.float32))
    axis = data.draw(st.integers(-x.ndim, x.ndim - 1))
    attributes = {"axis": axis, "keepdims": data.draw(st.integers(0, 1))}
    opset = data.draw(st.sampled_from([7, 11, 13]))
    if opset > 11:
        attributes["select_last_index"] = data.draw(st.integers(0, 1))
    elif opset < 11:
        attributes["axis"] = axis % x.ndim
    node = helper.make_node(op_type, ["x"], ["y"], **attributes)
    native.compare(native.build([node], {"x": x}, ["y"], opset=opset, dtype=np.int64), {"x": x})


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("last", [0, 1])
@pytest.mark.parametrize("shape", [(3, 1000), (1000, 3), (2, 37, 700), (5, 7), (4, 17), (700, 22)])
@pytest.mark.parametrize("op_type", ["ArgMax", "ArgMin"])
def test_places_of_sizes(op_type, shape, last, dtype):
    x = np.random.default_rng(0).integers(-50, 50, shape).astype(dtype)
    node = helper.make_node(op_type, ["x"], ["y"], axis=1, keepdims=0, select_last_index=last)
    (result,) = run(node, x)
    best = np.argmax if op_type == "ArgMax" else np.argmin
    expected = shape[1] - 1 - best(np.flip(x, 1), axis=1) if last else best(x, axis=1)
    assert result.dtype == np.int64
    np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize("length", [3, 4, 11, 16, 37])
def test_places_beside_nan(length):
    """NaN is passed over but in the first place, where nothing is greater."""
    x = np.tile(np.arange(length, dtype=np.float32), (length, 1))
    np.fill_diagonal(x, np.nan)
    node = helper.make_node("ArgMax", ["x"], ["y"], axis=1, keepdims=0)
    (result,) = run(node, x)
    np.testing.assert_array_equal(result, [0, *[length - 1] * (length - 2), length - 2])


@pytest.mark.parametrize("largest", [0, 1])
@pytest.mark.parametrize("dtype", DTYPES)
@given(data=st.data())
def test_top_k(dtype, largest, data):
    x = data.draw(tensors(dtype))
    axis = data.draw(st.integers(-x.ndim, x.ndim - 1))
    k = {"k": np.array([data.draw(st.integers(1, x.shape[axis]))])}
    node = helper.make_node("TopK", ["x", "k"], ["v", "i"], axis=axis, largest=largest)
    values, places = run(node, x, k)
    order = np.argsort(-x if largest else x, axis=axis, kind="stable")
    expected = np.take(order, range(k["k"].item()), axis)
    np.testing.assert_array_equal(places, expected)
    np.testing.assert_array_equal(values, np.take_along_axis(x, expected, axis))
    assert values.dtype == dtype and places.dtype == np.int64


def test_top_k_of_many():
    x = np.random.default_rng(0).standard_normal((3, 20_000), np.float32)
    node = helper.make_node("TopK", ["x", "k"], ["v", "i"])
    values, places = run(node, x, {"k": np.array([500])})
    expected = np.argsort(-x, axis=1, kind="stable")[:, :500]
    np.testing.assert_array_equal(places, expected)
    np.testing.assert_array_equal(values, np.take_along_axis(x, expected, 1))


@pytest.mark.parametrize("largest", [0, 1])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rising", [False, True])
def test_top_k_of_equals(rising, largest, dtype):
    """Some vectors are looked at together: of none, of some and of all their elements some are before the worst so far."""
    x = np.random.default_rng(0).integers(-20, 20, (5, 333)).astype(dtype)
    x = np.sort(x, axis=1) if rising else x
    node = helper.make_node("TopK", ["x", "k"], ["v", "i"], largest=largest)
    values, places = run(node, x, {"k": np.array([7])})
    expected = np.argsort(-x if largest else x, axis=1, kind="stable")[:, :7]
    np.testing.assert_array_equal(places, expected)
    np.testing.assert_array_equal(values, np.take_along_axis(x, expected, 1))


def test_top_k_by_attribute():
    """Opset 1 to 9: k is an attribute, and the greatest are meant."""
    x = np.random.default_rng(0).standard_normal((3, 7), np.float32)
    node = helper.make_node("TopK", ["x"], ["v", "i"], k=2, axis=1)
    values, places = run(node, x, opset=9)
    np.testing.assert_array_equal(places, np.argsort(-x, axis=1)[:, :2])
    np.testing.assert_array_equal(values, -np.sort(-x, axis=1)[:, :2])


@pytest.mark.parametrize("dtype", DTYPES)
@given(data=st.data())
def test_running_sums(dtype, data):
    x = data.draw(tensors(dtype))
    axis = data.draw(st.integers(-x.ndim, x.ndim - 1))
    exclusive, reverse = data.draw(st.booleans()), data.draw(st.booleans())
    constants = {"axis": np.array(axis)}
    node = helper.make_node(
        "CumSum", ["x", "axis"], ["y"], exclusive=int(exclusive), reverse=int(reverse)
    )
    data = native.build([node], {"x": x}, ["y"], constants, dtype=dtype)
    native.compare(data, {"x": x}, atol=2e-5 if dtype == np.float32 else 0)


@pytest.mark.parametrize("shape", [(3, 1001), (2, 40, 700)])
def test_running_sums_of_sizes(shape):
    x = np.random.default_rng(0).integers(-50, 50, shape)
    for exclusive, reverse in [(0, 0), (1, 0), (0, 1), (1, 1)]:
        attributes = {"exclusive": exclusive, "reverse": reverse}
        node = helper.make_node("CumSum", ["x", "axis"], ["y"], **attributes)
        data = native.build([node], {"x": x}, ["y"], {"axis": np.array(1)}, dtype=np.int64)
        native.compare(data, {"x": x})


@pytest.mark.parametrize(
    "dtype", [np.float32, np.float64, np.int32, np.int64, np.uint32, np.uint64]
)
@pytest.mark.parametrize("op_type", ["CumProd", "CumSum"])
@pytest.mark.parametrize("shape", [(3, 11), (3, 16), (2, 7, 70)])
def test_running_by_reference(shape, op_type, dtype):
    """Tolerance: products of numbers around 1."""
    x = np.random.default_rng(0).integers(1, 4, shape).astype(dtype)
    if x.dtype.kind == "f":
        x = 1 + (x - 2) / 8
    for exclusive, reverse in [(0, 0), (1, 0), (0, 1), (1, 1)]:
        attributes = {"exclusive": exclusive, "reverse": reverse}
        node = helper.make_node(op_type, ["x", "axis"], ["y"], **attributes)
        data = native.build(
            [node], {"x": x}, ["y"], {"axis": np.array(1)}, opset=26, dtype=x.dtype.type
        )
        rtol = 1e-5 if dtype == np.float32 else 1e-13
        native.compare(data, {"x": x}, rtol=rtol if x.dtype.kind == "f" else 0, reference=True)


@pytest.mark.parametrize("dtype", OTHERS)
def test_of_other_integers(dtype):
    """Among them those whose highest bit counts."""
    info = np.iinfo(dtype)
    x = np.random.default_rng(0).integers(info.min, info.max, (5, 40), dtype, endpoint=True)
    for op_type, best in (("ArgMax", np.argmax), ("ArgMin", np.argmin)):
        (result,) = run(helper.make_node(op_type, ["x"], ["y"], axis=1, keepdims=0), x)
        np.testing.assert_array_equal(result, best(x, axis=1))
    for largest in (0, 1):
        node = helper.make_node("TopK", ["x", "k"], ["v", "i"], largest=largest)
        values, places = run(node, x, {"k": np.array([6])}, opset=24)
        expected = np.sort(x, axis=1)[:, ::-1][:, :6] if largest else np.sort(x, axis=1)[:, :6]
        np.testing.assert_array_equal(values, expected)
        np.testing.assert_array_equal(values, np.take_along_axis(x, places, 1))
        assert values.dtype == dtype


def test_of_nothing():
    x = np.ones((2, 0, 3), np.float32)
    node = helper.make_node("CumSum", ["x", "axis"], ["y"])
    native.compare(native.build([node], {"x": x}, ["y"], {"axis": np.array(0)}), {"x": x})
    node = helper.make_node("TopK", ["x", "k"], ["v", "i"], axis=1)
    values, places = run(node, x, {"k": np.array([0])})
    assert values.shape == places.shape == x.shape
