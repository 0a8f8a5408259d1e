"""The rest of ONNX on the CPU provider: bodies and what they capture, functions, all opsets."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import pyxnn
from tests.support.exact import CPU
from tests.support.onnx_models import FLOAT, build, node, proto
from tests.support.parity import assert_parity

rng = np.random.default_rng(3)
INT64, BOOL = TensorProto.INT64, TensorProto.BOOL


def body(
    name: str,
    nodes: list[onnx.NodeProto],
    inputs: list[tuple[str, int]],
    outputs: list[tuple[str, int]],
) -> onnx.GraphProto:
    def value(name: str, elem_type: int) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, elem_type, None if elem_type == FLOAT else [])

    return helper.make_graph(
        nodes, name, [value(*each) for each in inputs], [value(*each) for each in outputs]
    )


def test_loop_with_values_from_outside() -> None:
    """Sums w + i for i below n, and keeps each step."""
    nodes = [
        node("Mul", ["x", "two"], ["w"]),
        node(
            "Loop",
            ["n", "go", "x"],
            ["y", "steps"],
            body=body(
                "b",
                [
                    node("Cast", ["i"], ["f"], to=FLOAT),
                    node("Add", ["w", "f"], ["a"]),
                    node("Add", ["acc", "a"], ["next"]),
                    node("Identity", ["cond"], ["again"]),
                    node("Mul", ["next", "two"], ["step"]),
                ],
                [("i", INT64), ("cond", BOOL), ("acc", FLOAT)],
                [("again", BOOL), ("next", FLOAT), ("step", FLOAT)],
            ),
        ),
    ]
    inputs: dict[str, Any] = {"x": [2], "n": (INT64, [])}
    constants = {"two": np.float32(2), "go": np.array(True)}
    model = build(nodes, inputs, ["y", "steps"], constants)
    assert_parity(model, {"x": rng.standard_normal(2, np.float32), "n": np.array(3)})


def test_bodies_within_bodies() -> None:
    """The inner If uses a value of the outermost graph, one of the loop's, and an initializer."""
    inner = {
        "then_branch": body("t", [node("Add", ["w", "acc"], ["t"])], [], [("t", FLOAT)]),
        "else_branch": body("e", [node("Sub", ["acc", "c"], ["e"])], [], [("e", FLOAT)]),
    }
    nodes = [
        node("Relu", ["x"], ["w"]),
        node(
            "Loop",
            ["n", "", "x"],
            ["y"],
            body=body(
                "b",
                [
                    node("Equal", ["i", "one"], ["first"]),
                    node("If", ["first"], ["next"], **inner),
                    node("Identity", ["cond"], ["again"]),
                ],
                [("i", INT64), ("cond", BOOL), ("acc", FLOAT)],
                [("again", BOOL), ("next", FLOAT)],
            ),
        ),
    ]
    constants = {"n": np.array(3), "one": np.array(1), "c": np.float32(0.5)}
    assert_parity(
        build(nodes, {"x": [4]}, constants=constants), {"x": rng.standard_normal(4, np.float32)}
    )


def test_scan() -> None:
    nodes = [
        node(
            "Scan",
            ["start", "x"],
            ["last", "y"],
            num_scan_inputs=1,
            body=body(
                "b",
                [node("Add", ["acc", "item"], ["next"]), node("Mul", ["next", "k"], ["out"])],
                [("acc", FLOAT), ("item", FLOAT)],
                [("next", FLOAT), ("out", FLOAT)],
            ),
        )
    ]
    constants = {"start": np.zeros(3, np.float32), "k": np.float32(2)}
    model = build(nodes, {"x": [5, 3]}, ["last", "y"], constants)
    assert_parity(model, {"x": rng.standard_normal((5, 3), np.float32)})


def test_missing_operator_in_a_body_is_told_at_creation() -> None:
    bad = body("t", [node("Foo", ["x"], ["t"], domain="my")], [], [("t", FLOAT)])
    nodes = [node("If", ["c"], ["y"], then_branch=bad, else_branch=bad)]
    model = build(nodes, {"x": [1], "c": (BOOL, [])}, domains={"my": 1})
    with pytest.raises(pyxnn.NotImplemented, match="Foo"):
        pyxnn.InferenceSession(model, providers=CPU)


