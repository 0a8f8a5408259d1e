"""Takes the weights out of a serialised ONNX model without copying them, and changes what lies around them.

Protobuf's own parser copies every byte of a model, and in Pyodide it is plain Python: each integer of a bias takes it a
microsecond. Here only the frame of its wire format is read: what is long is left where it is, and the rest, a few
kilobytes, goes to the parser.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

# Field numbers of onnx.proto.
_MODEL_IR_VERSION, _MODEL_GRAPH = 1, 7
_GRAPH_INITIALIZER, _GRAPH_SPARSE_INITIALIZER = 5, 15
_GRAPH_INPUT, _GRAPH_OUTPUT, _GRAPH_VALUE_INFO = 11, 12, 13
_TENSOR_FLOAT_DATA, _TENSOR_RAW_DATA, _TENSOR_DOUBLE_DATA = 4, 9, 10
_TENSOR_INT32_DATA, _TENSOR_INT64_DATA, _TENSOR_UINT64_DATA = 5, 7, 11
_VALUE_NAME, _VALUE_TYPE = 1, 2
_TYPE_TENSOR, _TENSOR_ELEM_TYPE, _TENSOR_SHAPE, _SHAPE_DIM, _DIM_VALUE = 1, 1, 2, 1, 1

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5

SHORT = 1024
"""Payloads of up to so many bytes stay in the model: inference reads shapes, axes and the like."""

_FEW = 64
"""The same of `int32_data`, where small types are, and biases; shapes are int64."""

_PAYLOADS = {
    _TENSOR_FLOAT_DATA: SHORT,
    _TENSOR_RAW_DATA: SHORT,
    _TENSOR_DOUBLE_DATA: SHORT,
    _TENSOR_INT32_DATA: _FEW,
    _TENSOR_INT64_DATA: SHORT,
    _TENSOR_UINT64_DATA: SHORT,
}
_VARINTS = {_TENSOR_INT32_DATA, _TENSOR_INT64_DATA, _TENSOR_UINT64_DATA}


class MalformedError(ValueError):
    """The bytes don't follow the wire format."""


class Payload(NamedTuple):
    """The data of a tensor.

    Attributes:
        data: the bytes of `raw_data`, or of a packed list, as a view of the bytes given.
        is_varints: whether that is a list of integers, of which each takes as many bytes as it needs.
    """

    data: memoryview
    is_varints: bool


class Stripped(NamedTuple):
    """A model and its long payloads.

    Attributes:
        model: the serialised model without the payloads.
        payloads: by position in the graph's list of initializers.
    """

    model: bytes
    payloads: dict[int, Payload]


def strip(data: bytes | memoryview) -> Stripped:
    """Takes the payloads of large initializers out of a serialised ModelProto.

    Raises:
        MalformedError: the bytes are not a protobuf message, or not all of one.
    """
    data = memoryview(data)
    payloads: dict[int, Payload] = {}
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
            if len(part.value) > _FEW:
                tensor, payload = _strip_tensor(part.value)
                graph.append(_message(_GRAPH_INITIALIZER, tensor))
                if payload is not None:
                    payloads[initializers] = payload
            else:
                graph.append(part.whole)
            initializers += 1
        model.append(_message(_MODEL_GRAPH, b"".join(graph)))
    return Stripped(b"".join(model), payloads)


def integers(varints: memoryview) -> np.ndarray:
    """The integers of a packed list, as int64; unsigned ones from 2^63 on are negative.

    Raises:
        MalformedError: the last one is cut off, or one takes more than ten bytes.
    """
    data = np.frombuffer(varints, np.uint8)
    lasts = np.flatnonzero(data < 0x80)
    if data.size and (not lasts.size or lasts[-1] != data.size - 1):
        raise MalformedError("a number is cut off")
    firsts = np.concatenate([[0], lasts[:-1] + 1])[: lasts.size]
    places = np.arange(data.size) - np.repeat(firsts, lasts - firsts + 1)
    if places.max(initial=0) > 9:
        raise MalformedError("a number takes more than ten bytes")
    parts = (data & 0x7F).astype(np.uint64) << (7 * places).astype(np.uint64)
    return np.bitwise_or.reduceat(parts, firsts).view(np.int64) if data.size else np.empty(0, int)


