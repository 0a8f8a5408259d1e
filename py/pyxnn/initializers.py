"""The weights of a model as NumPy arrays: views of the model's bytes wherever possible."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx

from pyxnn import wire
from pyxnn.errors import Fail
from pyxnn.tensor_types import dtype_of

_NO_VIEWS = {
    onnx.TensorProto.DataType.Value(name)
    for name in ("UINT4", "INT4", "FLOAT4E2M1", "UINT2", "INT2", "STRING")
}
"""Types whose elements share bytes, or have none of their own."""


def read(
    graph: onnx.GraphProto, payloads: Mapping[int, wire.Payload], directory: Path | None
) -> dict[str, np.ndarray]:
    """The initializers of a graph.

    Args:
        graph: that has them.
        payloads: those that `wire.strip` took out, by position in the list of initializers.
        directory: where external data is; None for a model that came as bytes.

    Returns:
        Read-only arrays by name.

    Raises:
        Fail: two have the same name, or the data of one is not there or does not fit its shape.
    """
    arrays = {}
    for index, tensor in enumerate(graph.initializer):
        if tensor.name in arrays:
            raise Fail(
                f"This is an invalid model. Error: Duplicate definition of name ({tensor.name})."
            )
        payload = payloads.get(index)
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            payload = wire.Payload(_external(tensor, directory), is_varints=False)
        arrays[tensor.name] = _array(tensor, payload)
    for sparse in graph.sparse_initializer:
        arrays[sparse.values.name] = dense(sparse)
    for array in arrays.values():
        array.flags.writeable = False
    return arrays


def owned(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Read-only copies of the arrays that are views of other memory, such as a model's bytes."""
    copies = {name: array.copy() for name, array in arrays.items() if array.base is not None}
    for array in copies.values():
        array.flags.writeable = False
    return copies


def dense(sparse: onnx.SparseTensorProto) -> np.ndarray:
    """A sparse tensor as an ordinary array; its indices are flat or one row a value."""
    values = onnx.numpy_helper.to_array(sparse.values)
    indices = onnx.numpy_helper.to_array(sparse.indices)
    array = np.zeros(tuple(sparse.dims), values.dtype)
    if indices.ndim == 1:
        array.flat[indices] = values
    else:
        array[tuple(indices.T)] = values
    return array


def _array(tensor: onnx.TensorProto, payload: wire.Payload | None) -> np.ndarray:
    try:
        if payload is None:
            return onnx.numpy_helper.to_array(tensor)
        integers = wire.integers(payload.data) if payload.is_varints else None
        if tensor.data_type in _NO_VIEWS:
            whole = onnx.TensorProto(data_type=tensor.data_type, dims=tensor.dims)
            if integers is None:
                whole.raw_data = bytes(payload.data)
            else:
                whole.int32_data.extend(integers.tolist())
            return onnx.numpy_helper.to_array(whole)
        dtype = dtype_of(tensor.data_type)
        if integers is None or dtype is None:
            return np.frombuffer(payload.data, dtype).reshape(tensor.dims)
        bits = integers.astype(f"u{dtype.itemsize}")  # of float16 and narrower types, too
        return bits.view(dtype).reshape(tensor.dims)
    except (ValueError, TypeError, KeyError) as error:
        raise Fail(
            f"Initializer '{tensor.name}': its data does not match the size expected from its shape "
            f"{list(tensor.dims)} and data type: {error}"
        ) from error


def _external(tensor: onnx.TensorProto, directory: Path | None) -> memoryview:
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location = entries.get("location", "")
    failed = f"External data path validation failed for initializer: {tensor.name}. Error: "
    if directory is None:
        raise Fail(
            f"{failed}a model loaded from bytes can't have data in '{location}': load it from its path"
        )
    path = (directory / location).resolve()
    if not location or not path.is_relative_to(directory.resolve()):
        raise Fail(f"{failed}'{location}' is not below the directory of the model")
    try:
        with path.open("rb") as file:
            file.seek(int(entries.get("offset", 0)))
            return memoryview(file.read(int(entries.get("length", -1))))
    except OSError as error:
        raise Fail(f'{failed}External data path does not exist: "{path}"') from error
