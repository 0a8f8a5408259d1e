"""Tensors without elements go through the operators as through native onnxruntime."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper

from tests.support import native

OPSET = 20
RANDOM = np.random.default_rng(0)
WEIGHTS = {
    "w": (6, 4, 3, 3),
    "depthwise": (4, 1, 3, 3),
    "up": (4, 3, 2, 2),
    "matrix": (5, 3),
    "row": (5,),
    "c": (4,),
    "positive": (4,),
    "slope": (4, 1, 1),
}
CONSTANTS = {
    **{name: np.abs(RANDOM.standard_normal(shape, np.float32)) for name, shape in WEIGHTS.items()},
    "zero": np.array([0], np.int64),
    "one": np.array([1], np.int64),
    "last": np.array([-1], np.int64),
    "axes": np.array([0, 1], np.int64),
    "pads": np.array([0, 0, 0, 0, 0, 0, 1, 2], np.int64),
    "scales": np.array([1, 1, 2, 2], np.float32),
    "twice": np.array([1, 2, 1, 1], np.int64),
    "image": np.array([0, 20, 6], np.int64),
    "indices": np.array([1, 0, 1], np.int64),
    "three": np.array(3, np.float32),
}

UNARY = [
    *(
        "Abs",
        "Ceil",
        "Celu",
        "Cos",
        "Elu",
        "Erf",
        "Exp",
        "Floor",
        "Gelu",
        "HardSigmoid",
        "HardSwish",
    ),
    *("Identity", "LeakyRelu", "Log", "LogSoftmax", "Mish", "Neg", "Reciprocal", "Relu", "Round"),
    *("Selu", "Sigmoid", "Sign", "Sin", "Softmax", "Softplus", "Softsign", "Sqrt", "Tanh"),
]

IMAGES = {
    "Conv": ("Conv", ["x", "w"], {"pads": [1] * 4}),
    "depthwise Conv": ("Conv", ["x", "depthwise"], {"group": 4, "pads": [1] * 4}),
    "ConvTranspose": ("ConvTranspose", ["x", "up"], {"strides": [2, 2]}),
    "MaxPool": ("MaxPool", ["x"], {"kernel_shape": [2, 2]}),
    "AveragePool": ("AveragePool", ["x"], {"kernel_shape": [2, 2], "pads": [1] * 4}),
    "GlobalAveragePool": ("GlobalAveragePool", ["x"], {}),
    "GlobalMaxPool": ("GlobalMaxPool", ["x"], {}),
    "BatchNormalization": ("BatchNormalization", ["x", "c", "c", "c", "positive"], {}),
    "LayerNormalization": ("LayerNormalization", ["x", "row"], {}),
    "linear Resize": ("Resize", ["x", "", "scales"], {"mode": "linear"}),
    "DepthToSpace": ("DepthToSpace", ["x"], {"blocksize": 2}),
    "PRelu": ("PRelu", ["x", "slope"], {}),
    "MatMul": ("MatMul", ["x", "matrix"], {}),
    "Transpose": ("Transpose", ["x"], {"perm": [0, 2, 3, 1]}),
    "Reshape": ("Reshape", ["x", "image"], {"allowzero": 1}),
    "Flatten": ("Flatten", ["x"], {}),
    "Unsqueeze": ("Unsqueeze", ["x", "axes"], {}),
    "Pad": ("Pad", ["x", "pads"], {}),
    "Tile": ("Tile", ["x", "twice"], {}),
    "Expand": ("Expand", ["x", "one"], {}),
    "Slice": ("Slice", ["x", "one", "last", "last"], {}),
    "Gather": ("Gather", ["x", "indices"], {"axis": 1}),
    "Clip": ("Clip", ["x", "", "three"], {}),
    "Pow": ("Pow", ["x", "three"], {}),
}


def compare(nodes, inputs, outputs):
    """Once with shapes that are known, once with shapes that show up at the run."""
    used = {name for node in nodes for name in node.input}
    constants = {name: array for name, array in CONSTANTS.items() if name in used}
    for dynamic in (False, True):
        data = native.build(nodes, inputs, outputs, constants, opset=OPSET, dynamic=dynamic)
        native.compare(data, inputs, rtol=1e-5, atol=1e-5)


def images(*shape):
    return {"x": np.abs(RANDOM.standard_normal(shape, np.float32))}


@pytest.mark.parametrize("op_type", UNARY)
def test_elementwise(op_type):
    for shape in ((0,), (2, 0, 3), (0, 4, 0)):
        compare([helper.make_node(op_type, ["x"], ["y"])], images(*shape), ["y"])


@pytest.mark.parametrize("case", IMAGES)
def test_an_empty_batch(case):
    op_type, names, attributes = IMAGES[case]
    node = helper.make_node(op_type, names, ["y"], **attributes)
    compare([node], images(0, 4, 6, 5), ["y"])


@pytest.mark.parametrize("op_type", ["Add", "Sub", "Mul", "Div", "Max", "Min", "Sum", "Mean"])
@pytest.mark.parametrize(
    "shapes",
    [[(0,), (0,)], [(2, 0), (1,)], [(0, 3), (1, 3)], [(1, 3), (0, 1)], [(0, 1), (2, 1, 4)]],
)
def test_broadcasting(op_type, shapes):
    a, b = (np.ones(shape, np.float32) for shape in shapes)
    compare([helper.make_node(op_type, ["a", "b"], ["y"])], {"a": a, "b": b}, ["y"])


@pytest.mark.parametrize(
    "shapes",
    [
        [(0, 3), (3, 2)],
        [(2, 3), (3, 0)],
        [(2, 0), (0, 4)],
        [(0, 2, 3), (3, 2)],
        [(5, 2, 0), (5, 0, 2)],
    ],
)
def test_matmul(shapes):
    """A product over nothing is zero."""
    a, b = (np.ones(shape, np.float32) for shape in shapes)
    compare([helper.make_node("MatMul", ["a", "b"], ["y"])], {"a": a, "b": b}, ["y"])


def test_gemm():
    node = helper.make_node("Gemm", ["x", "matrix"], ["y"])
    compare([node], images(0, 5), ["y"])


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0)])
@pytest.mark.parametrize("op_type", ["ReduceSum", "ReduceL1", "ReduceL2", "ReduceSumSquare"])
def test_reductions(op_type, shape):
    """A sum of nothing is zero."""
    for axis in ("zero", "one"):
        node = helper.make_node(op_type, ["x", axis], ["y"], keepdims=0)
        compare([node], images(*shape), ["y"])


@given(st.lists(st.integers(0, 2), min_size=1, max_size=4), st.integers(0, 2))
def test_concat_and_split(extents, axis):
    shapes = [tuple(n if place == axis else 2 for place in range(3)) for n in extents]
    inputs = {f"x{i}": np.ones(shape, np.float32) * i for i, shape in enumerate(shapes)}
    CONSTANTS["sizes"] = np.array(extents, np.int64)
    names = [f"y{index}" for index in range(len(extents))]
    nodes = [
        helper.make_node("Concat", list(inputs), ["y"], axis=axis),
        helper.make_node("Split", ["y", "sizes"], names, axis=axis),
    ]
    compare(nodes, inputs, ["y", *names])
