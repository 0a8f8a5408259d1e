"""Types of all values of a model, as onnx.shape_inference finds them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
import onnx.shape_inference

from pyxnn.errors import Fail, InvalidGraph
from pyxnn.graph import Node

_SHORT = 1024
"""Constants of up to so many bytes take part with their values, since shapes may depend on them."""


def infer(
    model: onnx.ModelProto, nodes: Sequence[Node], initializers: Mapping[str, np.ndarray]
) -> dict[str, onnx.TypeProto]:
    """The types of values by name.

    Args:
        model: without initializers, but with an input for each of them; it is left as it is.
        nodes: those of the model, sorted.
        initializers: the model's.

    Raises:
        InvalidGraph: an operator doesn't take the type of an input.
        Fail: shapes or types don't fit together.
    """
    model = _copy(model)
    model.ir_version = onnx.IR_VERSION  # before version 4, initializers had to be inputs
    graph = model.graph
    _sort(graph, nodes)
    _weaken(graph, keep_values=any(node.domain not in ("", "ai.onnx.ml") for node in nodes))
    short = {name: array for name, array in initializers.items() if array.nbytes <= _SHORT}
    graph.initializer.extend(
        onnx.numpy_helper.from_array(array, name) for name, array in short.items()
    )
    inputs = [value for value in graph.input if value.name not in short]
    inferred = _infer(_with_inputs(model, inputs).SerializeToString())
    return {
        value.name: value.type
        for value in (*inferred.value_info, *inferred.input, *inferred.output)
    }


def _copy(model: onnx.ModelProto) -> onnx.ModelProto:
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    return copy


def _with_inputs(model: onnx.ModelProto, inputs: Sequence[onnx.ValueInfoProto]) -> onnx.ModelProto:
    kept = onnx.GraphProto(input=inputs).input
    del model.graph.input[:]
    model.graph.input.extend(kept)
    return model


def _sort(graph: onnx.GraphProto, nodes: Sequence[Node]) -> None:
    """Puts the model's nodes in the order of `nodes`; one without outputs goes."""
    by_output = {name: proto for proto in graph.node for name in proto.output if name}
    names = (next(node.defines(), None) for node in nodes)
    ordered = onnx.GraphProto(node=[by_output[name] for name in names if name is not None]).node
    del graph.node[:]
    graph.node.extend(ordered)


def _weaken(graph: onnx.GraphProto, keep_values: bool) -> None:
    """Drops what the model claims of shapes that inference finds by itself.

    onnxruntime too lets a wrong claim pass.
    """
    if not keep_values:
        del graph.value_info[:]
    for value in graph.output:
        if value.type.WhichOneof("value") == "tensor_type":
            value.type.tensor_type.ClearField("shape")


def _infer(model: bytes) -> onnx.GraphProto:
    """The graph with all types; shapes computed from shapes are followed if that works.

    What ONNX finds wrong inside of bodies and of operators that are functions is left for the run to
    find: there its inference also stumbles over valid models.
    """
    try:
        return _inferred(model, strict_mode=True, data_prop=True)
    except onnx.shape_inference.InferenceError:
        pass
    try:
        return _inferred(model, strict_mode=True, data_prop=False)
    except onnx.shape_inference.InferenceError as error:
        message = str(error).strip()
        if "unsupported type" in message:
            raise InvalidGraph(f"This is an invalid model. Type Error: {message}") from error
        if message.count("Inference error(s)") < 2:
            raise Fail(message) from error
    return _inferred(model, strict_mode=False, data_prop=True)


def _inferred(model: bytes, strict_mode: bool, data_prop: bool) -> onnx.GraphProto:
    return onnx.shape_inference.infer_shapes(
        model, check_type=True, strict_mode=strict_mode, data_prop=data_prop
    ).graph
