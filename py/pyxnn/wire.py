"""Takes the weights out of a serialised ONNX model without copying them.

Protobuf's own parser copies every byte of a model. Here only the frame of its wire format is read:
what is long is left where it is, and the rest, a few kilobytes, goes to the parser.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

# Field numbers of onnx.proto.
_MODEL_GRAPH = 7
_GRAPH_INITIALIZER = 5
_GRAPH_INPUT, _GRAPH_OUTPUT, _GRAPH_VALUE_INFO = 11, 12, 13
_TENSOR_FLOAT_DATA, _TENSOR_RAW_DATA, _TENSOR_DOUBLE_DATA = 4, 9, 10
_PAYLOADS = {_TENSOR_FLOAT_DATA, _TENSOR_RAW_DATA, _TENSOR_DOUBLE_DATA}

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5

SHORT = 1024
"""Payloads of up to so many bytes stay in the model: inference reads shapes, axes and the like."""


class MalformedError(ValueError):
    """The bytes don't follow the wire format."""


class Stripped(NamedTuple):
    """A model and its long payloads.

    Attributes:
        model: the serialised model without the payloads.
        payloads: by position in the graph's list of initializers, the bytes of `raw_data`, or of
            packed `float_data` or `double_data`, as views of the bytes given.
    """

    model: bytes
    payloads: dict[int, memoryview]


def strip(data: bytes | memoryview) -> Stripped:
    """Takes the payloads of large initializers out of a serialised ModelProto.

    Raises:
        MalformedError: the bytes are not a protobuf message, or not all of one.
    """
    data = memoryview(data)
    payloads: dict[int, memoryview] = {}
    model: list[bytes | memoryview] = []
    initializers = 0
    for field in _fields(data):
        if field.number != _MODEL_GRAPH or field.wire_type != _BYTES:
            model.append(field.whole)
            continue
        graph: list[bytes | memoryview] = []
        for part in _fields(field.value):
            if part.number != _GRAPH_INITIALIZER or part.wire_type != _BYTES:
                graph.append(part.whole)
                continue
            if len(part.value) > SHORT:
                tensor, payload = _strip_tensor(part.value)
                graph.append(_message(_GRAPH_INITIALIZER, tensor))
                if payload is not None:
                    payloads[initializers] = payload
            else:
                graph.append(part.whole)
            initializers += 1
        model.append(_message(_MODEL_GRAPH, b"".join(graph)))
    return Stripped(b"".join(model), payloads)


def values(model: bytes) -> bytes:
    """A serialised GraphProto of nothing but the inputs, outputs and value_info of a model."""
    return b"".join(
        part.whole
        for field in _fields(memoryview(model))
        if field.number == _MODEL_GRAPH
        for part in _fields(field.value)
        if part.number in (_GRAPH_INPUT, _GRAPH_OUTPUT, _GRAPH_VALUE_INFO)
    )


def with_outputs(model: bytes, outputs: Iterable[bytes], keep_values: bool) -> bytes:
    """A serialised model with other outputs.

    Args:
        model: the model.
        outputs: serialised ValueInfoProtos.
        keep_values: whether its value_info stays.
    """
    dropped = {_GRAPH_OUTPUT} if keep_values else {_GRAPH_OUTPUT, _GRAPH_VALUE_INFO}
    parts: list[bytes | memoryview] = []
    for field in _fields(memoryview(model)):
        if field.number == _MODEL_GRAPH:
            graph = [part.whole for part in _fields(field.value) if part.number not in dropped]
            parts.append(_message(_MODEL_GRAPH, b"".join(graph)))
        else:
            parts.append(field.whole)
    new = b"".join(_message(_GRAPH_OUTPUT, output) for output in outputs)
    return b"".join([*parts, _message(_MODEL_GRAPH, new)])


def _strip_tensor(tensor: memoryview) -> tuple[bytes, memoryview | None]:
    """A serialised TensorProto without its payload, and that, if it is long and in one piece."""
    fields = list(_fields(tensor))
    pieces = [field for field in fields if field.number in _PAYLOADS]
    if len(pieces) != 1 or pieces[0].wire_type != _BYTES or len(pieces[0].value) <= SHORT:
        return bytes(tensor), None
    return b"".join(field.whole for field in fields if field is not pieces[0]), pieces[0].value


class _Field(NamedTuple):
    number: int
    wire_type: int
    whole: memoryview
    """Tag, length and value."""
    value: memoryview


def _fields(message: memoryview) -> Iterator[_Field]:
    position, end = 0, len(message)
    while position < end:
        start = position
        tag, position = _read_varint(message, position)
        number, wire_type = tag >> 3, tag & 7
        begin = position
        if wire_type == _BYTES:
            length, begin = _read_varint(message, position)
            position = begin + length
        elif wire_type == _VARINT:
            _, position = _read_varint(message, position)
        elif wire_type == _FIXED32:
            position += 4
        elif wire_type == _FIXED64:
            position += 8
        else:
            raise MalformedError(f"wire type {wire_type} at byte {start}")
        if number == 0 or position > end:
            raise MalformedError(f"field {number} ends beyond its message")
        yield _Field(number, wire_type, message[start:position], message[begin:position])


def _read_varint(message: memoryview, position: int) -> tuple[int, int]:
    value = shift = 0
    while position < len(message) and shift < 70:
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
    raise MalformedError("a number is cut off")


def _varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _message(number: int, value: bytes) -> bytes:
    """A field that holds a message."""
    return _varint(number << 3 | _BYTES) + _varint(len(value)) + value
