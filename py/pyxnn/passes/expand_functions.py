"""Puts the body of an operator that ONNX defines as a function in its place, where XNNPACK then runs all of it.

The body is that of the node's own opset, else that of the newest. Constants in it are computed at once.
Must not fire on an operator that XNNPACK has, or that has a kernel of ours on the CPU provider, nor where a node of the body
would run on the CPU provider.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import onnx

from pyxnn import inference, partition, protos, xnnpack
from pyxnn.body import NEWEST
from pyxnn.cpu import quick
from pyxnn.graph import Graph, Node
from pyxnn.passes import (
    attributes_to_inputs,
    constant_nodes,
    dead_code,
    eliminate_identity,
    fold_constants,
    softmax_form,
)
from pyxnn.passes.rewrite import each_node, to_fixed_point


def run(graph: Graph) -> bool:
    return each_node(graph, _expand)


def _expand(node: Node, graph: Graph) -> Sequence[Node] | None:
    schema = _schema(node.op_type, node.since, node.domain)
    if schema is None or quick.find(node) is not None or xnnpack.supports(node, graph) is None:
        return None
    function = _function(node, graph, schema)
    if function is None:
        return None
    body = _body(node, graph, function, schema)
    to_fixed_point(body, _PASSES)
    planned = partition.planned_nodes(body)
    if any(inner not in planned and xnnpack.supports(inner, body) for inner in body.nodes):
        return None
    return _moved(body, graph, {*node.uses(), *node.defines()})


_PASSES = (
    constant_nodes.run,
    attributes_to_inputs.run,
    softmax_form.run,
    fold_constants.run,
    eliminate_identity.run,
    dead_code.run,
    run,
)


@cache
def _schema(op_type: str, since: int, domain: str) -> Any:
    """The onnx.defs.OpSchema that has the function of an operator; None when there is none."""
    for version in (since, NEWEST):
        try:
            schema: Any = onnx.defs.get_schema(op_type, version, domain)
        except onnx.defs.SchemaError:
            continue
        if schema.has_function or schema.has_context_dependent_function:
            return schema
    return None


def _function(node: Node, graph: Graph, schema: Any) -> onnx.FunctionProto | None:
    """The function of a node; None where it depends on a type that isn't known."""
    if schema.has_function:
        return onnx.FunctionProto.FromString(
            schema.get_function_with_opset_version(schema.function_opset_versions[-1])
        )
    types = [
        protos.type_proto(graph.type(name)) if name else onnx.TypeProto() for name in node.inputs
    ]
    if None in types:
        return None
    version = schema.context_dependent_function_opset_versions[-1]
    serialized = schema.get_context_dependent_function_with_opset_version(
        version,
        protos.node_proto(node).SerializeToString(),
        [type.SerializeToString() for type in types if type is not None],
    )
    return onnx.FunctionProto.FromString(serialized) if serialized else None


def _body(node: Node, graph: Graph, function: onnx.FunctionProto, schema: Any) -> Graph:
    """The function as a graph of its own, between the node's inputs and outputs."""
    names = dict.fromkeys(function.input, "")
    names |= dict(zip(function.input, node.inputs, strict=False))
    outputs = dict(zip(function.output, node.outputs, strict=False))
    names |= {inner: outer for inner, outer in outputs.items() if outer}
    imported = {entry.domain: entry.version for entry in function.opset_import}
    opsets = {**graph.opsets, **imported}  # some functions import nothing
    defaults = {
        name: protos.attribute(attribute.default_value)
        for name, attribute in schema.attributes.items()
        if attribute.default_value.type
    }
    inner = [
        replace(
            part,
            inputs=[names.get(name, name) for name in part.inputs],
            outputs=[names.get(name, name) for name in part.outputs],
            name=node.name,
        )
        for part in protos.nodes(function.node, opsets, {**defaults, **node.attributes})
    ]
    used = set(node.uses())
    body = Graph(
        inner,
        [name for name in used if graph.constant(name) is None],
        list(node.defines()),
        {name: array for name in used if (array := graph.constant(name)) is not None},
        {name: graph.type(name) for name in (*used, *node.defines())},
        opsets,
    )
    constant_nodes.run(body)
    for part in list(body.nodes):
        inference.infer_node(part, body)
        fold_constants.fold(part, body)
    return body


def _moved(body: Graph, graph: Graph, kept: set[str]) -> list[Node]:
    """The nodes of a body under names that are free in a graph, which learns their constants and types."""
    names = {name: name for name in kept} | {"": ""}
    nodes = []
    for node in body.nodes:
        for name in (*node.inputs, *node.outputs):
            if name not in names:
                names[name] = graph.fresh(f"{node.name or node.op_type}_{name}")
        inputs, outputs = ([names[name] for name in part] for part in (node.inputs, node.outputs))
        nodes.append(replace(node, inputs=inputs, outputs=outputs))
    for inner, outer in names.items():
        array = body.constant(inner)
        if array is not None:
            graph.initializers[outer] = array
        elif inner in body.types and inner not in kept:
            graph.types[outer] = body.types[inner]
    return nodes
