"""Operators that only move elements, on elements of every size; against NumPy, as onnxruntime has not all types."""

import numpy as np
import pytest
from onnx import helper

from pyxnn import xnnpack
from tests.support import native

TYPES = ["bool", "uint8", "int8", "int16", "uint16", "int32", "uint32", "int64", "float64"]


def counting(*shape, dtype):
    numbers = np.arange(np.prod(shape)).reshape(shape)
    return (numbers % 3 == 0) if dtype == "bool" else numbers.astype(dtype)


def blocks(x, size):
    n, c, h, w = x.shape
    apart = x.reshape(n, size, size, c // size**2, h, w).transpose(0, 3, 4, 1, 5, 2)
    return apart.reshape(n, c // size**2, h * size, w * size)


CASES = {
    "Concat": ({"axis": 2}, ["x", "x"], lambda x: np.concatenate([x, x], 2)),
    "DepthToSpace": ({"blocksize": 2}, ["x"], lambda x: blocks(x, 2)),
    "Expand": ({}, ["x", np.array([3, 2, 4, 3, 5])], lambda x: np.broadcast_to(x, (3, 2, 4, 3, 5))),
    "Flatten": ({"axis": 2}, ["x"], lambda x: x.reshape(8, 15)),
    "Gather": (
        {"axis": 3},
        ["x", np.array([[4, 0], [-1, 2]])],
        lambda x: x[..., [[4, 0], [-1, 2]]],
    ),
    "Identity": ({}, ["x"], lambda x: x),
    "Reshape": ({}, ["x", np.array([0, -1, 5])], lambda x: x.reshape(2, 12, 5)),
    "Slice": ({}, ["x", *np.array([[3], [-9], [3], [-2]])], lambda x: x[..., 3::-2]),
    "Tile": ({}, ["x", np.array([1, 2, 1, 3])], lambda x: np.tile(x, (1, 2, 1, 3))),
    "Transpose": ({"perm": [3, 0, 2, 1]}, ["x"], lambda x: x.transpose(3, 0, 2, 1)),
    "Unsqueeze": ({}, ["x", np.array([0, 3])], lambda x: x[None, :, :, None]),
}


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("op_type", CASES)
def test_moves(op_type, dtype):
    attributes, inputs, expected = CASES[op_type]
    check(op_type, inputs, attributes, expected, dtype)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32", "int64"])
@pytest.mark.parametrize(
    "shape", [(3, 70), (4, 4), (5, 131), (66, 9), (20, 300), (133, 67), (17, 2)]
)
def test_transposition(shape, dtype):
    """Of what fills no squares, one square, some lines and bands of them."""
    x = counting(*shape, dtype=dtype)
    run([helper.make_node("Transpose", ["x"], ["y"])], x, "x", x.T, {})


@pytest.mark.parametrize("shape", [(3, 5, 7), (4, 9, 16), (2, 33, 48), (5, 6, 128), (3, 4, 160)])
def test_rows_that_change_places(shape):
    x = counting(*shape, dtype="float32")
    node = helper.make_node("Transpose", ["x"], ["y"], perm=[1, 0, 2])
    run([node], x, "x", x.transpose(1, 0, 2), {})


@pytest.mark.parametrize("width", [1, 3, 4, 7, 8, 13, 28])
def test_depth_to_space_of_any_width(width):
    x = counting(2, 8, 3, width, dtype="float32")
    node = helper.make_node("DepthToSpace", ["x"], ["y"], blocksize=2)
    run([node], x, "x", blocks(x, 2), {})


@pytest.mark.parametrize("dtype", TYPES)
def test_pad(dtype):
    fill = np.array(1 if dtype == "bool" else 77).astype(dtype)
    pads = [(0, 1), (2, 0), (1, 1), (0, 3)]
    inputs = ["x", np.array(pads).T.reshape(-1), fill]
    check("Pad", inputs, {}, lambda x: np.pad(x, pads, constant_values=fill), dtype)


def test_pad_with_a_number_of_eight_bytes():
    fill = np.array(-(2**40) - 1)
    check(
        "Pad",
        ["x", np.array([1] * 8), fill],
        {},
        lambda x: np.pad(x, 1, constant_values=fill),
        "int64",
    )


@pytest.mark.parametrize("dtype", TYPES)
def test_split(dtype):
    x = counting(2, 4, 3, 5, dtype=dtype)
    node = helper.make_node("Split", ["x"], ["y", "z"], axis=1)
    part = native.subgraph(native.build([node], {"x": x}, ["y", "z"], dtype=x.dtype))
    results = part.run({"x": x})
    part.close()
    np.testing.assert_array_equal(np.concatenate([results["y"], results["z"]], 1), x)
    assert results["y"].dtype == x.dtype


def check(op_type, inputs, attributes, expected, dtype):
    """Once alone, and once behind a Transpose, so that the bytes lie in another order."""
    x = counting(2, 4, 3, 5, dtype=dtype)
    names, constants = [], {}
    for place, given in enumerate(inputs):
        if isinstance(given, np.ndarray):
            constants[f"c{place}"] = given
        names.append(given if isinstance(given, str) else f"c{place}")
    behind = helper.make_node("Transpose", ["t"], ["x"], perm=[0, 3, 1, 2])
    nodes = [behind, helper.make_node(op_type, names, ["y"], **attributes)]
    run(nodes[1:], x, "x", expected(x), constants)
    run(nodes, np.ascontiguousarray(x.transpose(0, 2, 3, 1)), "t", expected(x), constants)


def run(nodes, x, name, expected, constants):
    data = native.build(nodes, {name: x}, ["y"], constants, dtype=x.dtype)
    graph = native.graph_of(data)
    if not graph.nodes:  # an Identity alone
        return
    assert all(xnnpack.supports(node, graph) is None for node in graph.nodes)
    part = native.subgraph(data)
    result = part.run({name: x})["y"]
    part.close()
    assert result.dtype == x.dtype
    np.testing.assert_array_equal(result, expected)
