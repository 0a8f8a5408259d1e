"""ONNX models as graphs: reads bytes or a file, checks the model, infers shapes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import onnx

from pyxnn import check, errors, inference, initializers, microsoft, protos, wire
from pyxnn.errors import Fail, InvalidArgument, InvalidProtobuf, NoSuchFile
from pyxnn.graph import Graph
from pyxnn.tensor_types import describe, tensor_type

OLDEST_OPSET = 7
"""What the passes know; models of older opsets are converted to it."""

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

    @classmethod
    def of(cls, name: str, type: onnx.TypeProto) -> NodeArg:
        """The argument of a name and an ONNX type."""
        return cls(name, describe(type), list(tensor_type(type).shape or ()))

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
        source: the path of a file, next to which external data is looked for, or the bytes of one.
            Initializers are views of these bytes wherever their type allows, so that none of a
            model's weights is copied.
        free_dimensions: extents to fix.

    Raises:
        NoSuchFile: there is no file at the path.
        InvalidProtobuf: the bytes are no ONNX model, or not all of one.
        InvalidGraph: an operator or its form is unknown to ONNX; the message names the node.
        InvalidArgument: there is no graph, or a node uses a name that nothing defines.
        NotImplemented: the model's opset is older than 7, and can't be converted.
        Fail: anything else that is wrong with the model: opset too new, names defined twice,
            cycles, shapes that don't fit, initializers without all their data.
    """
    if isinstance(source, bytes):
        return _read(
            source, None, "Failed to load model because protobuf parsing failed.", free_dimensions
        )
    path = Path(source)
    failed = f"Load model from {path} failed:"
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise NoSuchFile(f"{failed}Load model {path} failed. File doesn't exist") from None
    except IsADirectoryError:
        raise InvalidProtobuf(f"{failed}Protobuf parsing failed. It is a directory") from None
    return _read(data, path.parent, f"{failed}Protobuf parsing failed.", free_dimensions)


def _read(
    data: bytes, directory: Path | None, failed: str, free_dimensions: FreeDimensions | None
) -> Model:
    try:
        stripped = wire.strip(data)
        proto = onnx.ModelProto.FromString(stripped.model)
    except Exception as error:  # each implementation of protobuf has its own DecodeError
        raise InvalidProtobuf(failed) from error
    if not proto.HasField("graph"):
        raise InvalidArgument("No graph was found in the protobuf.")
    renamed = _rename_default_domain(proto)
    metadata = _metadata(proto)
    constants = initializers.read(proto.graph, stripped.payloads, directory)
    lacking = {proto.graph.initializer[position].name for position in stripped.payloads}
    given = proto
    proto = _inline(_convert(proto))
    opsets = {entry.domain: entry.version for entry in proto.opset_import}
    if free_dimensions:
        _fix_dimensions(proto.graph, free_dimensions)
    graph = proto.graph
    inputs = [value for value in graph.input if value.name not in constants]
    outputs = [value.name for value in graph.output]
    known = {*constants, *(value.name for value in inputs)}
    nodes = check.sort(protos.nodes(graph.node, opsets), known, outputs)
    known_to_onnx = not any(map(microsoft.is_known, nodes))
    input_args = [NodeArg.of(value.name, value.type) for value in inputs]
    declared = [_declared(value) for value in graph.output]
    changed = renamed or proto is not given or bool(free_dimensions)
    with nullcontext() if known_to_onnx else microsoft.schemas():
        check.check(nodes, opsets)
        serialized = None if changed else stripped.model
        types = inference.infer(proto, serialized, nodes, constants, lacking)
    alike = {id(type): type for type in types.values()}
    tensor_types = {key: tensor_type(type) for key, type in alike.items()}
    return Model(
        Graph(
            nodes,
            [arg.name for arg in input_args],
            outputs,
            constants,
            {name: tensor_types[id(type)] for name, type in types.items() if name not in constants},
            opsets,
        ),
        input_args,
        [
            arg or NodeArg.of(name, types.get(name, onnx.TypeProto()))
            for name, arg in zip(outputs, declared, strict=True)
        ],
        metadata,
    )


def _rename_default_domain(model: onnx.ModelProto) -> bool:
    """Spells ONNX's own domain "", never "ai.onnx"; says whether it wasn't."""
    long = [
        entry for entry in (*model.opset_import, *model.graph.node) if entry.domain == "ai.onnx"
    ]
    for entry in long:
        entry.domain = ""
    return bool(long)


def _convert(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model at an opset that the passes know."""
    if not model.opset_import:
        raise Fail(
            "Missing opset in the model. All ModelProtos MUST have at least one entry that specifies "
            "which version of the ONNX OperatorSet is being imported."
        )
    if model.ir_version > onnx.IR_VERSION:
        raise Fail(
            f"Unsupported model IR version: {model.ir_version}, max supported IR version: "
            f"{onnx.IR_VERSION}"
        )
    newest = onnx.defs.onnx_opset_version()
    version = next((entry.version for entry in model.opset_import if not entry.domain), newest)
    refused = (
        f"Opset {version} of domain ai.onnx is not supported: "
        f"pyxnn takes {OLDEST_OPSET} to {newest}."
    )
    if version > newest:
        raise Fail(refused)
    if version >= OLDEST_OPSET:
        return model
    from onnx.version_converter import ConvertError, convert_version

    try:
        return convert_version(model, OLDEST_OPSET)
    except (RuntimeError, ConvertError) as error:
        raise errors.NotImplemented(f"{refused} It can't be converted: {error}") from error


def _inline(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with the functions that it brings along put in the place of their calls."""
    if not model.functions:
        return model
    from onnx.inliner import inline_local_functions

    return inline_local_functions(model)


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


def _fix_dimensions(graph: onnx.GraphProto, free_dimensions: FreeDimensions) -> None:
    for value in (*graph.input, *graph.output, *graph.value_info):
        for dim in value.type.tensor_type.shape.dim:
            extent = free_dimensions.by_name.get(dim.dim_param)
            if extent is None:
                extent = free_dimensions.by_denotation.get(dim.denotation)
            if extent is not None and not dim.HasField("dim_value"):
                dim.dim_value = extent


def _declared(value: onnx.ValueInfoProto) -> NodeArg | None:
    """An output as the model declares it; None when it leaves the type or the shape open."""
    kind = value.type.WhichOneof("value")
    if kind is None or (kind == "tensor_type" and not value.type.tensor_type.HasField("shape")):
        return None
    return NodeArg.of(value.name, value.type)
