"""Passes over QuantizeLinear and DequantizeLinear: where they fire, where they must not, and that results stay as they are.

Scales are powers of two and weights small integers, so that all arithmetic is exact.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from pyxnn import passes
from pyxnn.graph import Graph
from tests.support.onnx_models import build, graph, node, ops
from tests.support.parity import assert_parity

Nodes = list[onnx.NodeProto]
SHAPE = [2, 3, 4, 4]
X = np.random.default_rng(1).integers(-40, 40, SHAPE).astype(np.float32) / 4
CONSTANTS = {
    "half": np.float32(0.5),
    "quarter": np.float32(0.25),
    "u3": np.uint8(3),
    "u0": np.uint8(0),
    "u128": np.uint8(128),
    "s3": np.int8(3),
    "scales": np.float32([0.5, 0.25, 0.5]),
    "points": np.uint8([3, 0, 255]),
    "shape": np.int64([2, 12, 4]),
    "w": np.random.default_rng(2).integers(0, 9, (5, 3, 1, 1)).astype(np.uint8),
}


def quantize(x: str, y: str, scale: str = "half", zero: str = "u3", **attributes: Any):
    return node("QuantizeLinear", [x, scale, zero], [y], **attributes)


def dequantize(x: str, y: str, scale: str = "half", zero: str = "u3", **attributes: Any):
    return node("DequantizeLinear", [x, scale, zero], [y], **attributes)


def after(nodes: Nodes, outputs: list[str] = ["y"], **kwargs: Any) -> Graph:  # noqa: B006
    """The graph after the passes; its results are the model's, with the passes and without."""
    kwargs = {"opset": 19, **kwargs}
    assert_parity(build(nodes, {"x": SHAPE}, outputs, CONSTANTS, **kwargs), {"x": X}, 0, 0)
    result = graph(nodes, {"x": SHAPE}, outputs, CONSTANTS, **kwargs)
    passes.run(result)
    return result


def zero_points(graph: Graph) -> list[Any]:
    return [
        (
            n.op_type[0],
            graph.initializers[n.input(2)].dtype.name,
            graph.initializers[n.input(2)].tolist(),
        )
        for n in graph.nodes
        if n.is_op("QuantizeLinear", "DequantizeLinear")
    ]


# --- signed_integers


def test_uint8_between_conversions_becomes_int8() -> None:
    result = after([quantize("x", "q"), dequantize("q", "y")])
    assert zero_points(result) == [("Q", "int8", -125), ("D", "int8", -125)]
    assert result.dtype(result.nodes[0].output(0)) == np.int8


def test_zero_points_by_axis_become_int8() -> None:
    parameters = {"scale": "scales", "zero": "points", "axis": 1}
    result = after([quantize("x", "q", **parameters), dequantize("q", "y", **parameters)])
    assert zero_points(result) == [
        ("Q", "int8", [-125, -128, 127]),
        ("D", "int8", [-125, -128, 127]),
    ]


def test_uint8_without_zero_point_becomes_int8() -> None:
    nodes = [
        node("QuantizeLinear", ["x", "half"], ["q"]),
        node("DequantizeLinear", ["q", "half"], ["y"]),
    ]
    assert zero_points(after(nodes)) == [("Q", "int8", -128), ("D", "int8", -128)]


def test_uint8_stays_where_others_use_it() -> None:
    cast = node("Cast", ["q"], ["z"], to=TensorProto.FLOAT)
    result = after([quantize("x", "q"), dequantize("q", "y"), cast], ["y", "z"])
    assert zero_points(result) == [("Q", "uint8", 3), ("D", "uint8", 3)]
    result = after([quantize("x", "y")], output_type=TensorProto.UINT8)
    assert zero_points(result) == [("Q", "uint8", 3)]


def conv(x: str = "d", y: str = "c") -> Nodes:
    return [dequantize("w", "v", zero="u0"), node("Conv", [x, "v"], [y])]


def test_weights_of_a_group_become_int8_and_stay_integers() -> None:
    nodes = [
        quantize("x", "q"),
        dequantize("q", "d"),
        *conv(),
        quantize("c", "r"),
        dequantize("r", "y"),
    ]
    result = after(nodes)
    assert ops(result).count("DequantizeLinear") == 3
    assert all(dtype == "int8" for _, dtype, _ in zero_points(result))


def test_weights_beside_floats_are_folded() -> None:
    assert ops(after([*conv("x", "y")])) == ["Conv"]


def test_uint8_that_leaves_a_group_is_requantized() -> None:
    nodes = [quantize("x", "q"), dequantize("q", "d"), *conv(), quantize("c", "y")]
    result = after(nodes, output_type=TensorProto.UINT8)
    behind = result.nodes[result.nodes.index(result.consumers("c")[0]) :]
    assert [n.op_type for n in behind] == ["QuantizeLinear", "DequantizeLinear", "QuantizeLinear"]
    assert [kind[1] for kind in zero_points(result)[-3:]] == ["int8", "int8", "uint8"]


