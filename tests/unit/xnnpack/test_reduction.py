"""The Reduce operators against native onnxruntime.

Tolerances: a sum in another order differs by some units in the last place of the magnitudes that were added: of at most 4096
values around 1, 1e-5 for means, 3e-4 for sums; of positive numbers 4e-6 relative. Products of as many normal numbers: one
rounding each. Integers, greatest and least are exact.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from onnx import helper

from tests.support import native


@st.composite
def reductions(draw, op_type):
    shape = draw(arrays.array_shapes(min_dims=1, max_dims=8, max_side=4))
    rank = len(shape)
    axes = draw(st.none() | st.sets(st.integers(0, rank - 1)))
    x = np.random.default_rng(draw(st.integers(0, 9))).standard_normal(shape, np.float32)
    opset = draw(st.sampled_from([7, 13, 18, 25]))
    attributes = {"keepdims": draw(st.integers(0, 1))}
    constants = {}
    if axes is not None:
        axes = [axis - rank if draw(st.booleans()) and opset > 10 else axis for axis in axes]
    if opset < (13 if op_type == "ReduceSum" else 18):
        if axes:
            attributes["axes"] = axes
    else:
        attributes["noop_with_empty_axes"] = draw(st.integers(0, 1))
        if axes is not None:
            constants["axes"] = np.array(axes, np.int64)
    node = helper.make_node(op_type, ["x", *constants], ["y"], **attributes)
    dynamic = draw(st.booleans())
    return native.build([node], {"x": x}, ["y"], constants, opset=opset, dynamic=dynamic), {"x": x}


@pytest.mark.parametrize(
    ("op_type", "rtol", "atol"),
    [
        ("ReduceMean", 0, 1e-5),
        ("ReduceSum", 0, 3e-4),
        ("ReduceProd", 2e-4, 1e-35),
        ("ReduceMax", 0, 0),
        ("ReduceMin", 0, 0),
        ("ReduceLogSumExp", 1e-6, 2e-6),
    ],
)
@given(data=st.data())
def test_reductions(op_type, rtol, atol, data):
    native.compare(*data.draw(reductions(op_type)), rtol=rtol, atol=atol)


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
@pytest.mark.parametrize("op_type", ["Max", "Mean", "Min", "Prod", "Sum", "L1", "SumSquare"])
@given(data=st.data())
def test_of_integers(op_type, dtype, data):
    """Against NumPy where onnxruntime has no kernel. Means are cut towards zero."""
    shape = data.draw(arrays.array_shapes(max_dims=4, max_side=5))
    x = data.draw(arrays.arrays(dtype, shape, elements=st.integers(-20, 20)))
    axes = data.draw(st.sets(st.integers(0, len(shape) - 1), min_size=1))
    node = helper.make_node(f"Reduce{op_type}", ["x", "axes"], ["y"])
    constants = {"axes": np.array(sorted(axes))}
    part = native.subgraph(native.build([node], {"x": x}, ["y"], constants, opset=20, dtype=dtype))
    (result,) = part.run({"x": x}).values()
    part.close()
    of = {"axis": tuple(axes), "keepdims": True}
    expected = {
        "Max": lambda: x.max(**of),
        "Mean": lambda: np.trunc(x.sum(**of) / (x.size / x.sum(**of).size)),
        "Min": lambda: x.min(**of),
        "Prod": lambda: x.prod(**of, dtype=dtype),
        "Sum": lambda: x.sum(**of),
        "L1": lambda: abs(x).sum(**of),
        "SumSquare": lambda: (x * x).sum(**of),
    }[op_type]()
    assert result.dtype == dtype
    np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize("op_type", ["ReduceL1", "ReduceL2", "ReduceSumSquare"])
@given(data=st.data())
def test_sums_of_positive(op_type, data):
    native.compare(*data.draw(reductions(op_type)), rtol=4e-6)


@given(reductions("ReduceLogSum"))
def test_logarithms_of_sums(case):
    model, feeds = case
    native.compare(model, {"x": np.abs(feeds["x"]) + np.float32(0.1)}, rtol=4e-6, atol=4e-6)


@pytest.mark.parametrize("keepdims", [0, 1])
@pytest.mark.parametrize("axes", [[0], [1], [2, 3], [0, 2], [3], [1, 2, 3]])
def test_of_channels_last(axes, keepdims):
    random = np.random.default_rng(0)
    x = random.standard_normal((2, 3, 5, 4), np.float32)
    w = random.standard_normal((6, 3, 1, 1), np.float32)
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["h"]),
        helper.make_node("ReduceMean", ["h"], ["y"], axes=axes, keepdims=keepdims),
    ]
    native.compare(native.build(nodes, {"x": x}, ["y"], {"w": w}), {"x": x}, atol=1e-5)


@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        ((300_000,), [0]),
        ((3, 50_000), [1]),
        ((50_000, 3), [0]),
        ((7, 3001, 5), [1]),
        ((31, 40, 29, 8), [0, 2]),
        ((40, 3, 29, 33), [1, 3]),
        ((4000, 7), [1]),
        ((333, 49), [1]),
        ((2, 9, 16, 67), [1, 3]),
        ((33, 1001), [0]),
        ((2, 100, 700), [1]),
    ],
)
@pytest.mark.parametrize("op_type", ["ReduceSum", "ReduceLogSumExp", "ReduceMax"])
def test_sizes(op_type, shape, axes):
    """Long axes are cut into parts, wide ones into tiles; short rows and few columns go together. Against float64."""
    x = np.random.default_rng(0).standard_normal(shape, np.float32) + np.float32(1)
    node = helper.make_node(op_type, ["x", "axes"], ["y"])
    constants = {"axes": np.array(axes)}
    part = native.subgraph(native.build([node], {"x": x}, ["y"], constants, opset=20))
    (result,) = part.run({"x": x}).values()
    part.close()
    of, exact = {"axis": tuple(axes), "keepdims": True}, x.astype(np.float64)
    expected = {
        "ReduceSum": lambda: exact.sum(**of),
        "ReduceLogSumExp": lambda: np.log(np.exp(exact).sum(**of)),
        "ReduceMax": lambda: exact.max(**of),
    }[op_type]()
    np.testing.assert_allclose(result, expected, rtol=2e-6, atol=2e-5)


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
@pytest.mark.parametrize("length", [16, 23, 49])
def test_short_rows_of_integers(length, dtype):
    """Rows of some vectors go side by side, and the last of each is a part of one."""
    x = np.random.default_rng(length).integers(-9, 9, (11, length)).astype(dtype)
    expected = {"ReduceSum": x.sum(1), "ReduceMin": x.min(1), "ReduceL1": np.abs(x).sum(1)}
    for op_type, want in expected.items():
        np.testing.assert_array_equal(_of_rows(op_type, x), want, op_type)


@pytest.mark.parametrize("length", [16, 18, 49, 64])
@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_extremes_in_short_rows(value, length):
    """At each place of a row."""
    x = np.random.default_rng(0).standard_normal((length, length), np.float32)
    np.fill_diagonal(x, value)
    expected = {"ReduceMax": x.max(1), "ReduceMin": x.min(1), "ReduceSum": x.sum(1)}
    for op_type, want in expected.items():
        np.testing.assert_array_equal(_of_rows(op_type, x), want, op_type)


def _of_rows(op_type, x):
    node = helper.make_node(op_type, ["x", "axes"], ["y"], keepdims=0)
    constants = {"axes": np.array([1])}
    data = native.build([node], {"x": x}, ["y"], constants, opset=20, dtype=x.dtype)
    part = native.subgraph(data)
    (result,) = part.run({"x": x}).values()
    part.close()
    return result


@pytest.mark.parametrize("axis", [0, 1])
def test_extremes(axis):
    """What isn't finite goes its way through each reduction as through NumPy's."""
    infinity, nothing = np.float32(np.inf), np.float32(np.nan)
    rows = [
        [1, infinity, 2, 3, 4],
        [1, -infinity, 2, 3, 4],
        [-infinity] * 5,
        [1, 2, 3, 4, nothing],
        [3e37, 3e37, -3e37, 1, 1e-40],
        [1000, 1000, -1000, 0, 0],
        [infinity, -infinity, 0, 0, 0],
    ]
    x = np.array(rows, np.float32)
    with np.errstate(all="ignore"):
        expected = {
            "ReduceMax": x.max(1),
            "ReduceMin": x.min(1),
            "ReduceSum": x.astype(np.float64).sum(1).astype(np.float32),
            "ReduceProd": x.prod(1),
            "ReduceLogSumExp": np.logaddexp.reduce(x.astype(np.float64), 1).astype(np.float32),
        }
    for op_type, want in expected.items():
        node = helper.make_node(op_type, ["x", "axes"], ["y"], keepdims=0)
        constants = {"axes": np.array([axis])}
        fed = x.T.copy() if axis == 0 else x
        part = native.subgraph(native.build([node], {"x": fed}, ["y"], constants, opset=20))
        (result,) = part.run({"x": fed}).values()
        part.close()
        np.testing.assert_allclose(result, want, rtol=1e-6, err_msg=op_type)


@pytest.mark.parametrize(
    "op_type", ["ReduceL1", "ReduceL2", "ReduceMean", "ReduceSumSquare", "ReduceProd"]
)
def test_of_nothing(op_type):
    x = np.ones((2, 0), np.float32)
    node = helper.make_node(op_type, ["x"], ["y"], axes=[1])
    native.compare(native.build([node], {"x": x}, ["y"]), {"x": x})


@pytest.mark.parametrize("op_type", ["ReduceMax", "ReduceMin"])
@pytest.mark.parametrize("dtype", ["int8", "uint8", "bool"])
def test_narrow_integers(op_type, dtype):
    x = np.random.default_rng(8).integers(0, 2 if dtype == "bool" else 120, (3, 4, 5)).astype(dtype)
    for keepdims in (0, 1):
        node = helper.make_node(op_type, ["x", "axes"], ["y"], keepdims=keepdims)
        constants = {"axes": np.array([1])}
        data = native.build([node], {"x": x}, ["y"], constants, opset=20, dtype=np.dtype(dtype))
        native.compare(data, {"x": x}, reference=True)
    nothing = x[:, :0]
    data = native.build([node], {"x": nothing}, ["y"], constants, opset=20, dtype=np.dtype(dtype))
    native.compare(data, {"x": nothing}, reference=True)


def test_refusals():
    x = np.ones((2, 3), np.int32)
    for op_type in ("ReduceL2", "ReduceLogSum", "ReduceLogSumExp"):
        node = helper.make_node(op_type, ["x"], ["y"])
        data = native.build([node], {"x": x}, ["y"], opset=18, dtype=np.int32)
        assert native.refusal(data) == "input 'x' is int32, not a float of 16 or 32 bits"
