"""QuantizeLinear and DequantizeLinear against native onnxruntime: exact."""

import ml_dtypes
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from onnx import helper

from pyxnn import errors
from tests.support import native

TYPES = [np.int8, np.uint8, np.int16, np.uint16]
NARROW = [ml_dtypes.int4, ml_dtypes.uint4, ml_dtypes.int2, ml_dtypes.uint2]
OPSET = 21


def integers(random, dtype, shape):
    limits = np.iinfo(dtype) if np.dtype(dtype).kind in "iu" else ml_dtypes.iinfo(dtype)
    return random.integers(limits.min, limits.max, shape, endpoint=True).astype(dtype)


def run(op_type, feeds, constants, dtype, opset=OPSET, reference=False, **attributes):
    """Compares a node whose inputs are `x`, `scale` and `zero`, as far as there are any."""
    given = {**feeds, **constants}
    names = [name if name in given else "" for name in ("x", "scale", "zero")]
    node = helper.make_node(op_type, names, ["y"], **attributes)
    data = native.build([node], feeds, ["y"], constants, dtype=dtype, opset=opset)
    native.compare(data, feeds, reference=reference)


@st.composite
def parameters(draw):
    """A shape, and the shape of its scales with the attributes that say how they lie."""
    shape = tuple(draw(st.lists(st.integers(1, 7), min_size=1, max_size=4)))
    axis = draw(st.integers(0, len(shape) - 1))
    shape = (*shape[:axis], draw(st.integers(1, 40)), *shape[axis + 1 :])
    sign = draw(st.sampled_from([0, -len(shape)]))
    match draw(st.sampled_from(["tensor", "axis", "blocks"])):
        case "tensor":
            return shape, (), {}
        case "axis":
            return shape, (shape[axis],), {"axis": axis + sign}
    block = draw(st.integers(1, shape[axis]))
    blocks = -(-shape[axis] // block)
    scales = (*shape[:axis], blocks, *shape[axis + 1 :])
    assume(
        max(scales) > 1
    )  # onnxruntime takes one scale for that of the tensor, and refuses a block
    return shape, scales, {"axis": axis + sign, "block_size": block}


@given(
    parameters=parameters(),
    dtype=st.sampled_from(TYPES),
    has_zero=st.booleans(),
    is_constant=st.booleans(),
    seed=st.integers(0, 99),
)
def test_quantize(parameters, dtype, has_zero, is_constant, seed):
    shape, scales, attributes = parameters
    random = np.random.default_rng(seed)
    x = random.normal(0, 100, shape).astype(np.float32)
    rest = {"scale": random.uniform(0.1, 2, scales).astype(np.float32)}
    if has_zero:
        rest["zero"] = integers(random, dtype, scales)
    else:
        attributes["output_dtype"] = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    feeds = {"x": x} if is_constant else {"x": x, **rest}
    run("QuantizeLinear", feeds, rest if is_constant else {}, dtype, **attributes)


@given(
    parameters=parameters(),
    dtype=st.sampled_from([*TYPES, np.int32]),
    has_zero=st.booleans(),
    is_constant=st.booleans(),
    seed=st.integers(0, 99),
)
def test_dequantize(parameters, dtype, has_zero, is_constant, seed):
    shape, scales, attributes = parameters
    random = np.random.default_rng(seed)
    x = integers(random, dtype, shape)
    rest = {"scale": random.uniform(0.001, 2, scales).astype(np.float32)}
    if has_zero and dtype is not np.int32:
        rest["zero"] = integers(random, dtype, scales)
    feeds = {"x": x} if is_constant else {"x": x, **rest}
    run("DequantizeLinear", feeds, rest if is_constant else {}, np.float32, **attributes)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("zero", [None, 0, 3, 127])
def test_ties_and_what_does_not_fit(dtype, zero):
    """Halves go to the even neighbour, what is too large to the limits, NaN to the lower."""
    x = np.concatenate(
        [
            np.arange(-140000, 140000, 125) / 2,
            np.arange(-300, 300) / 2,
            [np.nan, np.inf, -np.inf, 1e30, -1e30, 1e-30, -0.0, 0.49999997, 127.50001, 2.5000002],
        ]
    ).astype(np.float32)
    rest = {"scale": np.float32(1)}
    if zero is None:
        rest["zero"] = np.array(np.iinfo(dtype).min, dtype)
    else:
        rest["zero"] = np.array(zero, dtype)
    run("QuantizeLinear", {"x": x}, rest, dtype)
    run("QuantizeLinear", {"x": x * np.float32(0.3)}, rest | {"scale": np.float32(0.3)}, dtype)


@pytest.mark.parametrize("size", [*range(1, 36), 1000, 70001])
def test_every_size(size):
    x = np.linspace(-200, 200, size, dtype=np.float32)
    rest = {"scale": np.float32(1.3), "zero": np.array(5, np.int8)}
    run("QuantizeLinear", {"x": x}, rest, np.int8)
    x = np.linspace(-128, 127, size).astype(np.int8)
    run("DequantizeLinear", {"x": x}, rest, np.float32)


@pytest.mark.parametrize("dtype", [np.float16])
def test_halves(dtype):
    random = np.random.default_rng(3)
    x = random.normal(0, 50, (5, 33)).astype(dtype)
    rest = {"scale": np.array(0.7, dtype), "zero": np.array(3, np.int8)}
    run("QuantizeLinear", {"x": x}, rest, np.int8)
    rest = {"scale": random.uniform(0.5, 2, 33).astype(dtype), "zero": np.zeros(33, np.uint8)}
    run("QuantizeLinear", {"x": x}, rest, np.uint8, axis=1)
    x = integers(random, np.uint8, (5, 33))
    run("DequantizeLinear", {"x": x}, rest, dtype, axis=1)


@pytest.mark.parametrize("dtype", NARROW)
def test_less_than_a_byte(dtype):
    """Where integers of 4 and 2 bits aren't constant, against onnx.reference, as NumPy's onnxruntime has none."""
    random = np.random.default_rng(4)
    x = random.normal(0, 5, (5, 33)).astype(np.float32)
    rest = {
        "scale": random.uniform(0.5, 2, 5).astype(np.float32),
        "zero": integers(random, dtype, (5,)),
    }
    run("QuantizeLinear", {"x": x}, rest, dtype, 25, reference=True, axis=0)
    q = integers(random, dtype, (5, 33))
    run("DequantizeLinear", {"x": q}, rest, np.float32, 25, reference=True, axis=0)
    run("DequantizeLinear", {"x": q, **rest}, {}, np.float32, 25, reference=True, axis=0)


@pytest.mark.parametrize("dtype", [ml_dtypes.int4, ml_dtypes.uint4])
def test_constant_weights_of_four_bits(dtype):
    """With computed scales, which nothing folds."""
    random = np.random.default_rng(5)
    constants = {"x": integers(random, dtype, (32, 6)), "zero": integers(random, dtype, (4, 6))}
    feeds = {"scale": random.uniform(0.5, 2, (4, 6)).astype(np.float32)}
    run("DequantizeLinear", feeds, constants, np.float32, axis=0, block_size=8)


@pytest.mark.parametrize("opset", [10, 13, 19, 21, 23, 24])
def test_opsets(opset):
    x = np.linspace(-3, 3, 50, dtype=np.float32)
    rest = {"scale": np.float32(0.02), "zero": np.array(120, np.uint8)}
    run("QuantizeLinear", {"x": x}, rest, np.uint8, opset)
    run("QuantizeLinear", {"x": x}, {"scale": rest["scale"]}, np.uint8, opset)
    q = np.arange(256).astype(np.uint8)
    run("DequantizeLinear", {"x": q}, rest, np.float32, opset)


def test_as_it_lies():
    """Between convolutions channels are last; scales of channels are rows then."""
    random = np.random.default_rng(6)
    x = random.standard_normal((2, 3, 9, 8), np.float32)
    constants = {
        "w": random.standard_normal((20, 3, 3, 3), np.float32),
        "scale": random.uniform(0.05, 0.2, 20).astype(np.float32),
        "zero": integers(random, np.int8, (20,)),
    }
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["h"]),
        helper.make_node("QuantizeLinear", ["h", "scale", "zero"], ["q"], axis=1),
        helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["d"], axis=1),
        helper.make_node("MaxPool", ["d"], ["y"], kernel_shape=[2, 2]),
    ]
    data = native.build(nodes, {"x": x}, ["y"], constants)
    part = native.subgraph(data)
    assert [task.split()[0] for task in native.tasks(part, {"x": x})] == [
        *("Transpose", "Conv", "QuantizeLinear", "DequantizeLinear", "MaxPool", "Transpose")
    ]
    got, want = part.run({"x": x})["y"], native.run_native(data, {"x": x})[0]
    part.close()
    np.testing.assert_allclose(got, want, atol=0.21)  # a sum at a tie may go either way
    assert np.mean(got != want) < 1e-3


def test_wrong_shapes():
    x = np.zeros((3, 4), np.float32)
    node = helper.make_node("QuantizeLinear", ["x", "scale"], ["y"], block_size=2)
    for scales in ((3, 1), (3, 2, 1)):
        feeds = {"x": x, "scale": np.ones(scales, np.float32)}
        data = native.build([node], feeds, ["y"], dtype=np.uint8, opset=OPSET, dynamic=True)
        part = native.subgraph(data)
        with pytest.raises(errors.InvalidArgument, match="scales"):
            part.run(feeds)
        part.close()


def test_refusals():
    x = np.ones(3, np.int32)
    node = helper.make_node("QuantizeLinear", ["x", "s"], ["y"])
    constants = {"s": np.ones((), np.float32)}
    data = native.build([node], {"x": x}, ["y"], constants, dtype=np.uint8, opset=24)
    assert native.refusal(data) == "input 'x' is int32, not a float of 16 or 32 bits"