X4 = rng.standard_normal((1, 3, 6, 6), np.float32)
OPERATORS: dict[str, Any] = {
    "conv 1-D": (node("Conv", ["x", "w"], ["y"], pads=[1, 1]), {"w": (4, 3, 3)}, (2, 3, 8)),
    "conv grouped": (
        node("Conv", ["x", "w"], ["y"], group=3, strides=[2, 2]),
        {"w": (6, 1, 3, 3)},
        None,
    ),
    "max pool": (
        node("MaxPool", ["x"], ["y"], kernel_shape=[3, 3], ceil_mode=1, strides=[2, 2]),
        {},
        None,
    ),
    "average pool": (
        node("AveragePool", ["x"], ["y"], kernel_shape=[2, 2], pads=[1, 0, 0, 1]),
        {},
        None,
    ),
    "global pool": (node("GlobalAveragePool", ["x"], ["y"]), {}, None),
    "instance norm": (
        node("InstanceNormalization", ["x", "w", "v"], ["y"]),
        {"w": (3,), "v": (3,)},
        None,
    ),
    "layer norm": (node("LayerNormalization", ["x", "w"], ["y"]), {"w": (6,)}, None),
    "resize": (
        node("Resize", ["x", "", "", "sizes"], ["y"], mode="cubic"),
        {"sizes": np.array([1, 3, 9, 4])},
        None,
    ),
    "depth to space": (node("DepthToSpace", ["x"], ["y"], blocksize=2), {}, (1, 8, 2, 3)),
    "lstm": (
        node("LSTM", ["x", "w", "r", "b"], ["y"], hidden_size=4),
        {"w": (1, 16, 3), "r": (1, 16, 4), "b": (1, 32)},
        (5, 2, 3),
    ),
    "einsum": (node("Einsum", ["x", "w"], ["y"], equation="nchw,cd->nhwd"), {"w": (3, 2)}, None),
    "cum sum": (node("CumSum", ["x", "axis"], ["y"], reverse=1), {"axis": np.array(2)}, None),
    "gelu by its function": (node("Gelu", ["x"], ["y"], approximate="tanh"), {}, None),
    "group norm by its function": (
        node("GroupNormalization", ["x", "w", "v"], ["y"], num_groups=3),
        {"w": (3,), "v": (3,)},
        None,
    ),
    "mvn by its function": (node("MeanVarianceNormalization", ["x"], ["y"]), {}, None),
    "hard swish": (node("HardSwish", ["x"], ["y"]), {}, None),
    "mish by its function": (node("Mish", ["x"], ["y"]), {}, None),
    "where": (
        node("Where", ["c", "x", "w"], ["y"]),
        {"c": np.array([[True], [False]] * 3), "w": (1,)},
        None,
    ),
}


@pytest.mark.parametrize("case", OPERATORS)
def test_operator(case: str) -> None:
    operator, constants, extents = OPERATORS[case]
    constants = {
        name: rng.standard_normal(value, np.float32) if isinstance(value, tuple) else value
        for name, value in constants.items()
    }
    x = X4 if extents is None else rng.standard_normal(extents, np.float32)
    model = build([operator], {"x": list(x.shape)}, constants=constants, opset=21)
    assert_parity(model, {"x": x}, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("elem_type", [TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.INT32])
def test_other_types(elem_type: int) -> None:
    nodes = [node("Add", ["x", "x"], ["a"]), node("Relu", ["a"], ["y"])]
    x = (rng.standard_normal((2, 3)) * 5).astype(helper.tensor_dtype_to_np_dtype(elem_type))
    assert_parity(build(nodes, {"x": (elem_type, [2, 3])}, output_type=elem_type), {"x": x})


def test_sequences() -> None:
    nodes = [
        node("SplitToSequence", ["x"], ["parts"], axis=0),
        node("SequenceLength", ["parts"], ["n"]),
        node("SequenceAt", ["parts", "zero"], ["first"]),
        node("Cast", ["n"], ["m"], to=FLOAT),
        node("Add", ["first", "m"], ["y"]),
    ]
    model = build(nodes, {"x": [3, 2]}, constants={"zero": np.array(0)})
    assert_parity(model, {"x": rng.standard_normal((3, 2), np.float32)})


def test_a_sequence_as_output() -> None:
    nodes = [node("SplitToSequence", ["x"], ["parts"], axis=0)]
    model = proto(nodes, {"x": [2, 2]}, [])
    kind = helper.make_sequence_type_proto(helper.make_tensor_type_proto(FLOAT, None))
    model.graph.output.append(helper.make_value_info("parts", kind))
    session = pyxnn.InferenceSession(model.SerializeToString(), providers=CPU)
    assert session.get_outputs()[0].type == "seq(tensor(float))"
    x = rng.standard_normal((2, 2), np.float32)
    (parts,) = session.run(None, {"x": x})
    assert isinstance(parts, list)
    np.testing.assert_array_equal(np.concatenate(parts), x)


def test_strings() -> None:
    nodes = [node("Equal", ["x", "w"], ["e"]), node("Cast", ["e"], ["y"], to=FLOAT)]
    inputs: dict[str, Any] = {"x": (TensorProto.STRING, [2])}
    model = build(nodes, inputs, constants={"w": np.array(["b"], object)}, opset=19)
    session = pyxnn.InferenceSession(model, providers=CPU)
    assert session.run(None, {"x": np.array(["a", "b"])})[0].tolist() == [0.0, 1.0]
