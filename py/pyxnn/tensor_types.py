"""ONNX's element types: their names in onnxruntime's API and their NumPy counterparts."""

from __future__ import annotations

from functools import cache

import numpy as np
import onnx

from pyxnn.graph import Dim, TensorType

_NAMES = {"FLOAT": "float", "DOUBLE": "double"}


@cache
def dtype_of(elem_type: int) -> np.dtype | None:
    """The NumPy type of a TensorProto.DataType.

    It is ml_dtypes' for bfloat16 and narrower ones, object for strings, None for UNDEFINED.
    """
    if elem_type == onnx.TensorProto.UNDEFINED:
        return None
    return np.dtype(onnx.helper.tensor_dtype_to_np_dtype(elem_type))


@cache
def name_of(dtype: np.dtype) -> str:
    """The name of a NumPy type in onnxruntime's API, such as "tensor(float)"."""
    if dtype.kind in "OUST":
        return "tensor(string)"
    try:
        return _tensor_name(onnx.helper.np_dtype_to_tensor_dtype(dtype.newbyteorder("=")))
    except ValueError:
        return f"tensor({dtype})"


def describe(type: onnx.TypeProto) -> str:
    """The name of a type in onnxruntime's API, such as "tensor(float)" or "seq(tensor(int64))"."""
    kind = type.WhichOneof("value")
    if kind == "tensor_type":
        return _tensor_name(type.tensor_type.elem_type)
    if kind == "sparse_tensor_type":
        return "sparse_" + _tensor_name(type.sparse_tensor_type.elem_type)
    if kind == "sequence_type":
        return f"seq({describe(type.sequence_type.elem_type)})"
    if kind == "optional_type":
        return f"optional({describe(type.optional_type.elem_type)})"
    if kind == "map_type":
        key = onnx.TensorProto.DataType.Name(type.map_type.key_type).lower()
        return f"map({key},{describe(type.map_type.value_type)})"
    return ""


def tensor_type(type: onnx.TypeProto) -> TensorType:
    """What an ONNX type says of a tensor; nothing for other kinds of values."""
    if type.WhichOneof("value") != "tensor_type":
        return TensorType()
    tensor = type.tensor_type
    shape = tuple(_dim(dim) for dim in tensor.shape.dim) if tensor.HasField("shape") else None
    return TensorType(dtype_of(tensor.elem_type), shape)


def _dim(dim: onnx.TensorShapeProto.Dimension) -> Dim:
    if dim.HasField("dim_value"):
        return int(dim.dim_value) if dim.dim_value >= 0 else None
    return dim.dim_param or None


def _tensor_name(elem_type: int) -> str:
    name = onnx.TensorProto.DataType.Name(elem_type)
    return f"tensor({_NAMES.get(name, name.lower())})"
