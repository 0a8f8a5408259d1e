"""ONNX models as graphs: reads bytes or a file, checks the model, infers shapes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.shape_inference

from pyxnn import check, errors, wire
from pyxnn.errors import Fail, InvalidArgument, InvalidGraph, InvalidProtobuf, NoSuchFile
from pyxnn.graph import Graph, Node, TensorType
from pyxnn.tensor_types import describe, dtype_of, tensor_type

OLDEST_OPSET = 7

_LARGEST_VERSION = 2**63 - 1
"""What onnxruntime gives for a model without a version."""


@dataclass(frozen=True)
class NodeArg:
    """An input or output of a model.

    Attributes:
        name: what `run` calls it.
        type: its type in onnxruntime's words, such as "tensor(float)".
        shape: extents: an int, the name of a symbolic extent, or None.
    """

    name: str
    type: str
    shape: list[int | str | None]

    def __str__(self) -> str:
        return f"NodeArg(name='{self.name}', type='{self.type}', shape={self.shape})"


@dataclass(frozen=True)
class ModelMetadata:
    """What a model says of itself."""

    producer_name: str = ""
    graph_name: str = ""
    domain: str = ""
    description: str = ""
    graph_description: str = ""
    version: int = _LARGEST_VERSION
    custom_metadata_map: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Model:
    """A checked model."""

    graph: Graph
    inputs: list[NodeArg]
    outputs: list[NodeArg]
    metadata: ModelMetadata


@dataclass(frozen=True)
class FreeDimensions:
    """Extents that the user fixes, by the name of the symbolic extent or by its denotation."""

    by_name: Mapping[str, int] = field(default_factory=dict)
    by_denotation: Mapping[str, int] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.by_name or self.by_denotation)


def load(
    source: str | os.PathLike[str] | bytes, free_dimensions: FreeDimensions | None = None
) -> Model:
    """Reads a model.

    Args:
        source: the path of a file, next to which external data is looked for, or the bytes of one. Initializers are views of
            these bytes wherever their type allows, so nothing of a model's weights is copied.
        free_dimensions: extents to fix.

    Raises:
        NoSuchFile: there is no file at the path.
        InvalidProtobuf: the bytes are no ONNX model, or not all of one.
        InvalidGraph: an operator or its form is unknown to ONNX; the message names the node.
        InvalidArgument: there is no graph, or a node uses a name that nothing defines.
        NotImplemented: the model's opset is older than 7.
        Fail: anything else that is wrong with the model: opset too new, names defined twice, cycles, shapes that don't fit,
            initializers without all their data.
    """
    if isinstance(source, bytes):
        return _Reader(
            _parse(source, "Failed to load model because protobuf parsing failed."), None
        ).read(free_dimensions)
    path = Path(source)
    failed = f"Load model from {path} failed:"
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise NoSuchFile(f"{failed}Load model {path} failed. File doesn't exist") from None
    except IsADirectoryError:
        raise InvalidProtobuf(f"{failed}Protobuf parsing failed. It is a directory") from None
    return _Reader(_parse(data, f"{failed}Protobuf parsing failed."), path.parent).read(
        free_dimensions
    )


def _parse(data: bytes, failed: str) -> _Parsed:
    try:
        stripped = wire.strip(data)
        model = onnx.ModelProto.FromString(stripped.model)
    except (
        Exception
    ) as error:  # protobuf's DecodeError is a class of its own in each of its implementations
        raise InvalidProtobuf(failed) from error
    if not model.HasField("graph"):
        raise InvalidArgument("No graph was found in the protobuf.")
    return _Parsed(model, stripped.payloads)


@dataclass(frozen=True)
class _Parsed:
    model: onnx.ModelProto
    payloads: dict[int, memoryview]


class _Reader:
    """The steps from a parsed model to a graph."""

    def __init__(self, parsed: _Parsed, directory: Path | None) -> None:
        self.proto = parsed.model
        self.payloads = parsed.payloads
        self.directory = directory

    def read(self, free_dimensions: FreeDimensions | None) -> Model:
        _rename_default_domain(self.proto)
        opsets = _opsets(self.proto)
        metadata = _metadata(self.proto)
        initializers = self._take_initializers()
        if self.proto.functions:
            self.proto = _inline_functions(self.proto, initializers)
        graph = self.proto.graph
        if free_dimensions:
            _fix_dimensions(graph, free_dimensions)
        inputs = [value for value in graph.input if value.name not in initializers]
        known = [*initializers, *(value.name for value in inputs)]
        outputs = [value.name for value in graph.output]
        nodes = check.sort(_nodes(graph.node, opsets), known, outputs)
        check.check(nodes, opsets)
        types, output_infos = self._infer(nodes, initializers)
        return Model(
            Graph(nodes, [value.name for value in inputs], outputs, initializers, types, opsets),
            [_node_arg(value) for value in inputs],
            [_node_arg(value) for value in output_infos],
            metadata,
        )

    def _take_initializers(self) -> dict[str, np.ndarray]:
        """Moves the initializers out of the model."""
        graph = self.proto.graph
        arrays = {}
        for index, tensor in enumerate(graph.initializer):
            if tensor.name in arrays:
                raise Fail(
                    f"This is an invalid model. Error: Duplicate definition of name ({tensor.name})."
                )
            arrays[tensor.name] = self._array(tensor, self.payloads.get(index))
        for sparse in graph.sparse_initializer:
            arrays[sparse.values.name] = dense(sparse)
        del graph.initializer[:], graph.sparse_initializer[:]
        return arrays

    def _array(self, tensor: onnx.TensorProto, payload: memoryview | None) -> np.ndarray:
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            payload = self._external(tensor)
        try:
            if payload is None:
                array = onnx.numpy_helper.to_array(tensor)
            else:
                dtype = dtype_of(tensor.data_type)
                if dtype is None or not _is_plain(tensor.data_type):
                    return onnx.numpy_helper.to_array(_with_raw_data(tensor, payload))
                array = np.frombuffer(payload, dtype).reshape(tensor.dims)
        except (ValueError, TypeError, KeyError) as error:
            raise Fail(
                f"Initializer '{tensor.name}': its data does not match the size expected from its shape "
                f"{list(tensor.dims)} and data type: {error}"
            ) from error
        array.flags.writeable = False
        return array

    def _external(self, tensor: onnx.TensorProto) -> memoryview:
        entries = {entry.key: entry.value for entry in tensor.external_data}
        location = entries.get("location", "")
        failed = f"External data path validation failed for initializer: {tensor.name}. Error: "
        if self.directory is None:
            raise Fail(
                f"{failed}a model loaded from bytes can't have data in '{location}': load it from its path"
            )
        path = (self.directory / location).resolve()
        if not location or not path.is_relative_to(self.directory.resolve()):
            raise Fail(f"{failed}'{location}' is not below the directory of the model")
        offset, length = int(entries.get("offset", 0)), int(entries.get("length", -1))
        try:
            with path.open("rb") as file:
                file.seek(offset)
                data = file.read(length)
        except OSError as error:
            raise Fail(f'{failed}External data path does not exist: "{path}"') from error
        return memoryview(data)

    def _infer(
        self, nodes: list[Node], initializers: dict[str, np.ndarray]
    ) -> tuple[dict[str, TensorType], list[onnx.ValueInfoProto]]:
        """Types of all values that ONNX's inference finds, and the model's outputs with what is known of them.

        Weights take part as inputs of a type, but short constants with their values, since shapes may depend on them.
        """
        proto = onnx.ModelProto()
        proto.CopyFrom(self.proto)
        graph = proto.graph
        _sort_protos(graph, nodes)
        _weaken(graph, keep_values=any(_is_foreign(node) for node in nodes))
        declared = {value.name for value in graph.input}
        for name, array in initializers.items():
            tensor = onnx.numpy_helper.from_array(array, name) if array.nbytes <= 1024 else None
            if tensor is not None:
                graph.initializer.append(tensor)
            elif name not in declared:
                elem_type = onnx.helper.np_dtype_to_tensor_dtype(array.dtype)
                graph.input.append(onnx.helper.make_tensor_value_info(name, elem_type, array.shape))
        inferred = _infer_shapes(proto.SerializeToString())
        infos = {
            value.name: value for value in (*inferred.value_info, *inferred.input, *inferred.output)
        }
        types = {
            name: tensor_type(info.type) for name, info in infos.items() if name not in initializers
        }
        outputs = [
            value if value.type.tensor_type.HasField("shape") else infos.get(value.name, value)
            for value in self.proto.graph.output
        ]
        return types, outputs


def _rename_default_domain(model: onnx.ModelProto) -> None:
    """Spells ONNX's own domain "", never "ai.onnx"."""
    for entry in (*model.opset_import, *model.graph.node):
        if entry.domain == "ai.onnx":
            entry.domain = ""


