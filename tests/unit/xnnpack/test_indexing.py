"""Gather, Scatter and their kin against native onnxruntime, and indices outside the data.

Copies are exact, and so is arithmetic of small whole numbers.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from onnx import helper

from pyxnn import errors
from tests.support import native

TABLE = np.random.default_rng(0).standard_normal((10, 6), np.float32)


def lookup(data, indices, axis, **kwargs):
    feeds = {"i": indices} if kwargs.get("constants") else {"t": data, "i": indices}
    node = helper.make_node("Gather", ["t", "i"], ["y"], name="words", axis=axis)
    return native.build([node], feeds, ["y"], **kwargs), feeds


@given(
    shape=arrays.array_shapes(min_dims=1, max_dims=4, max_side=6),
    data=st.data(),
    dtype=st.sampled_from([np.int32, np.int64]),
    constant=st.booleans(),
    dynamic=st.booleans(),
)
def test_gather(shape, data, dtype, constant, dynamic):
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    index = st.integers(-shape[axis], shape[axis] - 1)
    sides = arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5)
    indices = data.draw(arrays.arrays(dtype, sides, elements=index))
    table = np.random.default_rng(1).standard_normal(shape, np.float32)
    model, feeds = lookup(
        table, indices, axis, constants={"t": table} if constant else {}, dynamic=dynamic
    )
    native.compare(model, feeds)


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
@pytest.mark.parametrize("index", [10, -11, 2**31 - 1, -(2**31)])
def test_an_index_outside_names_the_node_and_leaves_the_subgraph_usable(dtype, index):
    good, bad = np.array([1, -1], dtype), np.array([0, index], dtype)
    model, _ = lookup(TABLE, good, 0, constants={"t": TABLE})
    part = native.subgraph(model)
    message = rf"INVALID_ARGUMENT.*Gather node. Name:'words'.*idx={index} .*\[-10,9\]"
    for run in (part.run, part.profile):
        with pytest.raises(errors.InvalidArgument, match=message):
            run({"i": bad})
    np.testing.assert_array_equal(part.run({"i": good})["y"], TABLE[good])
    part.close()


def test_a_wide_index_is_not_cut_to_32_bits():
    model, _ = lookup(TABLE, np.zeros(1, np.int64), 0, constants={"t": TABLE})
    part = native.subgraph(model)
    with pytest.raises(errors.InvalidArgument):
        part.run({"i": np.array([2**32], np.int64)})
    part.close()


def whole(shape, dtype, low=-4):
    return np.random.default_rng(2).integers(low, 5, shape).astype(dtype)


def check(op_type, feeds, dtype, *, opset=18, reference=False, **attributes):
    node = helper.make_node(op_type, list(feeds), ["y"], name="words", **attributes)
    model = native.build([node], feeds, ["y"], opset=opset, dtype=np.dtype(dtype))
    native.compare(model, feeds, reference=reference)


TYPES = ["float32", "float16", "int64", "uint8", "bool"]
wide = st.sampled_from([np.int32, np.int64])


@st.composite
def elements(draw):
    """Data, indices into it, and the axis that they name."""
    shape = draw(arrays.array_shapes(min_dims=1, max_dims=4, max_side=6))
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    sides = [draw(st.integers(1, extent)) for extent in shape]
    sides[axis] = draw(st.integers(0, 9))
    index = st.integers(-shape[axis], shape[axis] - 1)
    return shape, draw(arrays.arrays(draw(wide), sides, elements=index)), axis


@given(elements(), st.sampled_from(TYPES))
def test_gather_elements(case, dtype):
    shape, indices, axis = case
    check("GatherElements", {"t": whole(shape, dtype), "i": indices}, dtype, axis=axis)


@st.composite
def tuples(draw, most_batch_dims):
    """The shape of data, tuples of indices into it, and how many axes are a batch."""
    shape = draw(arrays.array_shapes(min_dims=1, max_dims=4, max_side=5))
    batch_dims = draw(st.integers(0, min(len(shape) - 1, most_batch_dims)))
    size = draw(st.integers(1, len(shape) - batch_dims))
    sides = draw(arrays.array_shapes(min_dims=1, max_dims=2, min_side=1, max_side=5))
    outer = shape[:batch_dims] + sides
    named = shape[batch_dims : batch_dims + size]
    columns = [
        draw(arrays.arrays(np.int64, outer, elements=st.integers(-extent, extent - 1)))
        for extent in named
    ]
    return shape, np.stack(columns, -1), batch_dims


@given(tuples(2), st.sampled_from(TYPES))
def test_gather_nd(case, dtype):
    shape, indices, batch_dims = case
    data = whole(shape, dtype)
    check("GatherND", {"t": data, "i": indices}, dtype, batch_dims=batch_dims)


@pytest.mark.parametrize("count", [1, 255, 256, 257, 5000])
@pytest.mark.parametrize("inner", [1, 3, 17])
def test_many_indices(count, inner):
    """More than go through a kernel at once."""
    random = np.random.default_rng(4)
    data = random.standard_normal((41, inner), np.float32)
    indices = random.integers(-41, 41, (count, 1))
    check("GatherND", {"t": data, "i": indices}, np.float32)
    check("GatherND", {"t": data.T.copy(), "i": indices % inner}, np.float32)
    check("Gather", {"t": data.T.copy(), "i": indices[:, 0]}, np.float32, axis=1)
    below = random.integers(-41, 41, (count, inner))
    check("GatherElements", {"t": data, "i": below}, np.float32, axis=0)
    updates = random.integers(-9, 9, (count, inner)).astype(np.float32)
    check("ScatterND", {"t": data, "i": indices, "u": updates}, np.float32)
    values = {"t": data * 0, "i": below, "u": updates}
    check("ScatterElements", values, np.float32, axis=0, reduction="add")
    flat = {"t": np.zeros(41, np.float32), "i": below.reshape(-1), "u": updates.reshape(-1)}
    check("ScatterElements", flat, np.float32, reduction="add")
    check("ScatterElements", flat, np.float32)


REDUCTIONS = ["none", "add", "mul", "max", "min"]


@given(elements(), st.sampled_from(["float32", "int32", "int64", "uint8"]), st.data())
def test_scatter_elements(case, dtype, data):
    shape, indices, axis = case
    reduction = data.draw(st.sampled_from(REDUCTIONS))
    low = 0 if dtype == "uint8" else -4
    feeds = {"t": whole(shape, dtype, low), "i": indices, "u": whole(indices.shape, dtype, low)}
    check("ScatterElements", feeds, dtype, axis=axis, reduction=reduction)


@given(tuples(0), st.sampled_from(["float32", "int64"]), st.sampled_from(REDUCTIONS))
def test_scatter_nd(case, dtype, reduction):
    shape, indices, _ = case
    updates = whole((*indices.shape[:-1], *shape[indices.shape[-1] :]), dtype)
    feeds = {"t": whole(shape, dtype), "i": indices, "u": updates}
    check("ScatterND", feeds, dtype, reduction=reduction)


@pytest.mark.parametrize("dtype", ["bool", "int8", "float16", "float64"])
def test_scatter_of_other_types(dtype):
    indices = np.array([[2], [0]])
    feeds = {"t": whole((3, 4), dtype, 0), "i": indices, "u": whole((2, 4), dtype, 0)}
    check("ScatterND", feeds, dtype, reference=True)
    if dtype in ("int8", "float16"):
        check("ScatterND", feeds, dtype, reference=True, reduction="add")


def test_what_is_not_a_number_stays():
    """As in NumPy; onnxruntime and onnx.reference lose it where it is the update."""
    data = np.array([1, np.nan, 3, -1], np.float32)
    updates = np.array([np.nan, 2, 5, 7], np.float32)
    feeds = {"t": data, "i": np.arange(4), "u": updates}
    for reduction, function in (("max", np.maximum), ("min", np.minimum)):
        node = helper.make_node("ScatterElements", list(feeds), ["y"], reduction=reduction)
        part = native.subgraph(native.build([node], feeds, ["y"], opset=18))
        np.testing.assert_array_equal(part.run(feeds)["y"], function(data, updates))
        part.close()


def test_old_scatter():
    feeds = {"t": whole((3, 4), np.float32), "i": np.array([[2, 0, 1, 2]])}
    feeds["u"] = whole((1, 4), np.float32)
    check("Scatter", feeds, np.float32, opset=10)


@pytest.mark.parametrize(
    ("op_type", "attributes"),
    [
        ("GatherElements", {"axis": 1}),
        ("GatherND", {}),
        ("ScatterElements", {"axis": 1, "reduction": "add"}),
        ("ScatterND", {}),
    ],
)
@pytest.mark.parametrize("index", [6, -7, 2**32, -(2**63)])
def test_an_index_outside_fails_before_anything_is_written(op_type, attributes, index):
    good = np.array([[1, -1], [2, 3], [0, 0]])
    bad = good.copy()
    bad[2, 1] = index
    feeds = {"t": np.zeros((6, 6), np.float32), "i": good}
    if op_type.startswith("Scatter"):
        feeds["u"] = np.ones((3, 2) if "axis" in attributes else 3, np.float32)
    node = helper.make_node(op_type, list(feeds), ["y"], name="words", **attributes)
    part = native.subgraph(native.build([node], feeds, ["y"], opset=18))
    before = part.run(feeds)["y"]
    message = rf"INVALID_ARGUMENT.*{op_type} node. Name:'words'.*idx={index} .*\[-6,5\]"
    with pytest.raises(errors.InvalidArgument, match=message):
        part.run({**feeds, "i": bad})
    np.testing.assert_array_equal(part.run(feeds)["y"], before)
    part.close()


def test_shapes_that_do_not_fit():
    data = np.zeros((3, 4), np.float32)
    for op_type, indices, updates in (
        ("ScatterElements", np.zeros((4, 4), np.int64), np.zeros((4, 4), np.float32)),
        ("ScatterElements", np.zeros((2, 4), np.int64), np.zeros((1, 4), np.float32)),
        ("ScatterND", np.zeros((2, 1), np.int64), np.zeros((2, 3), np.float32)),
        ("GatherElements", np.zeros((4, 4), np.int64), None),
        ("GatherND", np.zeros((2, 3), np.int64), None),
    ):
        feeds = {"t": data, "i": indices} | ({} if updates is None else {"u": updates})
        attributes = {"axis": 1} if "Elements" in op_type else {}
        node = helper.make_node(op_type, list(feeds), ["y"], **attributes)
        part = native.subgraph(native.build([node], feeds, ["y"], opset=18, dynamic=True))
        with pytest.raises(errors.InvalidArgument):
            part.run(feeds)
        part.close()


@given(
    arrays.array_shapes(min_dims=1, max_dims=3, max_side=4),
    st.integers(1, 6),
    st.sampled_from(["int64", "int32", "float32"]),
    st.data(),
)
def test_one_hot(shape, depth, dtype, data):
    axis = data.draw(st.integers(-len(shape) - 1, len(shape)))
    number = st.integers(-depth - 2, depth + 1)
    indices = data.draw(arrays.arrays(np.int64, shape, elements=number)).astype(dtype)
    values = np.array([2.5, -1], np.float32)
    feeds = {"i": indices, "v": values}
    node = helper.make_node("OneHot", ["i", "d", "v"], ["y"], axis=axis)
    constants = {"d": np.array(depth)}
    # onnxruntime knows few combinations of types.
    model = native.build([node], feeds, ["y"], constants)
    native.compare(model, feeds, reference=True)
    constants["v"] = feeds.pop("v")
    native.compare(native.build([node], feeds, ["y"], constants), feeds, reference=True)


def test_one_hot_like_onnxruntime():
    feeds = {"i": np.array([[0, 5, -1], [4, -5, 2]])}
    node = helper.make_node("OneHot", ["i", "d", "v"], ["y"], axis=1)
    constants = {"d": np.array([5]), "v": np.array([0, 1], np.float32)}
    native.compare(native.build([node], feeds, ["y"], constants), feeds)


@given(
    st.tuples(st.integers(1, 5), st.integers(1, 5)),
    st.booleans(),
    st.sampled_from(TYPES),
    st.data(),
)
def test_reverse_sequence(sides, batch_first, dtype, data):
    batch, steps = sides
    lengths = data.draw(arrays.arrays(np.int64, batch, elements=st.integers(1, steps)))
    shape = (batch, steps, 3) if batch_first else (steps, batch, 3)
    feeds = {"x": whole(shape, dtype), "n": lengths}
    axes = {"batch_axis": 0, "time_axis": 1} if batch_first else {}
    check("ReverseSequence", feeds, dtype, **axes)


@pytest.mark.parametrize("output_shape", [None, (1, 2, 7, 8)])
def test_max_unpool(output_shape):
    random = np.random.default_rng(5)
    x = random.standard_normal((1, 2, 6, 6), np.float32)
    pool = helper.make_node("MaxPool", ["x"], ["p", "i"], kernel_shape=[2, 2], strides=[2, 2])
    inputs = ["p", "i"] + (["s"] if output_shape else [])
    unpool = helper.make_node(
        "MaxUnpool", inputs, ["y"], kernel_shape=[2, 2], strides=[2, 2], pads=[0] * 4
    )
    constants = {"s": np.array(output_shape)} if output_shape else {}
    model = native.build([pool, unpool], {"x": x}, ["y"], constants)
    native.compare(model, {"x": x}, reference=bool(output_shape))


def unpool(x, places):
    """A model of MaxUnpool to twice the extents, and what it is fed."""
    feeds = {"x": x, "i": np.array(places, np.int64).reshape(x.shape)}
    node = helper.make_node("MaxUnpool", ["x", "i"], ["y"], kernel_shape=[2, 2], strides=[2, 2])
    return native.build([node], feeds, ["y"], dtype=x.dtype), feeds


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
def test_max_unpool_across_planes(dtype):
    """Places count through the whole tensor; the last element at one place stays."""
    random = np.random.default_rng(5)
    x = random.standard_normal((2, 3, 4, 5)).astype(dtype)
    model, feeds = unpool(x, random.integers(0, 4 * x.size, x.size))
    expected = np.zeros(4 * x.size, dtype)
    expected[feeds["i"].ravel()] = x.ravel()
    part = native.subgraph(model)
    y = part.run(feeds)["y"]
    part.close()
    np.testing.assert_array_equal(y.ravel(), expected)


@pytest.mark.parametrize("place", [-1, 16])
def test_max_unpool_outside(place):
    model, feeds = unpool(np.ones((1, 1, 2, 2), np.float32), [0, 1, place, 3])
    part = native.subgraph(model)
    with pytest.raises(errors.InvalidArgument, match=rf"idx={place} must be within \[0,15\]"):
        part.run(feeds)
    part.close()


def test_refusals():
    model, _ = lookup(np.zeros((2, 3), np.complex64), np.zeros(1, np.int64), 0, dtype=np.complex64)
    assert native.refusal(model) == "input 't' is complex64, not of a type that kernels move"
    feeds = {"t": np.zeros(3, np.bool_), "i": np.zeros(2, np.int64), "u": np.zeros(2, np.bool_)}
    node = helper.make_node("ScatterElements", list(feeds), ["y"], reduction="max")
    model = native.build([node], feeds, ["y"], opset=18, dtype=np.bool_)
    assert native.refusal(model) == "input 't' is bool, not a number that kernels know"