def test_uint8_that_enters_a_group_is_requantized() -> None:
    inputs: Any = {"x": (TensorProto.UINT8, SHAPE)}
    nodes = [dequantize("x", "d"), *conv(y="y")]
    data = np.random.default_rng(3).integers(0, 9, SHAPE).astype(np.uint8)
    assert_parity(build(nodes, inputs, ["y"], CONSTANTS, opset=19), {"x": data}, 0, 0)
    result = graph(nodes, inputs, ["y"], CONSTANTS, opset=19)
    passes.run(result)
    into = result.producer(result.producer("y").input(0))
    before = result.producer(into.input(0))
    assert (into.op_type, before.op_type) == ("DequantizeLinear", "QuantizeLinear")
    assert result.dtype(into.input(0)) == np.int8


# --- cancel_quantization


def test_quantize_of_dequantized_with_the_same_parameters_goes() -> None:
    nodes = [quantize("x", "q"), dequantize("q", "d"), quantize("d", "r"), dequantize("r", "y")]
    assert ops(after(nodes)) == ["QuantizeLinear", "DequantizeLinear"]


@pytest.mark.parametrize("other", [{"scale": "quarter"}, {"zero": "u0"}])
def test_quantize_with_other_parameters_stays(other: dict[str, str]) -> None:
    nodes = [
        quantize("x", "q"),
        dequantize("q", "d"),
        quantize("d", "r", **other),
        dequantize("r", "y", **other),
    ]
    assert len(ops(after(nodes))) == 4


# --- move_integers

MOVES = {
    "Reshape": node("Reshape", ["d", "shape"], ["m"]),
    "Transpose": node("Transpose", ["d"], ["m"], perm=[0, 2, 3, 1]),
    "Flatten": node("Flatten", ["d"], ["m"]),
    "Concat": node("Concat", ["d", "d"], ["m"], axis=1),
    "Slice": node("Slice", ["d", "zero", "two"], ["m"]),
    "Pad": node("Pad", ["d", "pads"], ["m"]),
}
CONSTANTS |= {
    "zero": np.int64([0, 0]),
    "two": np.int64([2, 2]),
    "pads": np.int64([0, 0, 1, 1, 0, 0, 1, 1]),
    "odd": np.float32(0.3),
}


@pytest.mark.parametrize("name", MOVES)
def test_integers_are_moved(name: str) -> None:
    nodes = [
        quantize("x", "q"),
        dequantize("q", "d"),
        MOVES[name],
        quantize("m", "r"),
        dequantize("r", "y"),
    ]
    assert ops(after(nodes)) == ["QuantizeLinear", name, "DequantizeLinear"]


def test_parts_of_other_parameters_are_requantized() -> None:
    nodes = [
        quantize("x", "q"),
        dequantize("q", "d"),
        quantize("x", "r", "quarter"),
        dequantize("r", "e", "quarter"),
        node("Concat", ["d", "e"], ["m"], axis=1),
        quantize("m", "s"),
        dequantize("s", "y"),
    ]
    result = ops(after(nodes))
    assert result.count("QuantizeLinear") == 3 and result[-2:] == ["Concat", "DequantizeLinear"]


def test_a_pad_with_what_no_integer_stands_for_stays() -> None:
    pad = node("Pad", ["d", "pads", "odd"], ["y"])
    assert ops(after([quantize("x", "q"), dequantize("q", "d"), pad]))[-1] == "Pad"


def test_floats_with_other_users_stay() -> None:
    nodes = [
        quantize("x", "q"),
        dequantize("q", "d"),
        MOVES["Flatten"],
        node("Relu", ["d"], ["z"]),
        node("Neg", ["m"], ["y"]),
    ]
    assert sorted(ops(after(nodes, ["y", "z"]))) == ["DequantizeLinear"] * 2 + [
        "Flatten",
        "Neg",
        "QuantizeLinear",
        "Relu",
    ]


def test_a_moved_value_that_leaves_stays_a_float() -> None:
    nodes = [node("Flatten", ["x"], ["m"]), quantize("m", "q"), dequantize("q", "y")]
    assert ops(after(nodes, ["y", "m"])) == ["Flatten", "QuantizeLinear", "DequantizeLinear"]


# --- fold_clips_into_quantization


def test_relu_before_a_quantization_of_no_negative_numbers_goes() -> None:
    assert "Relu" not in ops(
        after(
            [
                node("Relu", ["x"], ["r"]),
                quantize("r", "q", zero="u0"),
                dequantize("q", "y", zero="u0"),
            ]
        )
    )


@pytest.mark.parametrize("case", ["zero point", "another user", "output"])
def test_relu_stays(case: str) -> None:
    zero = "u3" if case == "zero point" else "u0"
    nodes = [
        node("Relu", ["x"], ["r"]),
        quantize("r", "q", zero=zero),
        dequantize("q", "y", zero=zero),
    ]
    if case == "another user":
        nodes.append(node("Neg", ["r"], ["z"]))
    outputs = ["y", *{"another user": ["z"], "output": ["r"]}.get(case, [])]
    assert "Relu" in ops(after(nodes, outputs))
