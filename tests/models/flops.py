"""Counts a model's floating-point operations: two for every multiply-add of its products."""

from __future__ import annotations

import math

import onnx
from onnx import shape_inference

Shapes = dict[str, list[int]]


def flops(model: onnx.ModelProto) -> int:
    """The FLOPs of one run: Conv, Gemm and MatMul. The rest is left out, as the papers do."""
    graph = shape_inference.infer_shapes(model, strict_mode=True, data_prop=True).graph
    shapes = {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    for value in (*graph.input, *graph.value_info, *graph.output):
        shapes[value.name] = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
    return 2 * sum(_multiply_adds(node, shapes) for node in graph.node)


def _multiply_adds(node: onnx.NodeProto, shapes: Shapes) -> int:
    if node.op_type == "Conv":  # per output element: a group's input channels times the kernel
        return math.prod(shapes[node.output[0]]) * math.prod(shapes[node.input[1]][1:])
    if node.op_type == "MatMul":
        return math.prod(shapes[node.output[0]]) * shapes[node.input[0]][-1]
    if node.op_type == "Gemm":
        transposed = any(a.name == "transA" and a.i for a in node.attribute)
        return math.prod(shapes[node.output[0]]) * shapes[node.input[0]][0 if transposed else 1]
    return 0
