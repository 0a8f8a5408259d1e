"""Arithmetic and BatchNormalization against native onnxruntime.

Tolerance: nothing where either rounds the same exact result once: Add, Sub, Mul, Div, PRelu, Max, Min, Abs, Neg, Floor, Ceil,
Round, Sign, Sqrt, Reciprocal. Exp, Log, Pow, the circular and the hyperbolic functions are good to a few units in the last place
on both sides, which add up: 1e-6, relative; onnxruntime's Log is within 2e-7 around 1. Sum and Mean add up to four terms
below 5 in another sequence: 4e-6. BatchNormalization folds its five tensors into two first, which
onnxruntime does in another sequence: a few roundings of terms below 10, 1e-5.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from onnx import helper

from tests.support import native

OPERATORS = ["Add", "Sub", "Mul", "Div"]


def random(seed, shape):
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


def tensors(low, high):
    return arrays.arrays(
        np.float32,
        arrays.array_shapes(min_dims=0, max_dims=7, max_side=6),
        elements=st.floats(low, high, width=32, allow_subnormal=False),
    )


@pytest.mark.parametrize("op_type", ["Abs", "Ceil", "Floor", "Neg", "Round", "Sign"])
@given(x=tensors(-12, 12))
def test_exact_unary(op_type, x):
    node = helper.make_node(op_type, ["x"], ["y"])
    native.compare(native.build([node], {"x": x}, ["y"]), {"x": x})


@pytest.mark.parametrize("op_type", ["Reciprocal", "Sqrt"])
@given(x=tensors(2.0**-20, 2.0**20))
def test_exact_unary_of_positive(op_type, x):
    node = helper.make_node(op_type, ["x"], ["y"])
    native.compare(native.build([node], {"x": x}, ["y"]), {"x": x})


@pytest.mark.parametrize(
    ("op_type", "low", "high"),
    [
        ("Acos", -1, 1),
        ("Acosh", 1, 50),
        ("Asin", -1, 1),
        ("Asinh", -50, 50),
        ("Atan", -50, 50),
        ("Atanh", -0.9375, 0.9375),
        ("Cos", -50, 50),
        ("Cosh", -50, 50),
        ("Exp", -80, 80),
        ("Sin", -50, 50),
        ("Sinh", -50, 50),
        ("Tan", -1.5, 1.5),
    ],
)
@given(data=st.data())
def test_transcendental(op_type, low, high, data):
    x = data.draw(tensors(low, high))
    node = helper.make_node(op_type, ["x"], ["y"])
    native.compare(native.build([node], {"x": x}, ["y"]), {"x": x}, rtol=1e-6, atol=1e-7)


@given(tensors(2.0**-100, 2.0**100))
def test_log(x):
    node = helper.make_node("Log", ["x"], ["y"])
    native.compare(native.build([node], {"x": x}, ["y"]), {"x": x}, rtol=1e-6, atol=2e-7)


def test_log_around_1():
    x = np.linspace(0.99, 1.01, 1001, dtype=np.float32)
    node = helper.make_node("Log", ["x"], ["y"])
    native.compare(native.build([node], {"x": x}, ["y"]), {"x": x}, atol=2e-7)


@pytest.mark.parametrize(
    ("op_type", "tolerance"), [("Max", 0), ("Mean", 4e-6), ("Min", 0), ("Sum", 4e-6)]
)
@given(data=st.data())
def test_variadic(op_type, tolerance, data):
    count = data.draw(st.integers(1, 4))
    shapes = data.draw(arrays.mutually_broadcastable_shapes(num_shapes=count, max_dims=6))
    feeds = {f"x{i}": random(i, shape) for i, shape in enumerate(shapes.input_shapes)}
    node = helper.make_node(op_type, list(feeds), ["y"])
    native.compare(native.build([node], feeds, ["y"], opset=13), feeds, atol=tolerance)


@given(
    tensors(0.125, 8),
    st.sampled_from([-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 1.7, 2.0, 3.0, 4.0, 5.5]),
    st.sampled_from([np.float32, np.int64]),
    st.integers(0, 3),
    st.booleans(),
)
def test_pow(x, exponent, dtype, rank, negative):
    y = np.full((1,) * rank, exponent, dtype)
    if negative and float(y.item()).is_integer():
        x = np.negative(x, out=x.copy())
    node = helper.make_node("Pow", ["x", "p"], ["y"])
    native.compare(native.build([node], {"x": x}, ["y"], {"p": y}), {"x": x}, rtol=1e-6)


@given(arrays.mutually_broadcastable_shapes(num_shapes=2, max_dims=6), st.booleans())
def test_pow_of_tensors(shapes, constant):
    x, y = (random(seed, shape) for seed, shape in enumerate(shapes.input_shapes))
    feeds, constants = {"x": np.asarray(np.abs(x) + np.float32(0.1)), "p": y}, {}
    if constant:
        constants["p"] = feeds.pop("p")
    node = helper.make_node("Pow", ["x", "p"], ["y"])
    native.compare(native.build([node], feeds, ["y"], constants), feeds, rtol=1e-6)


@given(tensors(-5, 5).filter(lambda x: x.ndim > 0), st.sampled_from(["scalar", "channel", "all"]))
def test_prelu(x, kind):
    channel = (x.shape[1], *[1] * (x.ndim - 2)) if x.ndim > 1 else ()
    slope = random(0, {"scalar": (), "channel": channel, "all": x.shape}[kind])
    node = helper.make_node("PRelu", ["x", "slope"], ["y"])
    native.compare(native.build([node], {"x": x}, ["y"], {"slope": slope}), {"x": x})


def test_refusal_of_prelu_by_channels():
    x = random(0, (2, 3, 4))
    node = helper.make_node("PRelu", ["x", "slope"], ["y"])
    data = native.build([node], {"x": x}, ["y"], {"slope": random(1, (3,))}, opset=6)
    assert native.refusal(data) == "its slope goes by channels, as before opset 7"


@given(
    st.sampled_from(OPERATORS),
    arrays.mutually_broadcastable_shapes(num_shapes=2, max_dims=8, max_side=4),
    st.sampled_from(["neither", "a", "b"]),
    st.integers(0, 99),
)
def test_broadcasting(op_type, shapes, constant, seed):
    a, b = (random(seed + i, shape) for i, shape in enumerate(shapes.input_shapes))
    feeds = {"a": a, "b": b}
    constants = {constant: feeds.pop(constant)} if constant != "neither" else {}
    node = helper.make_node(op_type, ["a", "b"], ["y"])
    native.compare(native.build([node], feeds, ["y"], constants), feeds)


@given(
    st.sampled_from(OPERATORS),
    st.sampled_from([(), (6,), (5, 1, 1), (1, 5, 1, 1), (4, 6), (1, 1, 4, 6), (2, 5, 4, 6)]),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
def test_any_order_of_axes(op_type, shape, constant, moved, swapped):
    """One operand is channels-last, the other row-major, constant, or transposed."""
    x, b, w = random(0, (2, 3, 4, 6)), random(1, shape), random(2, (5, 3, 1, 1))
    nodes = [helper.make_node("Conv", ["x", "w"], ["a"])]
    feeds, constants = {"x": x, "b": b}, {"w": w}
    if moved:
        feeds["b"] = b.T
        nodes.append(helper.make_node("Transpose", ["b"], ["c"]))
    if constant:
        constants["b"] = feeds.pop("b")
    operands = ["a", "c" if moved else "b"]
    nodes.append(helper.make_node(op_type, operands[::-1] if swapped else operands, ["y"]))
    native.compare(native.build(nodes, feeds, ["y"], constants), feeds, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.int64, np.uint8])
@pytest.mark.parametrize(
    ("rows", "columns"), [(1, 5), (3, 255), (700, 1), (2000, 7), (1111, 40), (40, 256)]
)
@pytest.mark.parametrize("op_type", ["Sub", "Greater"])
def test_one_row_for_all(op_type, rows, columns, dtype, swapped):
    """Short ones are repeated, many at a time: with remainders, and shared by threads in the browser."""
    numbers = np.random.default_rng(rows)
    feeds = {
        "x": numbers.integers(0, 99, (rows, columns)).astype(dtype),
        "z": numbers.integers(0, 99, columns).astype(dtype),
    }
    node = helper.make_node(op_type, ["z", "x"] if swapped else ["x", "z"], ["y"])
    made = np.dtype(np.bool_) if op_type == "Greater" else np.dtype(dtype)
    native.compare(native.build([node], feeds, ["y"], dtype=made), feeds)


@pytest.mark.parametrize("op_type", OPERATORS)
def test_with_itself(op_type):
    x = random(0, (3, 4)) + 5
    nodes = [
        helper.make_node(op_type, ["x", "x"], ["h"]),
        helper.make_node(op_type, ["h", "h"], ["y"]),
    ]
    if op_type in ("Sub", "Div"):
        nodes = nodes[:1]
        nodes[0].output[0] = "y"
    native.compare(native.build(nodes, {"x": x}, ["y"]), {"x": x})


def test_more_dimensions_than_the_kernels_take():
    """Broadcasting that alternates along nine axes can't be folded to six."""
    a = random(0, (2, 1, 2, 1, 2, 1, 2, 1, 2))
    b = random(1, (1, 3, 1, 2, 1, 3, 1, 2, 1))
    node = helper.make_node("Sub", ["a", "b"], ["y"])
    native.compare(native.build([node], {"a": a, "b": b}, ["y"]), {"a": a, "b": b})
    native.compare(native.build([node], {"a": a}, ["y"], {"b": b}), {"a": a})


