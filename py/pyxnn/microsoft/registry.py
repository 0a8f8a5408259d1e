"""The table of onnxruntime's own operators; each module of the package adds its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, NamedTuple

import onnx
from onnx.defs import OpSchema
from onnx.shape_inference import InferenceContext

from pyxnn import errors, protos
from pyxnn.body import Body
from pyxnn.graph import Graph, Node
from pyxnn.tensor_types import tensor_type

DOMAIN = "com.microsoft"

Write = Callable[[Body], None]


class Operator(NamedTuple):
    """What is known of an operator.

    Attributes:
        write: writes the body of a node; raises NotImplemented, with a sentence, where it can't.
        inputs, outputs: the least and the most that a node has.
        attributes: the type of each.
        required: attributes without a default.
        before: the opset from which on ONNX has an operator of the name; None where it has none.
    """

    write: Write
    inputs: tuple[int, int]
    outputs: tuple[int, int]
    attributes: Mapping[str, OpSchema.AttrType]
    required: tuple[str, ...]
    before: int | None


_operators: dict[tuple[str, str], Operator] = {}

_TYPES = {
    float: OpSchema.AttrType.FLOAT,
    int: OpSchema.AttrType.INT,
    str: OpSchema.AttrType.STRING,
    list[float]: OpSchema.AttrType.FLOATS,
    list[int]: OpSchema.AttrType.INTS,
    list[str]: OpSchema.AttrType.STRINGS,
}


def operator(
    op_type: str,
    inputs: tuple[int, int],
    outputs: tuple[int, int] = (1, 1),
    *,
    domain: str = DOMAIN,
    required: Iterable[str] = (),
    before: int | None = None,
    **attributes: Any,
) -> Callable[[Write], Write]:
    """Makes the decorated function write the bodies of an operator.

    Args:
        op_type: its name.
        inputs, outputs: the least and the most that a node has.
        domain: where onnxruntime has it.
        required: the attributes without a default.
        before: the opset from which on ONNX has an operator of the name; None where it has none.
        attributes: the type of each.
    """

    def decorate(write: Write) -> Write:
        types = {name: _TYPES[type] for name, type in attributes.items()}
        _operators[domain, op_type] = Operator(
            write, inputs, outputs, types, tuple(required), before
        )
        return write

    return decorate


def is_known(node: Node) -> bool:
    """Whether a node's operator has a body here."""
    operator = _operators.get((node.domain, node.op_type))
    return operator is not None and (operator.before is None or node.since < operator.before)


def body(node: Node, graph: Graph) -> Body:
    """What a known node is made of.

    Raises:
        NotImplemented: the body of this form of the node isn't known; the message says what is in the way.
    """
    result = Body(graph, node)
    _operators[node.domain, node.op_type].write(result)
    return result


@contextmanager
def schemas() -> Iterator[None]:
    """Tells onnx of the operators for a while, so that it checks their nodes and infers types across them.

    Not for good: onnx.reference can't be imported while operators of two domains have one name.
    """
    own = [_schema(*key, operator) for key, operator in _operators.items()]
    added = [
        schema
        for schema in own
        if not onnx.defs.has(schema.name, schema.since_version, schema.domain)
    ]
    for schema in added:
        onnx.defs.register_schema(schema)
    try:
        yield
    finally:
        for schema in added:
            onnx.defs.deregister_schema(schema.name, schema.since_version, schema.domain)


def _schema(domain: str, op_type: str, operator: Operator) -> OpSchema:
    inputs = _parameters("input", *operator.inputs)
    outputs = _parameters("output", *operator.outputs)
    schema = OpSchema(
        op_type,
        domain,
        1,
        inputs=inputs,
        outputs=outputs,
        type_constraints=[
            (parameter.type_str, sorted(_ANY), "") for parameter in (*inputs, *outputs)
        ],
        attributes=[
            OpSchema.Attribute(name, type, required=name in operator.required)
            for name, type in operator.attributes.items()
        ],
    )
    schema.set_type_and_shape_inference_function(partial(_infer, domain, op_type))
    return schema


_ANY = {
    f"tensor({name})"
    for name in (
        "float",
        "float16",
        "bfloat16",
        "double",
        "int32",
        "int64",
        "bool",
        "int8",
        "uint8",
        "int4",
        "uint4",
    )
}


def _parameters(kind: str, least: int, most: int) -> list[OpSchema.FormalParameter]:
    """Each of a type of its own: the bodies know which must agree."""
    options = OpSchema.FormalParameterOption
    return [
        OpSchema.FormalParameter(
            f"{kind}_{index}",
            f"{kind}_type_{index}",
            param_option=options.Single if index < least else options.Optional,
        )
        for index in range(most)
    ]


def _infer(domain: str, op_type: str, context: InferenceContext) -> None:
    """Finds the types of a node's outputs: those that the outputs of its body have."""
    operator = _operators[domain, op_type]
    inputs = [
        f"input_{index}" if context.has_input(index) else ""
        for index in range(context.get_num_inputs())
    ]
    types, constants = {}, {}
    for index, name in enumerate(inputs):
        type, data = context.get_input_type(index), context.get_input_data(index)
        if type is not None:
            types[name] = tensor_type(type)
        if data is not None:
            with suppress(ValueError):  # the data of long ones may be elsewhere
                constants[name] = onnx.numpy_helper.to_array(data)
    given = {name: context.get_attribute(name) for name in operator.attributes}
    node = Node(
        op_type,
        inputs,
        [f"output_{index}" for index in range(context.get_num_outputs())],
        {name: protos.attribute(value) for name, value in given.items() if value is not None},
        domain,
    )
    graph = Graph([], [], [], constants, types)
    try:
        body(node, graph)
    except errors.NotImplemented:
        return
    for index, name in enumerate(node.outputs):
        found = protos.type_proto(graph.type(name))
        if found is not None:
            context.set_output_type(index, found)
