"""Arithmetic, comparisons and logic of integers and bool, Where and its kin, against native onnxruntime: all exact."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from onnx import helper

from tests.support import native

RANDOM = np.random.default_rng(3)
shapes = arrays.mutually_broadcastable_shapes(num_shapes=2, max_dims=5, max_side=5)
three_shapes = arrays.mutually_broadcastable_shapes(num_shapes=3, max_dims=5, max_side=5)


def numbers(shape, dtype, low=-99):
    dtype = np.dtype(dtype)
    if dtype.kind == "f":
        return RANDOM.integers(-3, 4, shape).astype(dtype)
    low = max(low, np.iinfo(dtype).min) if dtype.kind in "iu" else 0
    return RANDOM.integers(low, 2 if dtype.kind == "b" else 100, shape).astype(dtype)


def compare(op_type, arrays, dtype, opset=18, **attributes):
    """The last operand as a constant too."""
    names = [f"x{place}" for place in range(len(arrays))]
    node = helper.make_node(op_type, names, ["y"], **attributes)
    feeds = dict(zip(names, arrays, strict=True))
    native.compare(native.build([node], feeds, ["y"], opset=opset, dtype=dtype), feeds)
    if len(arrays) > 1:
        *_, last = names
        constants = {last: feeds.pop(last)}
        data = native.build([node], feeds, ["y"], constants, opset=opset, dtype=dtype)
        native.compare(data, feeds)


@given(
    st.sampled_from(["Add", "Sub", "Mul", "Max", "Min", "Div", "Mod"]),
    st.sampled_from(["int32", "int64"]),
    shapes,
)
def test_arithmetic(op_type, dtype, shapes):
    a, b = (numbers(shape, dtype) for shape in shapes.input_shapes)
    if op_type in ("Div", "Mod"):
        b = np.where(b == 0, b.dtype.type(7), b)
    compare(op_type, [a, b], a.dtype)


@given(shapes, st.integers(0, 1))
def test_rests_of_floats(shapes, fmod):
    """onnxruntime knows fmod=1 only; both are exact."""
    a, b = (np.asarray(RANDOM.standard_normal(shape), np.float32) for shape in shapes.input_shapes)
    a = np.asarray(a * 10.0 ** RANDOM.integers(-3, 12, a.shape), np.float32)
    expected = (np.fmod if fmod else np.mod)(a, b)
    check("Mod", [a, b], np.asarray(expected), fmod=fmod)


def test_rests_at_the_edges():
    with np.errstate(invalid="ignore"):
        x = [0.0, -0.0, 1.5, -1.5, 6, -6, 3, 1e-45, 3.4e38, -3.4e38, np.inf, -np.inf, np.nan]
        x = np.array(x, np.float32)
        a, b = x[:, None], x[None]
        for fmod, function in enumerate((np.mod, np.fmod)):
            check("Mod", [a, b], function(a, b), fmod=fmod)
            halves = np.array([5.5, -5.5, 7], np.float16)
            check("Mod", [halves, halves[::-1].copy()], function(halves, halves[::-1]), fmod=fmod)


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "uint16", "uint32", "uint64"])
def test_narrow_integers_wrap(dtype):
    a, b = numbers((3, 1, 5), dtype, -128), numbers((4, 5), dtype, 1)
    for op_type, function in (("Add", np.add), ("Sub", np.subtract), ("Mul", np.multiply)):
        check(op_type, [a, b], function(a, b))
    for op_type, function in (("Max", np.maximum), ("Min", np.minimum), ("Mod", np.mod)):
        check(op_type, [a, b], function(a, b))
    check("Div", [a, b], (a.astype(np.float64) / b).astype(dtype))
    check("LessOrEqual", [a, b], a <= b)
    check("Equal", [a, b], a == b)


def check(op_type, operands, expected, **attributes):
    """Against NumPy, where onnxruntime lacks a type."""
    names = [f"x{place}" for place in range(len(operands))]
    feeds = dict(zip(names, operands, strict=True))
    node = helper.make_node(op_type, names, ["y"], **attributes)
    part = native.subgraph(native.build([node], feeds, ["y"], opset=18, dtype=expected.dtype))
    result = part.run(feeds)["y"]
    part.close()
    assert result.dtype == expected.dtype
    np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_edges(dtype):
    lowest = np.iinfo(dtype).min
    a = np.array([lowest, lowest, 5, lowest, -7, 7, 0], dtype)
    b = np.array([-1, 1, 0, lowest, 2, -2, 0], dtype)
    check("Div", [a, b], np.array([lowest, lowest, 0, 1, -3, -3, 0], dtype))
    check("Mod", [a, b], np.array([0, 0, 0, 0, 1, -1, 0], dtype))
    check("Mod", [a, b], np.array([0, 0, 0, 0, -1, 1, 0], dtype), fmod=1)
    check("Neg", [a], np.array([lowest, lowest, -5, lowest, 7, -7, 0], dtype))


@given(st.sampled_from(["int32", "int64"]), shapes)
def test_pow(dtype, shapes):
    a, b = (
        RANDOM.integers(low, 8, shape)
        for low, shape in zip((-5, 0), shapes.input_shapes, strict=True)
    )
    compare("Pow", [a.astype(dtype), b.astype(dtype)], np.dtype(dtype))


def test_pow_to_a_negative_power():
    a, b = np.array([1, -1, -1, 2, -9]), np.array([-3, -3, -2, -1, -4])
    check("Pow", [a, b], np.array([1, -1, 1, 0, 0]))


@pytest.mark.parametrize("exponent", [1, 2, 3, 4])
def test_pow_by_a_constant(exponent):
    x = numbers((3, 4), "int64")
    node = helper.make_node("Pow", ["x", "e"], ["y"])
    constants = {"e": np.array([exponent], np.int32)}
    native.compare(native.build([node], {"x": x}, ["y"], constants, dtype=np.int64), {"x": x})


@pytest.mark.parametrize("dtype", ["int32", "int64", "int8"])
@pytest.mark.parametrize("op_type", ["Abs", "Neg", "Sign"])
def test_signs(op_type, dtype):
    compare(op_type, [numbers((3, 5), dtype)], np.dtype(dtype))


def test_signs_of_unsigned():
    x = np.array([0, 3, 200], np.uint8)
    check("Abs", [x], x)
    check("Sign", [x], np.minimum(x, 1))


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8"])
@pytest.mark.parametrize("limits", [("low", "high"), ("low",), ("", "high")])
def test_clip_and_relu(dtype, limits):
    x = numbers((4, 9), dtype)
    constants = {"low": np.array(5, dtype), "high": np.array(50, dtype)}
    node = helper.make_node("Clip", ["x", *limits], ["y"])
    used = {name: constants[name] for name in limits if name}
    native.compare(native.build([node], {"x": x}, ["y"], used, dtype=x.dtype), {"x": x})
    if dtype != "uint8":
        check("Relu", [x], np.maximum(x, 0))


COMPARISONS = ["Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual"]


@given(
    st.sampled_from(COMPARISONS),
    st.sampled_from(["float32", "int32", "int64"]),
    shapes,
)
def test_comparisons(op_type, dtype, shapes):
    a, b = (numbers(shape, dtype, -3) for shape in shapes.input_shapes)
    compare(op_type, [a, b], np.bool_)


@pytest.mark.parametrize("op_type", COMPARISONS)
def test_comparisons_of_what_is_no_number(op_type):
    special = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0], np.float32)
    compare(op_type, [special, special[:, None]], np.bool_)


@given(st.sampled_from(["And", "Or", "Xor", "Equal"]), shapes)
def test_logic(op_type, shapes):
    a, b = (numbers(shape, np.bool_) for shape in shapes.input_shapes)
    compare(op_type, [a, b], np.bool_)


def test_not():
    compare("Not", [numbers((3, 21), np.bool_)], np.bool_)


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "int32", "int64", "uint64"])
def test_bits(dtype):
    a, b = numbers((3, 1, 7), dtype), numbers((4, 1), dtype)
    for op_type in ("BitwiseAnd", "BitwiseOr", "BitwiseXor"):
        compare(op_type, [a, b], a.dtype)
    compare("BitwiseNot", [a], a.dtype)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32", "uint64"])
@pytest.mark.parametrize("direction", ["LEFT", "RIGHT"])
def test_shifts(dtype, direction):
    x = np.array([1, 2, 77, np.iinfo(dtype).max], dtype)[:, None]
    y = np.array([0, 1, 5, 7], dtype)
    expected = x << y if direction == "LEFT" else x >> y
    check("BitShift", [x, y], expected, direction=direction)


def test_shift_by_more_than_all_bits():
    x, y = np.array([77, 77], np.uint32), np.array([32, 64], np.uint32)
    check("BitShift", [x, y], np.zeros(2, np.uint32), direction="RIGHT")


@pytest.mark.parametrize("direction", ["LEFT", "RIGHT"])
@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "int64"])
def test_shift_of_signed(dtype, direction):
    bits = np.iinfo(dtype).bits
    x = np.array([np.iinfo(dtype).min, -77, -1, 0, 1, 77, np.iinfo(dtype).max], dtype)[:, None]
    y = np.array([0, 1, 5, bits - 1, bits, bits + 1, 100, -1], dtype)
    node = helper.make_node("BitShift", ["x", "y"], ["z"], direction=direction)
    data = native.build([node], {"x": x, "y": y}, ["z"], opset=28, dtype=np.dtype(dtype))
    native.compare(data, {"x": x, "y": y}, reference=True)


def test_integers_without_a_sign():
    x = np.array([0, 1, 5, 2**63 - 1, 2**63, 2**64 - 1], np.uint64)
    a, b = x[:, None], x[None]
    for op_type, function in (("Less", np.less), ("LessOrEqual", np.less_equal)):
        check(op_type, [a, b], function(a, b))
    for op_type, function in (("Max", np.maximum), ("Min", np.minimum)):
        check(op_type, [a, b], function(a, b))
    for op_type, function in (("Div", np.floor_divide), ("Mod", np.mod)):
        check(op_type, [a, x[1:]], function(a, x[1:]))


@given(st.sampled_from(["uint8", "float32", "int64"]), three_shapes)
def test_where(size, shapes):
    condition, x, y = shapes.input_shapes
    operands = [numbers(condition, np.bool_), numbers(x, size), numbers(y, size)]
    compare("Where", operands, operands[1].dtype)


@pytest.mark.parametrize("dtype", ["bool", "int16", "uint16"])
def test_where_of_more_types(dtype):
    operands = [numbers((4, 1, 9), np.bool_), numbers((3, 9), dtype), numbers((3, 1), dtype)]
    check("Where", operands, np.where(*operands))


@pytest.mark.parametrize("count", [1, 15, 16, 53])
@pytest.mark.parametrize("shapes", [(True, True), (True, False), (False, True), (False, False)])
def test_where_along_a_row(shapes, count):
    x, y = (numbers((count,) if has_row else (1,), np.float32) for has_row in shapes)
    x[-1] = y[-1] = np.nan
    compare("Where", [numbers((2, count), np.bool_), x, y], np.float32)


def test_where_over_an_operand():
    """Rows that one condition decides, written where an operand was."""
    condition, a = numbers((2, 3, 1), np.bool_), numbers((2, 3, 40), np.float32)
    nodes = [
        helper.make_node("Neg", ["a"], ["b"]),
        helper.make_node("Where", ["c", "b", "zero"], ["y"]),
        helper.make_node("Neg", ["a"], ["d"]),
        helper.make_node("Where", ["c", "zero", "d"], ["z"]),
    ]
    feeds = {"c": condition, "a": a}
    constants = {"zero": np.zeros((), np.float32)}
    native.compare(native.build(nodes, feeds, ["y", "z"], constants), feeds)


@pytest.mark.parametrize("opset", [9, 13, 20])
def test_is_nan(opset):
    x = np.array([[np.nan, 1.0], [np.inf, -np.inf]], np.float32)
    compare("IsNaN", [x], np.bool_, opset)


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"detect_negative": 0},
        {"detect_positive": 0},
        {"detect_negative": 0, "detect_positive": 0},
    ],
)
def test_is_inf(attributes):
    x = np.array([[np.nan, 1.0], [np.inf, -np.inf]], np.float32)
    compare("IsInf", [x], np.bool_, **attributes)


@pytest.mark.parametrize("dtype", ["float32", "int64", "bool"])
@pytest.mark.parametrize("k", [None, -1, 0, 2])
@pytest.mark.parametrize("upper", [0, 1])
def test_trilu(dtype, k, upper):
    x = numbers((2, 3, 4), dtype)
    constants = {} if k is None else {"k": np.array(k)}
    node = helper.make_node("Trilu", ["x", *constants], ["y"], upper=upper)
    native.compare(native.build([node], {"x": x}, ["y"], constants, dtype=x.dtype), {"x": x})


def test_eye_like():
    x = numbers((3, 5), "int32")
    nodes = [
        helper.make_node("EyeLike", ["x"], ["eye"], k=1),
        helper.make_node("Add", ["x", "eye"], ["y"]),
    ]
    native.compare(native.build(nodes, {"x": x}, ["y"], dynamic=True, dtype=np.int32), {"x": x})


def test_of_nothing():
    x = np.zeros((0, 3), np.int64)
    compare("Add", [x, x], x.dtype)
    compare("Where", [x > 0, x, x], x.dtype)


def test_refusals():
    x = np.ones((2, 2), np.float64)
    for op_type in ("Add", "Equal"):
        node = helper.make_node(op_type, ["x", "x"], ["y"])
        made = np.float64 if op_type == "Add" else np.bool_
        data = native.build([node], {"x": x}, ["y"], dtype=made)
        assert (
            native.refusal(data) == "input 'x' is float64, not of a type that kernels compute with"
        )