def value_types(model: bytes) -> Iterator[tuple[str, bytes]]:
    """The names of the value_info, inputs and outputs of a serialised model, in this order, and their serialised TypeProtos."""
    found: dict[int, list[tuple[str, bytes]]] = {
        number: [] for number in (_GRAPH_VALUE_INFO, _GRAPH_INPUT, _GRAPH_OUTPUT)
    }
    for field in _fields(memoryview(model)):
        for part in _fields(field.value) if field.number == _MODEL_GRAPH else ():
            if part.number in found:
                value = {each.number: bytes(each.value) for each in _fields(part.value)}
                name, type = value.get(_VALUE_NAME, b""), value.get(_VALUE_TYPE, b"")
                found[part.number].append((name.decode(), type))
    for values in found.values():
        yield from values


def tensor_value(name: str, elem_type: int, shape: Sequence[int]) -> bytes:
    """The serialised ValueInfoProto of a tensor."""
    dims = (_message(_SHAPE_DIM, _number(_DIM_VALUE, extent)) for extent in shape)
    tensor = _number(_TENSOR_ELEM_TYPE, elem_type) + _message(_TENSOR_SHAPE, b"".join(dims))
    type = _message(_TYPE_TENSOR, tensor)
    return _message(_VALUE_NAME, name.encode()) + _message(_VALUE_TYPE, type)


class Changes(NamedTuple):
    """What becomes of a serialised model.

    Attributes:
        outputs: instead of its own, serialised ValueInfoProtos.
        inputs: beside its own.
        without: positions of initializers that it loses.
        keep_values: whether its value_info stays.
        ir_version: instead of its own; 0 for that.
    """

    outputs: Iterable[bytes]
    inputs: Iterable[bytes]
    without: Collection[int]
    keep_values: bool
    ir_version: int


def changed(model: bytes, changes: Changes) -> bytes:
    """A serialised model with changes, and without sparse initializers."""
    dropped = {_GRAPH_OUTPUT, _GRAPH_SPARSE_INITIALIZER}
    if not changes.keep_values:
        dropped.add(_GRAPH_VALUE_INFO)
    parts: list[bytes | memoryview] = []
    initializers = 0
    for field in _fields(memoryview(model)):
        if field.number != _MODEL_GRAPH:
            parts.append(field.whole)
            continue
        graph: list[bytes | memoryview] = []
        for part in _fields(field.value):
            is_initializer = part.number == _GRAPH_INITIALIZER
            if part.number not in dropped and not (
                is_initializer and initializers in changes.without
            ):
                graph.append(part.whole)
            initializers += is_initializer
        parts.append(_message(_MODEL_GRAPH, b"".join(graph)))
    new = [_message(_GRAPH_OUTPUT, output) for output in changes.outputs]
    new += [_message(_GRAPH_INPUT, input) for input in changes.inputs]
    version = _number(_MODEL_IR_VERSION, changes.ir_version) if changes.ir_version else b""
    return b"".join([*parts, _message(_MODEL_GRAPH, b"".join(new)), version])


def _strip_tensor(tensor: memoryview) -> tuple[bytes, Payload | None]:
    """A serialised TensorProto without its payload, and that, if it is long and in one piece."""
    fields = list(_fields(tensor))
    pieces = [field for field in fields if field.number in _PAYLOADS]
    if len(pieces) != 1 or pieces[0].wire_type != _BYTES:
        return bytes(tensor), None
    (piece,) = pieces
    if len(piece.value) <= _PAYLOADS[piece.number]:
        return bytes(tensor), None
    rest = b"".join(field.whole for field in fields if field is not piece)
    return rest, Payload(piece.value, piece.number in _VARINTS)


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


def _number(number: int, value: int) -> bytes:
    """A field that holds an integer that isn't negative."""
    return _varint(number << 3 | _VARINT) + _varint(value)


def _message(number: int, value: bytes) -> bytes:
    """A field that holds a message."""
    return _varint(number << 3 | _BYTES) + _varint(len(value)) + value
