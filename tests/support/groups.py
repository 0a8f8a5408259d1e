"""What lies between the integers of a quantized model, group by group."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import onnx
from numpy.typing import NDArray
from onnx import helper

from tests.support import exact

Array = NDArray[Any]


class Group(NamedTuple):
    """The nodes behind a QuantizeLinear as a model, with its inputs, and what native onnxruntime made of it in the whole model."""

    data: bytes
    inputs: dict[str, Array]
    output: str
    expected: Array


def groups(model: onnx.ModelProto, feeds: Mapping[str, Array]) -> Iterator[Group]:
    """The groups of a model, whose inputs are what native onnxruntime has there.

    So a step that one group is off by isn't carried on and multiplied by those behind it.
    """
    graph = model.graph
    names = [n.output[0] for n in graph.node if n.op_type == "QuantizeLinear"]
    values = dict(feeds) | _native(model, names, feeds)
    makers = {name: node for node in graph.node for name in node.output}
    constants = {tensor.name: tensor for tensor in graph.initializer}
    for name in names:
        nodes: dict[int, onnx.NodeProto] = {}
        inputs: dict[str, Array] = {}
        waiting = [name]
        while waiting:
            node = makers[waiting.pop()]
            nodes[id(node)] = node
            for used in filter(None, node.input):
                if used in values:
                    inputs[used] = values[used]
                elif used in makers:
                    waiting.append(used)
        used_names = {used for node in nodes.values() for used in node.input}
        part = helper.make_graph(
            [node for node in graph.node if id(node) in nodes],
            "group",
            [_info(used, array) for used, array in inputs.items()],
            [_info(name, values[name])],
            [tensor for used, tensor in constants.items() if used in used_names],
        )
        data = helper.make_model(
            part, opset_imports=model.opset_import, ir_version=model.ir_version
        ).SerializeToString()
        yield Group(data, inputs, name, values[name])


def _native(
    model: onnx.ModelProto, names: list[str], feeds: Mapping[str, Array]
) -> dict[str, Array]:
    whole = onnx.ModelProto()
    whole.CopyFrom(model)
    whole.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    session = exact.session(whole.SerializeToString(), optimized=False)
    return dict(zip(names, session.run(names, dict(feeds)), strict=True))


def _info(name: str, array: Array) -> onnx.ValueInfoProto:
    kind = helper.np_dtype_to_tensor_dtype(array.dtype)
    return helper.make_tensor_value_info(name, kind, array.shape)
