"""Reshape and its kin, Transpose, Concat and Identity against native onnxruntime; all exact."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from onnx import helper

from pyxnn import errors
from tests.support import native

shapes = arrays.array_shapes(min_dims=0, max_dims=6, max_side=5)


def counting(shape):
    return np.arange(math.prod(shape), dtype=np.float32).reshape(shape)


def constant(*numbers):
    return np.array(numbers, np.int64)


def transpose(x, y, permutation):
    """A scalar's permutation is left off: an empty list has no type."""
    attributes = {"perm": permutation} if permutation else {}
    return helper.make_node("Transpose", [x], [y], **attributes)


@st.composite
def factors(draw, size):
    """A shape of as many elements, with axes of extent 1 in between."""
    shape = []
    while size > 1 and draw(st.booleans()):
        factor = draw(st.sampled_from([f for f in range(1, size + 1) if size % f == 0]))
        shape.append(factor)
        size //= factor
    return [*shape, size] if size > 1 or draw(st.booleans()) else shape


@st.composite
def reshapes(draw):
    """Transpose, Reshape, Transpose: the layouts that Reshape meets in the wild."""
    x = counting(draw(shapes))
    before = draw(st.permutations(range(x.ndim)))
    moved = x.transpose(before)
    shape = list(draw(factors(moved.size)))
    after = draw(st.permutations(range(len(shape))))
    asked = list(shape)
    for axis, extent in enumerate(asked):
        if axis < moved.ndim and moved.shape[axis] == extent and draw(st.booleans()):
            asked[axis] = 0
    if asked and draw(st.booleans()):
        asked[draw(st.integers(0, len(asked) - 1))] = -1
    nodes = [
        transpose("x", "moved", before),
        helper.make_node("Reshape", ["moved", "shape"], ["shaped"]),
        transpose("shaped", "y", after),
    ]
    constants = {"shape": constant(*asked)}
    return native.build(nodes, {"x": x}, ["y"], constants, dynamic=draw(st.booleans())), {"x": x}


@given(reshapes())
def test_reshape(case):
    native.compare(*case)


@given(shapes, st.data())
def test_transpose(shape, data):
    x = counting(shape)
    permutation = data.draw(st.none() | st.permutations(range(x.ndim)))
    node = transpose("x", "y", permutation)
    native.compare(native.build([node], {"x": x}, ["y"]), {"x": x})


def test_transpose_of_more_dimensions_than_the_kernel_takes():
    x = counting((2,) * 9)
    node = helper.make_node("Transpose", ["x"], ["y"], perm=[8, 1, 6, 3, 4, 0, 2, 7, 5])
    native.compare(native.build([node], {"x": x}, ["y"]), {"x": x})


@given(shapes, st.data())
def test_flatten(shape, data):
    x = counting(shape)
    axis = data.draw(st.integers(-x.ndim, x.ndim))
    node = helper.make_node("Flatten", ["x"], ["y"], axis=axis)
    native.compare(native.build([node], {"x": x}, ["y"]), {"x": x})


@given(shapes, st.sampled_from([11, 13]), st.data())
def test_squeeze_and_unsqueeze(shape, opset, data):
    x = counting(shape)
    rank = x.ndim + data.draw(st.integers(1, 2))
    axes = data.draw(
        st.sets(st.integers(0, rank - 1), min_size=rank - x.ndim, max_size=rank - x.ndim)
    )
    all_ones = data.draw(st.booleans())
    if opset < 13:
        nodes = [
            helper.make_node("Unsqueeze", ["x"], ["h"], axes=sorted(axes)),
            helper.make_node(
                "Squeeze", ["h"], ["y"], **({} if all_ones else {"axes": sorted(axes)})
            ),
        ]
        constants = {}
    else:
        nodes = [
            helper.make_node("Unsqueeze", ["x", "axes"], ["h"]),
            helper.make_node("Squeeze", ["h"] if all_ones else ["h", "axes"], ["y"]),
        ]
        constants = {"axes": constant(*(axis - rank for axis in axes))}
    native.compare(native.build(nodes, {"x": x}, ["y"], constants, opset=opset), {"x": x})


@given(arrays.array_shapes(min_dims=1, max_dims=5, max_side=4), st.data())
def test_concat(shape, data):
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    feeds, constants, nodes, names = {}, {}, [], []
    for index in range(data.draw(st.integers(1, 4))):
        part = list(shape)
        part[axis] = data.draw(st.integers(0, 4))
        name, array = f"x{index}", counting(part) + 1000 * index
        kind = data.draw(st.sampled_from(["constant", "transposed", "fed"])) if feeds else "fed"
        if kind == "transposed":
            feeds[name] = array.T
            nodes.append(helper.make_node("Transpose", [name], [f"{name}t"]))
            name += "t"
        else:
            (constants if kind == "constant" else feeds)[name] = array
        names.append(name)
    if data.draw(st.booleans()):
        names.append(names[0])
    nodes.append(helper.make_node("Concat", names, ["y"], axis=axis))
    native.compare(native.build(nodes, feeds, ["y"], constants), feeds)


