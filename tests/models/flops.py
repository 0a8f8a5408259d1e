"""Counts what a model has to compute and to move: two FLOPs for every multiply-add of its products."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import onnx
from onnx import shape_inference

Shapes = dict[str, list[int]]

PICKING = ("Gather", "Slice")


class Cost(NamedTuple):
    """Of one node.

    Attributes:
        flops: of convolutions, products and recurrent layers. The rest is left out, as the papers do, and so is what ONNX's
            inference of shapes doesn't see through.
        read: bytes of all that goes in, once.
        written: bytes of what comes out.
        elements: of the first input or of the first output, whichever has more.
    """

    flops: int
    read: int
    written: int
    elements: int


def flops(model: onnx.ModelProto) -> int:
    """The FLOPs of one run."""
    return sum(cost.flops for _, cost in _costs(model))


def costs(model: onnx.ModelProto) -> Mapping[str, Cost]:
    """What each node costs, by its name."""
    return dict(_costs(model))


def with_shapes(model: onnx.ModelProto, shapes: Mapping[str, Sequence[int]]) -> onnx.ModelProto:
    """The model with inputs of these shapes, which it may have left open."""
    fixed = onnx.ModelProto()
    fixed.CopyFrom(model)
    for value in fixed.graph.input:
        for dim, extent in zip(value.type.tensor_type.shape.dim, shapes[value.name], strict=True):
            dim.dim_value = extent
    return fixed


def _costs(model: onnx.ModelProto) -> list[tuple[str, Cost]]:
    graph = shape_inference.infer_shapes(model, strict_mode=True, data_prop=True).graph
    shapes = {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    types = {tensor.name: tensor.data_type for tensor in graph.initializer}
    for value in (*graph.input, *graph.value_info, *graph.output):
        tensor = value.type.tensor_type
        shapes[value.name] = [dim.dim_value for dim in tensor.shape.dim]
        types[value.name] = tensor.elem_type

    def is_known(node: onnx.NodeProto) -> bool:
        return all(name in shapes for name in (*node.input, *node.output) if name)

    def size(name: str) -> int:
        dtype: np.dtype[np.generic] = onnx.helper.tensor_dtype_to_np_dtype(types[name])
        return math.prod(shapes[name]) * dtype.itemsize

    def taken(node: onnx.NodeProto) -> Sequence[str]:
        """What is read of the first input: of one that elements are picked from, as many as come out."""
        return node.output[:1] if node.op_type in PICKING else node.input[:1]

    return [
        (
            node.name,
            Cost(
                2 * _multiply_adds(node, shapes) if is_known(node) else 0,
                sum(size(name) for name in (*taken(node), *node.input[1:]) if name in shapes),
                sum(size(name) for name in node.output if name in shapes),
                max(math.prod(shapes.get(name, ())) for name in (node.input[0], node.output[0])),
            ),
        )
        for node in graph.node
    ]


def _multiply_adds(node: onnx.NodeProto, shapes: Shapes) -> int:
    if node.op_type == "Conv":  # per output element: a group's input channels times the kernel
        return math.prod(shapes[node.output[0]]) * math.prod(shapes[node.input[1]][1:])
    if (
        node.op_type == "ConvTranspose"
    ):  # per input element: a group's output channels times the kernel
        return math.prod(shapes[node.input[0]]) * math.prod(shapes[node.input[1]][1:])
    if node.op_type == "Attention":  # each query with each key, and each score with each value
        queries, keys, values = (shapes[name] for name in node.input[:3])
        return math.prod(queries[:-1]) * keys[-2] * (keys[-1] + values[-1])
    if node.op_type == "MultiHeadAttention":  # the same, of heads that lie in rows
        queries, keys, values = (shapes[name] for name in node.input[:3])
        return math.prod(queries[:-1]) * keys[1] * (keys[-1] + values[-1])
    if node.op_type == "GroupQueryAttention":  # the same, of past keys and new ones
        queries, keys, _, past = (shapes[name] for name in node.input[:4])
        return math.prod(queries) * (past[2] + keys[1]) * 2
    if node.op_type == "DeformConv":
        return math.prod(shapes[node.output[0]]) * math.prod(shapes[node.input[1]][1:])
    if node.op_type == "Einsum":  # each label's extent once
        (equation,) = (a.s.decode() for a in node.attribute if a.name == "equation")
        terms = zip(equation.partition("->")[0].split(","), node.input, strict=True)
        labels = {
            label: n for term, name in terms for label, n in zip(term, shapes[name], strict=True)
        }
        return math.prod(labels.values())
    if node.op_type in ("GRU", "LSTM", "RNN"):  # each step: all of both matrices, for each sequence
        steps, sequences, _ = shapes[node.input[0]]
        return steps * sequences * sum(math.prod(shapes[name]) for name in node.input[1:3])
    if node.op_type == "MatMul":
        return math.prod(shapes[node.output[0]]) * shapes[node.input[0]][-1]
    if node.op_type == "Gemm":
        transposed = any(a.name == "transA" and a.i for a in node.attribute)
        return math.prod(shapes[node.output[0]]) * shapes[node.input[0]][0 if transposed else 1]
    return 0
