"""Native onnxruntime with exact integers, on every processor.

Processors without VNNI multiply uint8 by int8 with an instruction whose sums saturate, so that native onnxruntime is wrong there.
Products of uint8 by uint8 and of int8 by int8 are exact everywhere.
"""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper, shape_inference

CPU = ["CPUExecutionProvider"]

# Where an operator has its weights and their zero points.
WEIGHTS = {
    "ConvInteger": [(1, 3)],
    "DynamicQuantizeLSTM": [(1, 9), (2, 11)],
    "DynamicQuantizeMatMul": [(1, 3)],
    "MatMulInteger": [(1, 3)],
    "MatMulIntegerToFloat": [(1, 5)],
    "QAttention": [(1, 7)],
    "QGemm": [(3, 5)],
    "QLinearConv": [(3, 5)],
    "QLinearMatMul": [(3, 5)],
}


def session(model: bytes, *, optimized: bool = True) -> onnxruntime.InferenceSession:
    """A session of one thread; it is silent.

    Args:
        model: its bytes.
        optimized: let onnxruntime change the graph; else each operator runs as it is.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    proto = onnx.load_from_string(model)
    if not optimized:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        model = _with_unsigned_weights(proto)
    elif _has_uint8(proto.graph):  # there are models of int8 that onnxruntime doesn't open then
        options.add_session_config_entry("session.x64quantprecision", "1")
    return onnxruntime.InferenceSession(model, options, providers=CPU)


def _has_uint8(graph: onnx.GraphProto) -> bool:
    """Whether anything is quantized to uint8."""
    return any(tensor.data_type == TensorProto.UINT8 for tensor in graph.initializer) or any(
        node.op_type == "DynamicQuantizeLinear" for node in graph.node
    )


def _with_unsigned_weights(model: onnx.ModelProto) -> bytes:
    """The same model, but that uint8 is multiplied by uint8 instead of int8, with zero points 128 higher."""
    graph = shape_inference.infer_shapes(model).graph
    types = {
        value.name: value.type.tensor_type.elem_type
        for value in (*graph.input, *graph.value_info, *graph.output)
    }
    types |= {tensor.name: tensor.data_type for tensor in graph.initializer}
    nodes: list[onnx.NodeProto] = []
    for node in model.graph.node:
        for weights, zero_point in WEIGHTS.get(node.op_type, ()):
            if types.get(node.input[weights]) == TensorProto.INT8 != types.get(node.input[0]):
                node.input.extend([""] * (zero_point + 1 - len(node.input)))
                for place in (weights, zero_point):
                    node.input[place] = _raised(model.graph, nodes, node.input[place])
        nodes.append(node)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model.SerializeToString()


def _raised(graph: onnx.GraphProto, nodes: list[onnx.NodeProto], name: str) -> str:
    """The name of what holds an int8 tensor as uint8, 128 higher; no name stands for a zero."""
    raised = f"{name}_unsigned"
    constants = {tensor.name: tensor for tensor in graph.initializer}
    if raised in constants or any(raised in node.output for node in nodes):
        return raised
    if not name or name in constants:
        numbers = numpy_helper.to_array(constants[name]) if name else np.int8(0)
        unsigned = np.asarray(numbers + np.int16(128), np.uint8)
        graph.initializer.append(numpy_helper.from_array(unsigned, raised))
        return raised
    offset = f"{raised}_offset"
    graph.initializer.append(numpy_helper.from_array(np.asarray(128, np.int32), offset))
    nodes.append(helper.make_node("Cast", [name], [f"{raised}_wide"], to=TensorProto.INT32))
    nodes.append(helper.make_node("Add", [f"{raised}_wide", offset], [f"{raised}_sum"]))
    nodes.append(helper.make_node("Cast", [f"{raised}_sum"], [raised], to=TensorProto.UINT8))
    return raised