def test_no_elements():
    a, b = random(0, (0, 3)), random(1, (1, 3))
    node = helper.make_node("Add", ["a", "b"], ["y"])
    native.compare(native.build([node], {"a": a, "b": b}, ["y"]), {"a": a, "b": b})


@given(
    st.sampled_from([(4, 3), (2, 3, 7), (2, 3, 5, 4), (1, 3, 2, 3, 4)]), st.sampled_from([7, 9, 15])
)
def test_batch_normalization(shape, opset):
    x = random(0, shape)
    constants = {"scale": random(1, 3), "shift": random(2, 3), "mean": random(3, 3)}
    constants["variance"] = np.abs(random(4, 3)) + 0.5
    node = helper.make_node("BatchNormalization", ["x", *constants], ["y"], epsilon=1e-3)
    data = native.build([node], {"x": x}, ["y"], constants, opset=opset)
    native.compare(data, {"x": x}, atol=1e-5)


@pytest.mark.parametrize("activation", ["Relu", "Tanh"])
@pytest.mark.parametrize("shape", [(2, 3, 5, 4), (2, 3, 7)])
def test_batch_normalization_of_channels_last(shape, activation):
    """As in DenseNet: not after a Conv, so it isn't folded; one step with its Relu."""
    x, w = random(0, shape), random(1, (4, 3, *[1] * (len(shape) - 2)))
    statistics = {"scale": random(1, 4), "shift": random(2, 4), "mean": random(3, 4)}
    statistics["variance"] = np.abs(random(4, 4)) + 0.5
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"]),
        helper.make_node("Sigmoid", ["c"], ["s"]),
        helper.make_node("BatchNormalization", ["s", *statistics], ["n"]),
        helper.make_node(activation, ["n"], ["y"]),
    ]
    data = native.build(nodes, {"x": x}, ["y"], {"w": w, **statistics})
    native.compare(data, {"x": x}, atol=1e-5)
    part = native.subgraph(data)
    assert len(native.tasks(part, {"x": x})) == (5 if activation == "Relu" else 6)
    part.close()


def test_refusals_of_pow():
    node = helper.make_node("Pow", ["x", "p"], ["y"])
    feeds = {"x": np.ones(3, np.float32), "p": np.ones(3, np.float64)}
    data = native.build([node], feeds, ["y"])
    assert native.refusal(data) == "input 'p' is float64, not of a type that kernels compute with"


def test_pow_of_computed_integers():
    x, p = np.float32([1.5, -2.0, 3.0]), np.array([3, -1, 0])
    node = helper.make_node("Pow", ["x", "p"], ["y"])
    feeds = {"x": x, "p": p}
    native.compare(native.build([node], feeds, ["y"]), feeds, rtol=1e-6)
