"""Which operators that a model quantizes run on integers, and what a session says of the others."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import NodeProto, helper

import pyxnn
from pyxnn.placement import NodePlacement
from tests.support import native

X = np.arange(-60, 60, dtype=np.int8).reshape(1, 2, 6, 10)
CONSTANTS = {
    "s": np.float32(0.0317),
    "t": np.float32(0.0291),
    "far": np.float32(1e-6),
    "z": np.int8(7),
    "z16": np.int16(7),
    "w": np.array([3, -5, 7, 9], np.int8).reshape(2, 2, 1, 1),
}


def dequantize(x: str, y: str, scale: str = "s", zero: str = "z") -> NodeProto:
    return helper.make_node("DequantizeLinear", [x, scale, zero], [y])


def quantize(x: str, y: str, scale: str = "t", zero: str = "z") -> NodeProto:
    return helper.make_node("QuantizeLinear", [x, scale, zero], [y])


def placed(
    *nodes: NodeProto, outputs: tuple[str, ...] = ("y",), dtype: type | tuple[type, ...] = np.int8
) -> tuple[dict[str, NodePlacement], str]:
    """The model's operators by type, but for conversions, and what is told of all."""
    data = native.build(nodes, {"x": X}, outputs, CONSTANTS, dtype=dtype, opset=21)
    with pyxnn.InferenceSession(data) as session:
        session.run(None, {"x": X})
        found = session.placement
    return {node.op_type: node for node in found.nodes}, str(found)


CONV = helper.make_node("Conv", ["a", "b"], ["c"])
WEIGHTS = dequantize("w", "b", "t", "")


def test_groups_run_on_integers() -> None:
    found, text = placed(
        dequantize("x", "a"),
        WEIGHTS,
        CONV,
        helper.make_node("Clip", ["c", "s"], ["d"]),
        quantize("d", "e"),
        dequantize("e", "f", "t"),
        helper.make_node("MaxPool", ["f"], ["g"], kernel_shape=[2, 2]),
        helper.make_node("Sigmoid", ["g"], ["h"]),
        quantize("h", "y", "s"),
    )
    operators = ("Conv", "Clip", "MaxPool", "Sigmoid")
    assert all(found[name].quantized and found[name].real is None for name in operators)
    assert not found["QuantizeLinear"].quantized and "real numbers" not in text


def test_products_of_integers() -> None:
    found, _ = placed(
        dequantize("x", "h"),
        helper.make_node("DynamicQuantizeLinear", ["h"], ["a", "a_scale", "a_zero"]),
        helper.make_node("ConvInteger", ["a", "w", "a_zero"], ["c"]),
        helper.make_node("Cast", ["c"], ["y"], to=1),
        dtype=np.float32,
    )
    quantized = [name for name, node in found.items() if node.quantized]
    assert quantized == ["ConvInteger"] and found["ConvInteger"].real is None


def test_what_the_model_leaves_alone() -> None:
    """Real numbers go in, or come out."""
    found, text = placed(
        dequantize("x", "a"),
        helper.make_node("Softmax", ["a"], ["y"]),
        helper.make_node("Add", ["a", "y"], ["b"]),
        quantize("b", "z1"),
        outputs=("y", "z1"),
        dtype=(np.float32, np.int8),
    )
    assert not any(node.quantized for node in found.values()) and "real numbers" not in text


@pytest.mark.parametrize(
    ("nodes", "name", "reason"),
    [
        (
            [helper.make_node("LpNormalization", ["a"], ["c"]), quantize("c", "y")],
            "LpNormalization",
            "no kernel computes LpNormalization on integers",
        ),
        (
            [helper.make_node("Softmax", ["a"], ["c"]), quantize("c", "y", zero="z16")],
            "Softmax",
            "its result is not quantized to int8 by one constant scale and zero point",
        ),
        (
            [WEIGHTS, helper.make_node("Add", ["a", "b"], ["c"]), quantize("c", "y", "far")],
            "Add",
            "its scales are too far apart",
        ),
        (
            [
                helper.make_node("Softmax", ["a"], ["c"]),
                quantize("c", "d"),
                quantize("c", "e", "s"),
                helper.make_node("Concat", ["d", "e"], ["y"], axis=0),
            ],
            "Softmax",
            "others use its real numbers, too",
        ),
    ],
)
def test_reasons(nodes: list[NodeProto], name: str, reason: str) -> None:
    dtype = np.int16 if any("z16" in node.input for node in nodes) else np.int8
    found, text = placed(dequantize("x", "a"), *nodes, dtype=dtype)
    assert found[name].quantized and found[name].real == reason and found[name].reason is None
    assert f"on real numbers: {reason}" in text
