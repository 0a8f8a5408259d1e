"""Models in float16 and bfloat16: stored so, computed in float32, results in the model's type.

Against native onnxruntime, which rounds each operator's result to float16: unless said otherwise, by two units in the last place
of float16 (2^-10 relatively each) of one operator, and one such unit more for each operator that follows.
"""

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from onnx import TensorProto, helper

from tests.support import native

RANDOM = np.random.default_rng(9)
UNIT = 2.0**-10


def normal(*shape):
    return RANDOM.standard_normal(shape).astype(np.float16)


def compare(nodes, inputs, constants=None, rtol=2 * UNIT, atol=2 * UNIT, **kwargs):
    constants = constants or {}
    data = native.build(nodes, inputs, ["y"], constants, dtype=np.float16, **kwargs)
    native.compare(data, inputs, rtol=rtol, atol=atol)


@given(x=arrays.arrays(np.float32, st.integers(1, 40), elements=st.floats(width=32)))
def test_cast_rounds_inside_a_subgraph(x):
    """float32 to float16 and back, twice."""
    nodes = [
        helper.make_node("Cast", ["x"], ["h"], to=TensorProto.FLOAT16),
        helper.make_node("Cast", ["h"], ["y"], to=TensorProto.FLOAT),
    ]
    native.compare(native.build(nodes, {"x": x}, ["y"]), {"x": x})


@pytest.mark.parametrize("target", [np.bool_, np.int32, np.int64, np.uint8, np.float32])
def test_cast_from_float16(target):
    x = np.abs(normal(50) * 20)
    node = helper.make_node(
        "Cast", ["x"], ["y"], to=helper.np_dtype_to_tensor_dtype(np.dtype(target))
    )
    native.compare(native.build([node], {"x": x}, ["y"], dtype=target), {"x": x})


@pytest.mark.parametrize("source", [np.bool_, np.int32, np.int64, np.uint8, np.float32])
def test_cast_to_float16(source):
    x = (RANDOM.standard_normal(50) ** 2 * 100).astype(source)
    compare(
        [helper.make_node("Cast", ["x"], ["y"], to=TensorProto.FLOAT16)], {"x": x}, rtol=0, atol=0
    )


def test_a_result_that_is_rounded_before_it_is_cut():
    """2047.9999 in float32 is 2048 in float16, which onnxruntime cuts to an integer."""
    x = np.array([2047.5, 1.0], np.float16)
    nodes = [
        helper.make_node("Add", ["x", "little"], ["h"]),
        helper.make_node("Cast", ["h"], ["y"], to=TensorProto.INT32),
    ]
    constants = {"little": np.array(0.499, np.float16)}
    data = native.build(nodes, {"x": x}, ["y"], constants, dtype=np.int32)
    native.compare(data, {"x": x})


# Operators.


@pytest.mark.parametrize("op_type", ["Add", "Sub", "Mul", "Div", "Max", "Min"])
@given(shapes=arrays.mutually_broadcastable_shapes(num_shapes=2, max_dims=4, max_side=4))
def test_arithmetic(op_type, shapes):
    a, b = (np.asarray(normal(*shape)) for shape in shapes.input_shapes)
    b = np.asarray(np.where(np.abs(b) < 0.1, np.float16(1), b))
    compare([helper.make_node(op_type, ["a", "b"], ["y"])], {"a": a, "b": b}, atol=0)


@pytest.mark.parametrize(
    "op_type",
    ["Abs", "Ceil", "Exp", "Floor", "Neg", "Relu", "Sigmoid", "Softmax", "Sqrt", "Tanh", "Erf"],
)
def test_unary(op_type):
    x = np.abs(normal(3, 5))
    compare([helper.make_node(op_type, ["x"], ["y"])], {"x": x})


def test_conv_with_bias():
    """onnxruntime's XNNPACK provider reads a float16 bias from the wrong input, so adds none."""
    constants = {"w": normal(8, 3, 3, 3), "b": normal(8) + np.float16(5)}
    node = helper.make_node("Conv", ["x", "w", "b"], ["y"], pads=[1, 1, 1, 1])
    compare([node], {"x": normal(1, 3, 6, 6)}, constants, atol=8 * UNIT)


