"""ONNX's messages and what the graph has in their place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

import onnx

from pyxnn.graph import Node, TensorType


def nodes(
    protos: Iterable[onnx.NodeProto],
    opsets: Mapping[str, int],
    given: Mapping[str, Any] | None = None,
) -> Iterator[Node]:
    """Nodes in their sequence, at the versions that a model or a function imports.

    Args:
        protos: the nodes.
        opsets: version by domain.
        given: the attributes of the function that the nodes are in.
    """
    for proto in protos:
        yield Node(
            proto.op_type,
            list(proto.input),
            list(proto.output),
            _attributes(proto, given or {}),
            proto.domain,
            proto.name,
            opsets.get(proto.domain, 0),
            tuple(sorted({name for body in _bodies(proto) for name in captures(body)})),
        )


def _attributes(proto: onnx.NodeProto, given: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes of a node; in a function some of them are the function's own."""
    values = {}
    for entry in proto.attribute:
        if not entry.ref_attr_name:
            values[entry.name] = attribute(entry)
        elif entry.ref_attr_name in given:
            values[entry.name] = given[entry.ref_attr_name]
    return values


def attribute(attribute: onnx.AttributeProto) -> Any:
    """The value of an attribute, as `Node.attributes` has it."""
    value = onnx.helper.get_attribute_value(attribute)
    if attribute.type == onnx.AttributeProto.STRING:
        return value.decode()
    if attribute.type == onnx.AttributeProto.STRINGS:
        return [item.decode() for item in value]
    if attribute.type == onnx.AttributeProto.TENSOR:
        return onnx.numpy_helper.to_array(value)
    if attribute.type == onnx.AttributeProto.TENSORS:
        return [onnx.numpy_helper.to_array(item) for item in value]
    return list(value) if attribute.type in _LISTS else value


_LISTS = (onnx.AttributeProto.INTS, onnx.AttributeProto.FLOATS, onnx.AttributeProto.GRAPHS)


def _bodies(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    for attribute in node.attribute:
        if attribute.type == onnx.AttributeProto.GRAPH:
            yield attribute.g
        elif attribute.type == onnx.AttributeProto.GRAPHS:
            yield from attribute.graphs


def captures(body: onnx.GraphProto) -> set[str]:
    """The names that a body uses and does not define."""
    own = {value.name for value in (*body.input, *body.initializer)}
    own |= {sparse.values.name for sparse in body.sparse_initializer}
    used = {value.name for value in body.output}
    for node in body.node:
        own.update(node.output)
        used.update(node.input)
        for inner in _bodies(node):
            used |= captures(inner)
    return used - own - {""}


def node_proto(node: Node) -> onnx.NodeProto:
    """A node in ONNX's form."""
    result = onnx.NodeProto(
        op_type=node.op_type,
        input=node.inputs,
        output=node.outputs,
        name=node.name,
        domain=node.domain,
    )
    types = _attribute_types(node)
    for name, value in node.attributes.items():
        result.attribute.append(
            onnx.helper.make_attribute(name, _message(value), attr_type=types.get(name))
        )
    return result


def _message(value: Any) -> Any:
    if hasattr(value, "dtype"):
        return onnx.numpy_helper.from_array(value)
    return [_message(item) for item in value] if isinstance(value, list) else value


def _attribute_types(node: Node) -> dict[str, int]:
    """The types of attributes by the operator's schema: an empty list doesn't tell its own."""
    try:
        schema = onnx.defs.get_schema(node.op_type, node.since, node.domain)
    except onnx.defs.SchemaError:
        return {}
    return {name: cast("int", attribute.type) for name, attribute in schema.attributes.items()}


def type_proto(type: TensorType) -> onnx.TypeProto | None:
    """A tensor's type in ONNX's form; None when that of its elements isn't known."""
    if type.dtype is None:
        return None
    elem_type = onnx.helper.np_dtype_to_tensor_dtype(type.dtype)
    return onnx.helper.make_tensor_type_proto(elem_type, type.shape)
