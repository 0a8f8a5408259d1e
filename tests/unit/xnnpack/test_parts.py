"""Slice, Split, Pad, Expand, Tile, DepthToSpace and SpaceToDepth against native onnxruntime: they move elements, so exactly."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from onnx import helper

from tests.support import native

shapes = arrays.array_shapes(min_dims=1, max_dims=8, max_side=5)


def random(shape):
    return np.random.default_rng(0).standard_normal(shape, np.float32)


@st.composite
def slices(draw):
    x = random(draw(shapes))
    axes = draw(st.lists(st.integers(0, x.ndim - 1), unique=True, min_size=1))
    starts, ends, steps = [], [], []
    for axis in axes:
        extent = x.shape[axis]
        start = draw(st.integers(0, extent - 1))
        step = draw(st.sampled_from([1, 1, 1, 2, 3, -1, -2]))
        starts.append(start - extent if draw(st.booleans()) else start)
        if step > 0:
            end = draw(st.integers(start + 1, extent + 2))
            ends.append(end - extent if end < extent and draw(st.booleans()) else end)
        else:
            ends.append(draw(st.sampled_from([-extent - 1, start - extent - 1, -(2**31)])))
        steps.append(step)
    axes = [axis - x.ndim if draw(st.booleans()) else axis for axis in axes]
    constants = {"starts": starts, "ends": ends, "axes": axes, "steps": steps}
    constants = {name: np.array(values, np.int64) for name, values in constants.items()}
    node = helper.make_node("Slice", ["x", *constants], ["y"])
    dynamic = draw(st.booleans())
    return native.build([node], {"x": x}, ["y"], constants, dynamic=dynamic), {"x": x}


@given(slices())
def test_slice(case):
    native.compare(*case)


@pytest.mark.parametrize("opset", [7, 9])
def test_slice_by_attributes(opset):
    x = random((3, 4, 5))
    node = helper.make_node("Slice", ["x"], ["y"], starts=[1, -3], ends=[9, -1], axes=[0, 2])
    native.compare(native.build([node], {"x": x}, ["y"], opset=opset), {"x": x})


def test_slice_of_nothing():
    x = random((3, 4))
    constants = {"starts": np.array([2]), "ends": np.array([2])}
    node = helper.make_node("Slice", ["x", *constants], ["y"])
    native.compare(native.build([node], {"x": x}, ["y"], constants), {"x": x})


def test_slice_of_the_outermost_moves_no_bytes():
    x = random((1, 4, 5, 6))
    constants = {"starts": np.array([1]), "ends": np.array([3]), "axes": np.array([1])}
    nodes = [
        helper.make_node("Slice", ["x", *constants], ["h"]),
        helper.make_node("Relu", ["h"], ["y"]),
        helper.make_node("Neg", ["x"], ["z"]),
    ]
    data = native.build(nodes, {"x": x}, ["y", "z"], constants)
    native.compare(data, {"x": x})
    part = native.subgraph(data)
    assert len(native.tasks(part, {"x": x})) == 2
    part.close()


@st.composite
def splits(draw):
    axis = draw(st.integers(0, 3))
    shape = list(draw(arrays.array_shapes(min_dims=4, max_dims=4, max_side=4)))
    sizes = draw(st.lists(st.integers(1, 4), min_size=1, max_size=4))
    shape[axis] = sum(sizes)
    x = random(shape)
    outputs = [f"y{i}" for i in range(len(sizes))]
    opset = draw(st.sampled_from([11, 13, 18]))
    attributes, constants = {"axis": axis - draw(st.sampled_from([0, 4]))}, {}
    if opset == 11:
        attributes["split"] = sizes
    else:
        constants["split"] = np.array(sizes, np.int64)
    node = helper.make_node("Split", ["x", *constants], outputs, **attributes)
    return native.build([node], {"x": x}, outputs, constants, opset=opset), {"x": x}


@given(splits())
def test_split(case):
    native.compare(*case)


@pytest.mark.parametrize(("opset", "extent"), [(7, 6), (13, 6), (18, 6), (18, 7)])
def test_split_in_parts_alike(opset, extent):
    x = random((2, extent))
    attributes = {"num_outputs": 3} if opset == 18 else {}
    outputs = ["a", "b", "c"]
    node = helper.make_node("Split", ["x"], outputs, axis=1, **attributes)
    native.compare(native.build([node], {"x": x}, outputs, opset=opset), {"x": x})


@st.composite
def pads(draw):
    x = random(draw(shapes))
    opset = draw(st.sampled_from([7, 11, 18]))
    axes = list(range(x.ndim))
    if opset == 18:
        axes = draw(st.lists(st.integers(0, x.ndim - 1), unique=True, min_size=1))
    before, after = [], []
    for axis in axes:
        before.append(draw(st.integers(-1 if x.shape[axis] > 2 else 0, 2)))
        after.append(draw(st.integers(-1 if x.shape[axis] > 2 else 0, 2)))
    value = draw(st.none() | st.floats(-9, 9, width=32))
    if opset == 7:
        node = helper.make_node("Pad", ["x"], ["y"], pads=before + after, value=value or 0.0)
        return native.build([node], {"x": x}, ["y"], opset=opset), {"x": x}
    constants = {"pads": np.array(before + after, np.int64)}
    names = ["x", "pads", ""]
    if value is not None:
        constants["value"] = np.array(value, np.float32)
        names[2] = "value"
    if opset == 18:
        constants["axes"] = np.array(axes, np.int64)
        names.append("axes")
    node = helper.make_node("Pad", names, ["y"])
    return native.build([node], {"x": x}, ["y"], constants, opset=opset), {"x": x}


@given(pads())
def test_pad(case):
    native.compare(*case)


@given(st.data())
def test_pad_with_its_own(data):
    """More than an axis has, too: reflections are reflected, which onnxruntime only does as ONNX says from opset 18 on."""
    x = random(data.draw(arrays.array_shapes(min_dims=1, max_dims=5, min_side=2, max_side=5)))
    mode, opset = data.draw(st.sampled_from([("edge", 11), ("reflect", 13), ("wrap", 19)]))
    amounts = st.lists(st.integers(-1, 2), min_size=2 * x.ndim, max_size=2 * x.ndim)
    pads = np.array(data.draw(amounts)).reshape(2, -1)
    least = np.array(x.shape) + np.minimum(pads, 0).sum(axis=0)
    pads = np.minimum(pads, np.maximum(least - 1, 0))
    pads[:, least < 1] = 0
    node = helper.make_node("Pad", ["x", "pads"], ["y"], mode=mode)
    constants = {"pads": pads.reshape(-1)}
    native.compare(native.build([node], {"x": x}, ["y"], constants, opset=opset), {"x": x})


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.int64, np.float64])
@pytest.mark.parametrize("mode", ["constant", "reflect"])
def test_pad_of_other_types(dtype, mode):
    x = np.arange(12).reshape(3, 4).astype(dtype)
    constants = {"pads": np.array([1, 0, 1, 2]), "value": np.array(5, dtype)}
    node = helper.make_node("Pad", ["x", *constants], ["y"], mode=mode)
    data = native.build([node], {"x": x}, ["y"], constants, dtype=dtype)
    native.compare(data, {"x": x})


@given(arrays.mutually_broadcastable_shapes(num_shapes=2, min_dims=1, max_dims=7, max_side=4))
def test_expand(both):
    x, shape = random(both.input_shapes[0]), np.array(both.input_shapes[1], np.int64)
    x = np.asarray(x, np.float32)
    node = helper.make_node("Expand", ["x", "shape"], ["y"])
    native.compare(native.build([node], {"x": x}, ["y"], {"shape": shape}), {"x": x})


@given(arrays.array_shapes(min_dims=1, max_dims=5, max_side=4), st.data())
def test_tile(shape, data):
    x = random(shape)
    counts = data.draw(st.lists(st.integers(1, 3), min_size=x.ndim, max_size=x.ndim))
    node = helper.make_node("Tile", ["x", "counts"], ["y"])
    constants = {"counts": np.array(counts, np.int64)}
    native.compare(native.build([node], {"x": x}, ["y"], constants), {"x": x})


@pytest.mark.parametrize(
    ("op_type", "attributes"),
    [
        ("DepthToSpace", {}),
        ("DepthToSpace", {"mode": "CRD"}),
        ("DepthToSpace", {"mode": "DCR"}),
        ("SpaceToDepth", {}),
    ],
)
@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("block", [1, 2, 3])
def test_blocks(op_type, attributes, channels_last, block):
    deep = op_type == "DepthToSpace"
    x = random((2, 2 * block**2, 3, 5) if deep else (2, 3, 2 * block, 3 * block))
    nodes = [helper.make_node(op_type, ["h"], ["y"], blocksize=block, **attributes)]
    constants = {}
    if channels_last:
        constants["w"] = np.eye(x.shape[1], dtype=np.float32)[:, :, None, None]
        nodes.insert(0, helper.make_node("Conv", ["x", "w"], ["h"]))
    else:
        nodes[0].input[0] = "x"
    native.compare(native.build(nodes, {"x": x}, ["y"], constants), {"x": x})


def test_space_to_depth_by_columns_first():
    """SpaceToDepth of opset 28, which onnxruntime lacks, undoes DepthToSpace."""
    x = random((2, 8, 3, 5))
    nodes = [
        helper.make_node("DepthToSpace", ["x"], ["h"], blocksize=2, mode="CRD"),
        helper.make_node("SpaceToDepth", ["h"], ["y"], blocksize=2, mode="CRD"),
    ]
    part = native.subgraph(native.build(nodes, {"x": x}, ["y"], opset=28))
    (result,) = part.run({"x": x}).values()
    part.close()
    np.testing.assert_array_equal(result, x)


def test_refusals():
    x = random((3, 4))
    constants = {"pads": np.array([1, 1, 1, 1])}
    node = helper.make_node("Pad", ["x", "pads"], ["y"], mode="mirror")
    data = native.build([node], {"x": x}, ["y"], constants)
    assert native.refusal(data) == "its mode is 'mirror'"
