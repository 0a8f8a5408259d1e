"""The bodies of If, Loop and Scan as graphs of their own.

What a body captures of the graphs around it are inputs, or initializers where they are constants there: the same arrays, so
that they take no more memory.
"""

from __future__ import annotations

import numpy as np
import onnx

from pyxnn import check, errors, inference, initializers, protos, wire
from pyxnn.graph import Graph, Node, TensorType
from pyxnn.tensor_types import tensor_type


def graph_of(body: onnx.GraphProto, outer: Graph) -> tuple[Graph, list[TensorType]]:
    """A body as a graph, and the types of its outputs as the body declares them.

    The graph's inputs are those of the body, then what it captures. If it has inputs of its own, no extents are known in it:
    they may change from one iteration to the next, whatever is declared.

    Raises:
        InvalidArgument, Fail: names in the body are undefined, or defined twice.
    """
    constants = initializers.read(body, {}, None)
    own = [value.name for value in body.input if value.name not in constants]
    captured = sorted(protos.captures(body))
    constants |= {name: outer.initializers[name] for name in captured if name in outer.initializers}
    captured = [name for name in captured if name not in constants]
    outputs = [value.name for value in body.output]
    nodes = check.sort(
        protos.nodes(body.node, outer.opsets), {*constants, *own, *captured}, outputs
    )
    types = _types(body, nodes, constants, captured, outer)
    graph = Graph(nodes, [*own, *captured], outputs, constants, types, outer.opsets)
    declared = [graph.type(name) for name in outputs]
    if own:
        graph.types |= {
            name: TensorType(type.dtype, None if type.shape is None else (None,) * len(type.shape))
            for name, type in types.items()
            if name not in captured
        }
    return graph, declared


def _types(
    body: onnx.GraphProto,
    nodes: list[Node],
    constants: dict[str, np.ndarray],
    captured: list[str],
    outer: Graph,
) -> dict[str, TensorType]:
    """What inference finds of a body when it is a model; nothing but its inputs' types where that fails."""
    model = onnx.helper.make_model(
        body, opset_imports=[onnx.helper.make_opsetid(*entry) for entry in outer.opsets.items()]
    )
    graph = model.graph
    given = {value.name: tensor_type(value.type) for value in graph.input}
    given |= {name: outer.type(name) for name in captured}
    for name in captured:
        graph.input.append(onnx.ValueInfoProto(name=name, type=protos.type_proto(given[name])))
    present = {tensor.name for tensor in graph.initializer}
    for name in constants.keys() - present:
        array = constants[name]
        if array.nbytes <= wire.SHORT:
            graph.initializer.append(onnx.numpy_helper.from_array(array, name))
        else:
            type = protos.type_proto(TensorType(array.dtype, array.shape))
            graph.input.append(onnx.ValueInfoProto(name=name, type=type))
    try:
        found = inference.infer(model, None, nodes, constants, ())
    except errors.OnnxRuntimeError:
        return given
    types = {name: tensor_type(type) for name, type in found.items() if name not in constants}
    return types | given
