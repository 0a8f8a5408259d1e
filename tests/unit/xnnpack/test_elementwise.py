"""Add, Sub, Mul, Div and BatchNormalization against native onnxruntime.

Tolerance: one rounding by either, of the same exact result: nothing for the four. BatchNormalization folds its five tensors
into two first, which onnxruntime does in another sequence: a few roundings of terms below 10, 1e-5.
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


def test_refusals():
    x, three = random(0, (1, 3, 2, 2)), np.ones(3, np.float32)
    names = ["s", "b", "m", "v"]
    node = helper.make_node("BatchNormalization", ["x", *names], ["y"])
    data = native.build([node], {"x": x, **dict.fromkeys(names, three)}, ["y"])
    assert native.refusal(data) == "input 's' is computed, not constant"