def test_shapes_that_are_computed_from_shapes():
    """PyTorch's `x.view(x.size(0), -1, 2)`: the target is planned, for each shape of x anew."""
    x = counting((3, 4, 5))
    nodes = [
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Gather", ["shape", "zero"], ["batch"]),
        helper.make_node("Concat", ["batch", "rest"], ["target"], axis=0),
        helper.make_node("Reshape", ["x", "target"], ["h"]),
        helper.make_node("Relu", ["h"], ["y"]),
    ]
    constants = {"zero": constant(0), "rest": constant(-1, 2)}
    data = native.build(nodes, {"x": x}, ["y"], constants, dynamic=True)
    native.compare(data, {"x": x})


def test_shape_that_is_an_input():
    """The plan depends on its values."""
    x, target = counting((3, 4)), constant(2, 6)
    node = helper.make_node("Reshape", ["x", "target"], ["y"])
    part = native.subgraph(native.build([node], {"x": x, "target": target}, ["y"]))
    for shape in ((2, 6), (12, 1), (2, 6), (4, -1)):
        y = part.run({"x": x, "target": constant(*shape)})["y"]
        np.testing.assert_array_equal(y, x.reshape(shape))
    with pytest.raises(errors.InvalidArgument, match=r"shape \(3, 4\) can't become \(5, 2\)"):
        part.run({"x": x, "target": constant(5, 2)})
    part.close()


@pytest.mark.parametrize(
    ("shape", "asked", "allowzero"),
    [((0, 3), (0, 3), 0), ((0, 3), (3, 0), 1), ((0, 3), (-1,), 0), ((2, 0), (0, 0, 4), 1)],
)
def test_reshape_of_nothing(shape, asked, allowzero):
    x = counting(shape)
    node = helper.make_node("Reshape", ["x", "shape"], ["y"], allowzero=allowzero)
    data = native.build([node], {"x": x}, ["y"], {"shape": constant(*asked)})
    native.compare(data, {"x": x})


def test_flatten_after_pixels_are_merged_moves_no_bytes():
    """What a vision transformer does to its patches: (N, C, H, W) to (N, C, H*W) to (N, H*W, C)."""
    x, w = counting((1, 3, 4, 4)), np.ones((5, 3, 2, 2), np.float32)
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["h"], strides=[2, 2]),
        helper.make_node("Reshape", ["h", "shape"], ["merged"]),
        helper.make_node("Transpose", ["merged"], ["y"], perm=[0, 2, 1]),
    ]
    constants = {"w": w, "shape": constant(0, 5, -1)}
    data = native.build(nodes, {"x": x}, ["y"], constants)
    native.compare(data, {"x": x}, rtol=1e-6)
    part = native.subgraph(data)
    assert native.tasks(part, {"x": x}) == ["Transpose before h", "Conv h"]
    part.close()


def test_dropout_that_is_left():
    x = counting((2, 3))
    node = helper.make_node("Dropout", ["x"], ["y", "mask"])
    data = native.build([node], {"x": x}, ["y"])
    native.compare(data, {"x": x})
    data = native.build([node], {"x": x}, ["y", "mask"], dtype=(np.float32, np.bool_))
    native.compare(data, {"x": x})


@pytest.mark.parametrize(
    ("source", "target"),
    [("float32", "int32"), ("int64", "uint64"), ("uint8", "int8"), ("float64", "int64")],
)
def test_bit_cast(source, target):
    x = counting((2, 3, 4)).astype(source)
    to = helper.np_dtype_to_tensor_dtype(np.dtype(target))
    node = helper.make_node("BitCast", ["t"], ["y"], to=to)
    nodes = [helper.make_node("Transpose", ["x"], ["t"], perm=[0, 2, 1]), node]
    data = native.build(nodes, {"x": x}, ["y"], opset=26, dtype=np.dtype(target))
    native.compare(data, {"x": x}, reference=True)


def test_windows():
    """Their sizes are known when a plan is made."""
    for op_type in ("BlackmanWindow", "HammingWindow", "HannWindow"):
        node = helper.make_node(op_type, ["n"], ["y"])
        data = native.build([node], {"n": np.array(10)}, ["y"])
        native.compare(data, {"n": np.array(10)}, reference=True, rtol=1e-6, atol=1e-7)


def test_refusals():
    feeds = {"x": np.ones((2, 3), np.complex64)}
    node = helper.make_node("Transpose", ["x"], ["y"])
    data = native.build([node], feeds, ["y"], dtype=np.complex64)
    assert native.refusal(data) == "input 'x' is complex64, not of a type that kernels move"
