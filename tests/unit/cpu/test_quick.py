"""The NumPy kernels of our own against native onnxruntime."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper
from onnx.shape_inference import infer_shapes

from pyxnn import cpu
from pyxnn.cpu import quick
from pyxnn.model import load
from tests.support.exact import CPU
from tests.support.onnx_models import node, proto

rng = np.random.default_rng(2)
A = rng.standard_normal((2, 3, 4), np.float32)
B = rng.standard_normal((3, 1), np.float32)
INTS = np.array([-7, 7, -8, 5], np.int64)
POSITIVE = abs(A)
TRUTH = np.array([True, False, True])

# name -> (node, its inputs)
CASES: dict[str, Any] = {
    "shape": (node("Shape", ["a"], ["y"]), [A]),
    "shape of a part": (node("Shape", ["a"], ["y"], start=-2, end=3), [A]),
    "size": (node("Size", ["a"], ["y"]), [A]),
    **{
        f"max pool {name}": (
            node("MaxPool", ["a"], ["y"], **{"kernel_shape": [3, 2], **attributes}),
            [rng.standard_normal((2, 3, 7, 8), np.float32)],
        )
        for name, attributes in {
            "alone": {},
            "with strides": {"strides": [2, 3]},
            "with pads": {"pads": [1, 0, 2, 1]},
            "with dilations": {"dilations": [2, 3], "pads": [0, 1, 1, 0]},
            "with ceil_mode": {"strides": [3, 2], "pads": [1, 0, 0, 1], "ceil_mode": 1},
            "padded as before": {"strides": [2, 2], "auto_pad": "SAME_LOWER"},
            "padded as after": {"strides": [2, 2], "auto_pad": "SAME_UPPER"},
            "without padding": {"auto_pad": "VALID"},
        }.items()
    },
    **{
        op_type: (node(op_type, ["a"], ["y"], **attributes), [3 * A])
        for op_type, attributes in {
            "Relu": {},
            "Tanh": {},
            "Sigmoid": {},
            "HardSigmoid": {"alpha": 0.3, "beta": 0.4},
            "HardSwish": {},
            "LeakyRelu": {"alpha": 0.2},
        }.items()
    },
    "clip": (
        node("Clip", ["a", "b", "c"], ["y"]),
        [A, np.array(-0.5, np.float32), np.array(0.7, np.float32)],
    ),
    "clip from above": (node("Clip", ["a", "", "b"], ["y"]), [A, np.array(0.7, np.float32)]),
    "gather": (node("Gather", ["a", "b"], ["y"], axis=1), [A, np.array([[0, -1], [2, 1]])]),
    "gather a scalar": (node("Gather", ["a", "b"], ["y"]), [INTS, np.array(-1)]),
    "concat": (node("Concat", ["a", "b"], ["y"], axis=-1), [A, A]),
    "slice": (
        node("Slice", ["a", "b", "c", "d", "e"], ["y"]),
        [A, np.array([0, 9]), np.array([9, -9]), np.array([1, -1]), np.array([2, -1])],
    ),
    "slice without axes": (
        node("Slice", ["a", "b", "c"], ["y"]),
        [A, np.array([1]), np.array([2])],
    ),
    "slice up to the largest": (
        node("Slice", ["a", "b", "c", "d"], ["y"]),
        [A, np.array([-2]), np.array([np.iinfo(np.int64).max]), np.array([2])],
    ),
    "squeeze": (node("Squeeze", ["a", "b"], ["y"]), [A[:1, :, :1], np.array([0, -1])]),
    "squeeze all": (node("Squeeze", ["a"], ["y"]), [A[:1, :, :1]]),
    "unsqueeze": (node("Unsqueeze", ["a", "b"], ["y"]), [A, np.array([0, -1])]),
    "reshape": (node("Reshape", ["a", "b"], ["y"]), [A, np.array([0, -1, 2])]),
    "reshape to nothing": (
        node("Reshape", ["a", "b"], ["y"], allowzero=1),
        [A[:0], np.array([3, 0])],
    ),
    "flatten": (node("Flatten", ["a"], ["y"], axis=2), [A]),
    "flatten from the end": (node("Flatten", ["a"], ["y"], axis=-1), [A]),
    "flatten to a row": (node("Flatten", ["a"], ["y"], axis=0), [A]),
    "flatten nothing": (node("Flatten", ["a"], ["y"]), [A[:0]]),
    "transpose": (node("Transpose", ["a"], ["y"], perm=[1, 2, 0]), [A]),
    "transpose all": (node("Transpose", ["a"], ["y"]), [A]),
    "expand": (node("Expand", ["a", "b"], ["y"]), [B, np.array([2, 1, 5])]),
    "expand to less": (node("Expand", ["a", "b"], ["y"]), [A, np.array([1, 1])]),
    "tile": (node("Tile", ["a", "b"], ["y"]), [A, np.array([1, 2, 3])]),
    "constant of shape": (node("ConstantOfShape", ["a"], ["y"]), [np.array([2, 3])]),
    "range": (
        node("Range", ["a", "b", "c"], ["y"]),
        [np.array(10), np.array(1), np.array(-4)],
    ),
    "empty range": (node("Range", ["a", "b", "c"], ["y"]), [np.array(3), np.array(1), np.array(1)]),
    "cast": (node("Cast", ["a"], ["y"], to=6), [A * 10]),
    "cast to bool": (node("Cast", ["a"], ["y"], to=9), [INTS]),
    "identity": (node("Identity", ["a"], ["y"]), [A]),
    "add": (node("Add", ["a", "b"], ["y"]), [A, B]),
    "subtract": (node("Sub", ["a", "b"], ["y"]), [A, B]),
    "multiply": (node("Mul", ["a", "b"], ["y"]), [A, B]),
    "divide": (node("Div", ["a", "b"], ["y"]), [A, B]),
    "divide integers": (node("Div", ["a", "b"], ["y"]), [INTS, np.array([2, 2, 4, -3])]),
    "negate": (node("Neg", ["a"], ["y"]), [A]),
    "absolute": (node("Abs", ["a"], ["y"]), [INTS]),
    "floor": (node("Floor", ["a"], ["y"]), [A]),
    "ceil": (node("Ceil", ["a"], ["y"]), [A]),
    "root": (node("Sqrt", ["a"], ["y"]), [POSITIVE]),
    "exp": (node("Exp", ["a"], ["y"]), [A]),
    "min": (node("Min", ["a", "b", "a"], ["y"]), [A, B]),
    "max": (node("Max", ["a", "b"], ["y"]), [A, B]),
    "max of one": (node("Max", ["a"], ["y"]), [A]),
    "sum": (node("Sum", ["a", "b", "a"], ["y"]), [A, B]),
    "equal": (node("Equal", ["a", "b"], ["y"]), [INTS, np.array([7])]),
    "less": (node("Less", ["a", "b"], ["y"]), [A, B]),
    "greater": (node("Greater", ["a", "b"], ["y"]), [A, B]),
    "and": (node("And", ["a", "b"], ["y"]), [TRUTH, TRUTH[:1]]),
    "or": (node("Or", ["a", "b"], ["y"]), [TRUTH, TRUTH[1:2]]),
    "not": (node("Not", ["a"], ["y"]), [TRUTH]),
    "where": (node("Where", ["a", "b", "c"], ["y"]), [TRUTH, INTS[:1], INTS[:3]]),
    "transposed convolution": (
        node(
            "ConvTranspose",
            ["a", "b", "c"],
            ["y"],
            group=2,
            strides=[2],
            pads=[1, 0],
            output_padding=[1],
        ),
        [A[:, :2], rng.standard_normal((2, 3, 3), np.float32), rng.standard_normal(6, np.float32)],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_quick_kernel(case: str) -> None:
    operator, arrays = CASES[case]
    inputs = dict(zip("abcde", arrays, strict=False))
    types = {
        name: (helper.np_dtype_to_tensor_dtype(array.dtype), list(array.shape))
        for name, array in inputs.items()
    }
    model = proto([operator], types)
    model.graph.output[0].ClearField("type")
    model.graph.output[0].CopyFrom(infer_shapes(model).graph.value_info[0])
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=CPU)
    (expected,) = session.run(None, inputs)
    graph = load(model.SerializeToString()).graph
    each = graph.nodes[0]
    assert quick.find(each) is not None
    (actual,) = cpu.evaluate(each, graph, [inputs.get(name) for name in each.inputs])
    assert isinstance(actual, np.ndarray) and actual.dtype == expected.dtype
    np.testing.assert_allclose(actual, expected, 1e-6, 1e-7, strict=True)


@pytest.mark.parametrize(
    ("operator", "opset"),
    [
        (node("Squeeze", ["a"], ["y"], axes=[0]), 11),
        (node("Slice", ["a"], ["y"], starts=[0], ends=[1]), 9),
        (node("Cast", ["a"], ["y"], to=8), 13),
        (node("Clip", ["a"], ["y"], min=0.0), 6),
        (node("Softmax", ["a"], ["y"]), 13),
    ],
)
def test_other_forms_have_none(operator: onnx.NodeProto, opset: int) -> None:
    assert (
        quick.find(
            load(proto([operator], {"a": [1]}, [], opset=opset).SerializeToString()).graph.nodes[0]
        )
        is None
    )