def _opsets(model: onnx.ModelProto) -> dict[str, int]:
    if not model.opset_import:
        raise Fail(
            "Missing opset in the model. All ModelProtos MUST have at least one entry that specifies which version of "
            "the ONNX OperatorSet is being imported."
        )
    if model.ir_version > onnx.IR_VERSION:
        raise Fail(
            f"Unsupported model IR version: {model.ir_version}, max supported IR version: {onnx.IR_VERSION}"
        )
    opsets = {entry.domain: entry.version for entry in model.opset_import}
    newest = onnx.defs.onnx_opset_version()
    version = opsets.get("", newest)
    if version > newest:
        raise Fail(
            f"Opset {version} of domain ai.onnx is not supported: pyxnn takes {OLDEST_OPSET} to {newest}."
        )
    if version < OLDEST_OPSET:
        raise errors.NotImplemented(
            f"Opset {version} of domain ai.onnx is not supported: pyxnn takes {OLDEST_OPSET} to {newest}. "
            "onnx.version_converter can convert the model."
        )
    return opsets


def _metadata(model: onnx.ModelProto) -> ModelMetadata:
    return ModelMetadata(
        model.producer_name,
        model.graph.name,
        model.domain,
        model.doc_string,
        model.graph.doc_string,
        model.model_version if model.HasField("model_version") else _LARGEST_VERSION,
        {entry.key: entry.value for entry in model.metadata_props},
    )


