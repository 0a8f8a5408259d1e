"""Cast, QuantizeLinear and DequantizeLinear of floats of 8 bits and of numbers of less than a byte, against onnx.reference: exact."""

import ml_dtypes
import numpy as np
import pytest
from onnx import helper

from tests.support import native

OPSET = 25
INTEGERS = [ml_dtypes.int4, ml_dtypes.uint4, ml_dtypes.int2, ml_dtypes.uint2]
OF_A_BYTE = [
    ml_dtypes.float8_e4m3fn,
    ml_dtypes.float8_e4m3fnuz,
    ml_dtypes.float8_e5m2,
    ml_dtypes.float8_e5m2fnuz,
]
FLOATS = [*OF_A_BYTE, ml_dtypes.float8_e8m0fnu, ml_dtypes.float4_e2m1fn]
RANDOM = np.random.default_rng(5)


def numbers():
    """Of all magnitudes; halfway between two neighbours of few bits, and next to that; what isn't finite."""
    halfway = RANDOM.integers(0, 1 << 12, 4000).astype(np.uint32) << 20
    near = np.concatenate([halfway, halfway + 1, halfway - 1]).view(np.float32)
    usual = RANDOM.standard_normal(3001, np.float32) * 10.0 ** RANDOM.integers(-7, 6, 3001)
    return np.concatenate([near, usual.astype(np.float32), np.float32([0, -0.0, np.inf, np.nan])])


def check(node, feeds, dtype, constants=None):
    data = native.build([node], feeds, ["y"], constants, opset=OPSET, dtype=dtype)
    (expected,) = native.run_reference(data, feeds)
    part = native.subgraph(data)
    result = part.run(feeds)["y"]
    part.close()
    assert result.dtype == expected.dtype
    if dtype == ml_dtypes.bfloat16:
        result, expected = result.astype(np.float32), expected.astype(np.float32)
    elif expected.dtype.itemsize == 1:
        of_nan = np.isnan(expected) if dtype in FLOATS else np.zeros(expected.shape, bool)
        assert (np.isnan(result[of_nan])).all()
        result, expected = (a[~of_nan].view(np.uint8) for a in (result, expected))
    np.testing.assert_array_equal(result, expected)


def cast(x, dtype, **attributes):
    to = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    check(helper.make_node("Cast", ["x"], ["y"], to=to, **attributes), {"x": x}, dtype)


@pytest.mark.parametrize("saturate", [0, 1])
@pytest.mark.parametrize("dtype", FLOATS)
def test_rounding(dtype, saturate):
    with np.errstate(all="ignore"):
        cast(numbers(), dtype, saturate=saturate)


@pytest.mark.parametrize("round_mode", ["nearest", "up", "down"])
def test_powers_of_two(round_mode):
    x = np.abs(numbers())
    for saturate in (0, 1):
        cast(x, ml_dtypes.float8_e8m0fnu, saturate=saturate, round_mode=round_mode)


@pytest.mark.parametrize("target", [np.float32, np.float64, np.float16, ml_dtypes.bfloat16])
@pytest.mark.parametrize("source", [*FLOATS, *INTEGERS])
def test_every_element(source, target):
    count = 256 if source in [*OF_A_BYTE, FLOATS[-2]] else 4 if "2" in source.__name__[-1] else 16
    with np.errstate(all="ignore"):
        cast(np.arange(count, dtype=np.uint8).view(source), target)


@pytest.mark.parametrize("source", [np.int32, np.int64, np.uint8, np.int8, np.float16, np.bool_])
@pytest.mark.parametrize("target", [*FLOATS, *INTEGERS])
def test_from_others(source, target):
    """Integers of few bits take the lowest ones."""
    low = 0 if np.dtype(source).kind in "ub" else -100
    cast(RANDOM.integers(low, 100, (7, 300)).astype(source), target)


@pytest.mark.parametrize("dtype", INTEGERS)
def test_floats_to_few_bits(dtype):
    cast(np.linspace(-20, 20, 1001, dtype=np.float32), dtype)


@pytest.mark.parametrize("target", [np.int64, np.uint8, np.bool_, ml_dtypes.float8_e5m2])
def test_between(target):
    cast(np.arange(16, dtype=np.uint8).view(ml_dtypes.uint4), target)
    cast(RANDOM.uniform(-20, 20, 300).astype(ml_dtypes.float4_e2m1fn), ml_dtypes.float8_e4m3fn)


@pytest.mark.parametrize("axis", [None, 0, 2])
@pytest.mark.parametrize("dtype", [*OF_A_BYTE, ml_dtypes.float4_e2m1fn])
def test_quantization(dtype, axis):
    x = 3 * RANDOM.standard_normal((3, 5, 8), np.float32)
    scale = np.float32(0.5) if axis is None else RANDOM.uniform(0.1, 2, x.shape[axis])
    parameters = {"s": np.float32(scale), "z": np.zeros(np.shape(scale), dtype)}
    attributes = {} if axis is None else {"axis": axis}
    node = helper.make_node("QuantizeLinear", ["x", "s", "z"], ["y"], **attributes)
    check(node, {"x": x}, dtype, parameters)
    node = helper.make_node("DequantizeLinear", ["x", "s"], ["y"], **attributes)
    check(node, {"x": x.astype(dtype)}, np.float32, parameters)


@pytest.mark.parametrize("dtype", [ml_dtypes.float8_e4m3fn, ml_dtypes.int4])
def test_movement(dtype):
    """What ONNX moves of such types."""
    x = RANDOM.integers(-4, 4, (2, 3, 5)).astype(dtype)
    for node, constants in (
        (helper.make_node("Transpose", ["x"], ["y"], perm=[2, 0, 1]), {}),
        (helper.make_node("Reshape", ["x", "k"], ["y"]), {"k": np.array([5, 6])}),
        (helper.make_node("Pad", ["x", "k"], ["y"]), {"k": np.array([0, 1, 0, 1, 0, 2])}),
        (helper.make_node("Flatten", ["x"], ["y"]), {}),
    ):
        check(node, {"x": x}, dtype, constants)


@pytest.mark.parametrize(
    ("source", "target"), [(ml_dtypes.float8_e5m2, np.uint8), (ml_dtypes.int4, ml_dtypes.uint4)]
)
def test_bits(source, target):
    x = np.arange(16, dtype=np.uint8).view(source)
    to = helper.np_dtype_to_tensor_dtype(np.dtype(target))
    node = helper.make_node("BitCast", ["x"], ["y"], to=to)
    data = native.build([node], {"x": x}, ["y"], opset=26, dtype=target)
    part = native.subgraph(data)
    result = part.run({"x": x})["y"]
    part.close()
    assert result.dtype == target
    np.testing.assert_array_equal(result.view(np.uint8), np.arange(16))