def test_depthwise_conv_batch_norm_and_clip():
    constants = {
        "w": normal(4, 1, 3, 3),
        "scale": np.abs(normal(4)),
        "shift": normal(4),
        "mean": normal(4),
        "variance": np.abs(normal(4)) + np.float16(1),
        "low": np.array(0, np.float16),
        "high": np.array(6, np.float16),
    }
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], group=4),
        helper.make_node("BatchNormalization", ["c", *list(constants)[1:5]], ["n"]),
        helper.make_node("Clip", ["n", "low", "high"], ["y"]),
    ]
    compare(nodes, {"x": normal(1, 4, 6, 6)}, constants, atol=8 * UNIT)


def test_gemm_and_matmul():
    constants = {"b": normal(16, 8), "c": normal(8), "d": normal(8, 4)}
    nodes = [
        helper.make_node("Gemm", ["x", "b", "c"], ["g"], alpha=0.5),
        helper.make_node("MatMul", ["g", "d"], ["y"]),
    ]
    compare(nodes, {"x": normal(3, 16)}, constants, atol=16 * UNIT)


def test_layer_normalization_embedding_and_mask():
    inputs = {"ids": np.array([[3, 1, 0]]), "mask": np.array([[True, True, False]])}
    constants = {
        "table": normal(5, 8),
        "scale": normal(8),
        "bias": normal(8),
        "lowest": np.array(-6e4, np.float16),
    }
    nodes = [
        helper.make_node("Gather", ["table", "ids"], ["e"]),
        helper.make_node("LayerNormalization", ["e", "scale", "bias"], ["n"]),
        helper.make_node("Transpose", ["n"], ["t"], perm=[0, 2, 1]),
        helper.make_node("Where", ["mask", "t", "lowest"], ["y"]),
    ]
    compare(nodes, inputs, constants, atol=4 * UNIT)


@pytest.mark.parametrize("op_type", ["ReduceMean", "ReduceSum", "ReduceMax"])
def test_reductions(op_type):
    constants = {"axes": np.array([1])}
    node = helper.make_node(op_type, ["x", "axes"], ["y"])
    compare([node], {"x": normal(3, 20)}, constants, opset=18, atol=4 * UNIT)


def test_resize_has_scales_of_float32():
    constants = {"scales": np.array([1, 1, 2, 2], np.float32)}
    node = helper.make_node("Resize", ["x", "", "scales"], ["y"], mode="nearest")
    compare([node], {"x": normal(1, 2, 3, 3)}, constants, rtol=0, atol=0)


def test_moves_are_exact():
    x = normal(2, 3, 4)
    nodes = [
        helper.make_node("Transpose", ["x"], ["t"], perm=[2, 0, 1]),
        helper.make_node("Concat", ["t", "c"], ["j"], axis=0),
        helper.make_node("Slice", ["j", "from", "to"], ["s"]),
        helper.make_node("Pad", ["s", "pads", "fill"], ["y"]),
    ]
    constants = {
        "c": normal(2, 2, 3),
        "from": np.array([1]),
        "to": np.array([6]),
        "pads": np.array([1, 0, 0, 0, 0, 2]),
        "fill": np.array(0.1, np.float16),
    }
    compare(nodes, {"x": x}, constants, rtol=0, atol=0)


def test_constants_leave_in_the_models_type():
    """A result that is known with the plan, and one that depends on shapes."""
    x = normal(2, 3)
    nodes = [
        helper.make_node("Shape", ["x"], ["s"]),
        helper.make_node(
            "ConstantOfShape",
            ["s"],
            ["y"],
            value=helper.make_tensor("v", TensorProto.FLOAT16, [1], [0.5]),
        ),
        helper.make_node("Add", ["x", "y"], ["z"]),
    ]
    data = native.build(nodes, {"x": x}, ["y", "z"], dynamic=True, dtype=np.float16)
    native.compare(data, {"x": x}, rtol=UNIT)


def test_bfloat16():
    """Stored and given in bfloat16, of which onnxruntime has few operators, computed in float32."""
    half = np.dtype(ml_dtypes.bfloat16)
    x, w, b = (normal(*shape).astype(half) for shape in ((4, 16), (16, 8), (8,)))
    nodes = [
        helper.make_node("Gemm", ["x", "w", "b"], ["g"]),
        helper.make_node("Relu", ["g"], ["y"]),
    ]
    data = native.build(nodes, {"x": x}, ["y"], {"w": w, "b": b}, dtype=half)
    part = native.subgraph(data)
    result = part.run({"x": x})["y"]
    part.close()
    assert result.dtype == half
    exact = np.maximum(x.astype(np.float32) @ w.astype(np.float32) + b.astype(np.float32), 0)
    np.testing.assert_allclose(result.astype(np.float32), exact, rtol=2**-8, atol=1e-6)