def _inline_functions(model: onnx.ModelProto, initializers: Iterable[str]) -> onnx.ModelProto:
    """The model with the functions that it brings along put in the place of their calls."""
    import onnx.inliner

    declared = {value.name for value in model.graph.input}
    placeholders = [onnx.ValueInfoProto(name=name) for name in initializers if name not in declared]
    model.graph.input.extend(placeholders)
    inlined = onnx.inliner.inline_local_functions(model)
    if placeholders:
        del inlined.graph.input[-len(placeholders) :]
    return inlined


def _fix_dimensions(graph: onnx.GraphProto, free_dimensions: FreeDimensions) -> None:
    for value in (*graph.input, *graph.output, *graph.value_info):
        for dim in value.type.tensor_type.shape.dim:
            extent = free_dimensions.by_name.get(dim.dim_param)
            if extent is None:
                extent = free_dimensions.by_denotation.get(dim.denotation)
            if extent is not None and not dim.HasField("dim_value"):
                dim.dim_value = extent


def _nodes(protos: Iterable[onnx.NodeProto], opsets: Mapping[str, int]) -> Iterator[Node]:
    for proto in protos:
        yield Node(
            proto.op_type,
            list(proto.input),
            list(proto.output),
            {attribute.name: _attribute(attribute) for attribute in proto.attribute},
            proto.domain,
            proto.name,
            opsets.get(proto.domain, 0),
            tuple(sorted({name for body in _bodies(proto) for name in _captures(body)})),
        )


def _attribute(attribute: onnx.AttributeProto) -> Any:
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
        yield from attribute.graphs


def _captures(body: onnx.GraphProto) -> set[str]:
    """The names that a body uses and does not define."""
    own = {value.name for value in (*body.input, *body.initializer)}
    own |= {sparse.values.name for sparse in body.sparse_initializer}
    used = {value.name for value in body.output}
    for node in body.node:
        own.update(node.output)
        used.update(node.input)
        for inner in _bodies(node):
            used |= _captures(inner)
    return used - own - {""}


def _sort_protos(graph: onnx.GraphProto, nodes: list[Node]) -> None:
    """Puts the model's nodes in the order of the graph's."""
    by_output = {name: proto for proto in graph.node for name in proto.output if name}
    ordered = [by_output[name] for node in nodes for name in list(node.defines())[:1]]
    copies = [onnx.NodeProto.FromString(proto.SerializeToString()) for proto in ordered]
    del graph.node[:]
    graph.node.extend(copies)


def _weaken(graph: onnx.GraphProto, keep_values: bool) -> None:
    """Drops what the model claims of shapes that inference finds by itself: onnxruntime too lets a wrong claim pass."""
    if not keep_values:
        del graph.value_info[:]
    for value in graph.output:
        if value.type.WhichOneof("value") == "tensor_type":
            value.type.tensor_type.ClearField("shape")


def _is_foreign(node: Node) -> bool:
    return node.domain not in ("", "ai.onnx.ml")


def _infer_shapes(model: bytes) -> onnx.GraphProto:
    """The graph with the types of all values; shapes computed from shapes are followed if that works.

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


def _node_arg(value: onnx.ValueInfoProto) -> NodeArg:
    return NodeArg(value.name, describe(value.type), list(tensor_type(value.type).shape or ()))


def _is_plain(elem_type: int) -> bool:
    """Whether an element has bytes of its own (those narrower than a byte share one)."""
    return onnx.TensorProto.DataType.Name(elem_type) not in _PACKED


_PACKED = {"UINT4", "INT4", "FLOAT4E2M1", "UINT2", "INT2", "FLOAT6E2M3", "FLOAT6E3M2", "STRING"}


def _with_raw_data(tensor: onnx.TensorProto, payload: memoryview) -> onnx.TensorProto:
    return onnx.TensorProto(data_type=tensor.data_type, dims=tensor.dims, raw_data=bytes(payload))


def dense(sparse: onnx.SparseTensorProto) -> np.ndarray:
    """A sparse tensor as an ordinary array; its indices are flat or one row a value."""
    values = onnx.numpy_helper.to_array(sparse.values)
    indices = onnx.numpy_helper.to_array(sparse.indices)
    array = np.zeros(tuple(sparse.dims), values.dtype)
    if indices.ndim == 1:
        array.flat[indices] = values
    else:
        array[tuple(indices.T)] = values
    array.flags.writeable = False
    return array
