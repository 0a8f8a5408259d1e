"""Gemm and MatMul against native onnxruntime.

Tolerance: sums of at most 40 products of values around 1, in another order: 1e-5, five times that after scaling by up to 2.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from onnx import helper

from tests.support import native

TOLERANCE = {"rtol": 1e-5, "atol": 5e-5}
CONSTANT = st.sampled_from([(), ("b",), ("b", "c"), ("c",), ("a",)])


def random(seed, shape):
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


@st.composite
def gemms(draw):
    m, k, n = (draw(st.integers(1, 40)) for _ in range(3))
    trans_a, trans_b = draw(st.integers(0, 1)), draw(st.integers(0, 1))
    shapes = {"a": (k, m) if trans_a else (m, k), "b": (n, k) if trans_b else (k, n)}
    c = draw(st.sampled_from([None, (), (1,), (n,), (1, n), (m, 1), (m, n), (1, 1)]))
    if c is not None:
        shapes["c"] = c
    feeds = {name: random(seed, shape) for seed, (name, shape) in enumerate(shapes.items())}
    constants = {name: feeds.pop(name) for name in draw(CONSTANT) if name in feeds}
    attributes = {"transA": trans_a, "transB": trans_b}
    for name in ("alpha", "beta"):
        attributes[name] = draw(st.sampled_from([1.0, 0.5, 2.0, 0.0]))
    nodes = [helper.make_node("Gemm", list(shapes), ["h"], **attributes)]
    nodes += [helper.make_node("Relu", ["h"], ["y"])]
    opset = draw(st.sampled_from([11, 13]))
    return native.build(
        nodes, feeds, ["y"], constants, opset=opset, dynamic=draw(st.booleans())
    ), feeds


@given(gemms())
def test_gemm(case):
    native.compare(*case, **TOLERANCE)


@st.composite
def matmuls(draw):
    batch = draw(arrays.mutually_broadcastable_shapes(num_shapes=2, max_dims=4, max_side=3))
    m, k, n = (draw(st.integers(1, 40)) for _ in range(3))
    a, b = (*batch.input_shapes[0], m, k), (*batch.input_shapes[1], k, n)
    a, b = draw(st.sampled_from([(a, b), (a, b), (a, (k, n)), ((k,), b), (a, (k,)), ((k,), (k,))]))
    feeds = {"a": random(0, a), "b": random(1, b)}
    constant = draw(st.sampled_from([None, "a", "b", "b"]))
    constants = {constant: feeds.pop(constant)} if constant else {}
    nodes = [helper.make_node("MatMul", ["a", "b"], ["y"])]
    if draw(st.booleans()):
        nodes[0].output[0] = "h"
        nodes.append(helper.make_node("Relu", ["h"], ["y"]))
    return native.build(nodes, feeds, ["y"], constants, dynamic=draw(st.booleans())), feeds


@given(matmuls())
def test_matmul(case):
    native.compare(*case, **TOLERANCE)


@pytest.mark.parametrize("columns", [*range(1, 34), 39, 40, 41, 64, 95])
@pytest.mark.parametrize("depth", [1, 6, 32])
def test_one_row(columns, depth):
    """Columns go by eights, and these by fours and pairs."""
    feeds, constants = {"a": random(0, (1, depth))}, {"b": random(1, (depth, columns))}
    nodes = [helper.make_node("MatMul", ["a", "b"], ["h"]), helper.make_node("Relu", ["h"], ["y"])]
    native.compare(native.build(nodes, feeds, ["y"], constants), feeds, **TOLERANCE)


@pytest.mark.parametrize("columns", [7, 15, 31, 95])
def test_columns_alike(columns):
    """Equal ones have equal results, wherever they are: a softmax of large numbers shows every difference."""
    feeds = {"a": random(0, (1, 999))}
    constants = {"b": np.repeat(random(1, (999, 1)), columns, axis=1)}
    part = native.subgraph(
        native.build([helper.make_node("MatMul", ["a", "b"], ["y"])], feeds, ["y"], constants)
    )
    assert len(np.unique(part.run(feeds)["y"])) == 1
    part.close()


@pytest.mark.parametrize("transposed", ["a", "b"])
def test_transposed_operand(transposed):
    feeds = {"a": random(0, (2, 3, 7, 5)), "b": random(1, (2, 3, 5, 9))}
    feeds[transposed] = np.ascontiguousarray(feeds[transposed].swapaxes(2, 3))
    names = [name + "t" * (name == transposed) for name in ("a", "b")]
    nodes = [
        helper.make_node("Transpose", [transposed], [transposed + "t"], perm=[0, 1, 3, 2]),
        helper.make_node("MatMul", names, ["y"]),
    ]
    data = native.build(nodes, feeds, ["y"])
    native.compare(data, feeds, **TOLERANCE)
    part = native.subgraph(data)
    assert len(native.tasks(part, feeds)) == (2 if transposed == "a" else 1)
    part.close()


@pytest.mark.parametrize("shapes", [((0, 3), (3, 4)), ((2, 3), (3, 0)), ((2, 0), (0, 4))])
@pytest.mark.parametrize("op_type", ["Gemm", "MatMul"])
@pytest.mark.parametrize("constant", [False, True])
def test_no_elements(op_type, shapes, constant):
    feeds = {"a": random(0, shapes[0]), "b": random(1, shapes[1])}
    constants = {"b": feeds.pop("b")} if constant else {}
    node = helper.make_node(op_type, ["a", "b"], ["y"])
    native.compare(native.build([node], feeds, ["y"], constants), feeds)


def test_refusals():
    feeds = {"a": np.ones((2, 2), np.int32), "b": np.ones((2, 2), np.int32)}
    node = helper.make_node("MatMul", ["a", "b"], ["y"])
    data = native.build([node], feeds, ["y"], dtype=np.int32)
    assert native.refusal(data) == "input 'a' is int32, not a float of 16 or 32 bits"
