"""Types of all values of a model, as onnx.shape_inference finds them.

In Pyodide protobuf is plain Python, and slow: so no message is copied here, and of what inference
gives back only the part that is wanted is parsed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import onnx
from onnx.onnx_cpp2py_export import shape_inference
from onnx.shape_inference import InferenceError, infer_node_outputs

from pyxnn import protos, wire
from pyxnn.errors import Fail, InvalidGraph
from pyxnn.graph import Graph, Node
from pyxnn.tensor_types import tensor_type


def infer(
    model: onnx.ModelProto,
    serialized: bytes | None,
    nodes: Sequence[Node],
    initializers: Mapping[str, np.ndarray],
    stripped: Collection[str],
) -> dict[str, onnx.TypeProto]:
    """The types of values by name; those that are alike are one object.

    What the model claims of shapes that inference finds by itself is dropped: onnxruntime too lets
    a wrong claim pass.

    Args:
        model: its long initializers may lack their data. It may be changed: don't use it
            afterwards.
        serialized: the same as bytes, None when they aren't at hand.
        nodes: those of the model, sorted.
        initializers: the model's.
        stripped: names of those that lack their data.

    Raises:
        InvalidGraph: an operator doesn't take the type of an input.
        Fail: shapes or types don't fit together.
    """
    is_new = _sort(model.graph, nodes) or serialized is None
    if is_new or serialized is None:
        serialized = model.SerializeToString()
    hidden = _hidden(model.graph, initializers, stripped)
    declared = {value.name for value in model.graph.input}
    changes = wire.Changes(
        outputs=[_weakened(value).SerializeToString() for value in model.graph.output],
        inputs=[_value(name, initializers[name]) for name in sorted(hidden - declared)],
        without={i for i, tensor in enumerate(model.graph.initializer) if tensor.name in hidden},
        keep_values=any(node.domain not in ("", "ai.onnx.ml") for node in nodes),
        # Before version 4, initializers had to be inputs.
        ir_version=onnx.IR_VERSION if is_new or hidden else 0,
    )
    types: dict[bytes, onnx.TypeProto] = {}
    found = {}
    for name, type in wire.value_types(_infer(wire.changed(serialized, changes))):
        if type not in types:
            types[type] = onnx.TypeProto.FromString(type)
        found[name] = types[type]
    return found


def infer_node(node: Node, graph: Graph) -> None:
    """Tells a graph the types of a node's outputs, as far as they follow from its inputs.

    What ONNX finds wrong is left for the run to find.
    """
    types = {name: protos.type_proto(graph.type(name)) for name in node.uses()}
    known = {name: type for name, type in types.items() if type is not None}
    if len(known) < len(types):
        return
    arrays = {name: graph.constant(name) for name in known}
    data = {
        name: onnx.numpy_helper.from_array(array)
        for name, array in arrays.items()
        if array is not None and array.nbytes <= wire.SHORT
    }
    opsets = [onnx.helper.make_opsetid(node.domain, node.since)]
    try:
        schema = onnx.defs.get_schema(node.op_type, node.since, node.domain)
        inferred = infer_node_outputs(
            schema, protos.node_proto(node), known, data, opset_imports=opsets
        )
    except (InferenceError, onnx.checker.ValidationError, onnx.defs.SchemaError):
        return
    graph.types.update((name, tensor_type(type)) for name, type in inferred.items())


def _sort(graph: onnx.GraphProto, nodes: Sequence[Node]) -> bool:
    """Puts the model's nodes in the order of `nodes`; says whether they weren't."""
    if all(proto.output == node.outputs for proto, node in zip(graph.node, nodes, strict=True)):
        return False
    position = {tuple(node.outputs): index for index, node in enumerate(nodes)}
    graph.node.sort(key=lambda proto: position[tuple(proto.output)])
    return True


def _hidden(
    graph: onnx.GraphProto, initializers: Mapping[str, np.ndarray], stripped: Collection[str]
) -> set[str]:
    """The initializers that inference can't take as they are, and gets as inputs.

    These are the sparse ones, and integers without their data, which it would look for.
    """
    return {sparse.values.name for sparse in graph.sparse_initializer} | {
        name
        for name, array in initializers.items()
        if array.dtype.kind == "i" and (array.nbytes > wire.SHORT or name in stripped)
    }


def _value(name: str, array: np.ndarray) -> bytes:
    elem_type = onnx.helper.np_dtype_to_tensor_dtype(array.dtype)
    return wire.tensor_value(name, elem_type, array.shape)


def _weakened(value: onnx.ValueInfoProto) -> onnx.ValueInfoProto:
    """An output without its shape."""
    if value.type.WhichOneof("value") == "tensor_type":
        value.type.tensor_type.ClearField("shape")
    return value


def _infer(model: bytes) -> bytes:
    """The model with all types; shapes computed from shapes are followed if that works.

    What ONNX finds wrong inside of bodies and of operators that are functions is left for the run to find: there its
    inference also stumbles over valid models.
    """
    try:
        return _inferred(model, strict_mode=True, data_prop=True)
    except InferenceError:
        pass
    try:
        return _inferred(model, strict_mode=True, data_prop=False)
    except InferenceError as error:
        message = str(error).strip()
        if "unsupported type" in message:
            raise InvalidGraph(f"This is an invalid model. Type Error: {message}") from error
        if message.count("Inference error(s)") < 2:
            raise Fail(message) from error
    return _inferred(model, strict_mode=False, data_prop=True)


def _inferred(model: bytes, strict_mode: bool, data_prop: bool) -> bytes:
    # onnx.shape_inference.infer_shapes would parse all of the result.
    return shape_inference.infer_shapes(model, True, strict_mode, data_prop)
