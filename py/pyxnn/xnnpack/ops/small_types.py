"""Numbers of less than a byte and floats of one, which lie in a byte each: made of others and back by tables."""

from __future__ import annotations

from functools import cache

import numpy as np
import onnx
from onnx.helper import tensor_dtype_to_np_dtype

from pyxnn.xnnpack import kernels
from pyxnn.xnnpack.lowering import Lowering
from pyxnn.xnnpack.values import Value

_Type = onnx.TensorProto

INTEGERS = {
    tensor_dtype_to_np_dtype(type): (np.dtype(name), limits)
    for type, name, limits in (
        (_Type.INT4, "int8", (-8, 7)),
        (_Type.UINT4, "uint8", (0, 15)),
        (_Type.INT2, "int8", (-2, 1)),
        (_Type.UINT2, "uint8", (0, 3)),
    )
}
"""Integers of less than a byte: the type that they are computed in, the least and the greatest."""

_FLOATS_OF_A_BYTE = {
    tensor_dtype_to_np_dtype(type)
    for type in (_Type.FLOAT8E4M3FN, _Type.FLOAT8E4M3FNUZ, _Type.FLOAT8E5M2, _Type.FLOAT8E5M2FNUZ)
}

_POWERS = tensor_dtype_to_np_dtype(_Type.FLOAT8E8M0)

FLOATS = {*_FLOATS_OF_A_BYTE, _POWERS, tensor_dtype_to_np_dtype(_Type.FLOAT4E2M1)}


def widened(ctx: Lowering, x: Value) -> Value:
    """Small integers in whole bytes, small floats as float32; others as they are."""
    if x.dtype in INTEGERS:
        working, _ = INTEGERS[x.dtype]
        if x.is_constant:
            return kernels.cast(ctx, x, working)
        return kernels.lookup(ctx, x, _all_bytes(x.dtype).astype(working))
    if x.dtype in FLOATS:
        return kernels.widen(ctx, x, _all_bytes(x.dtype).astype(np.float32))
    return x


def integers(ctx: Lowering, x: Value, dtype: np.dtype) -> Value:
    """Numbers as small integers: those of their lowest bits."""
    working, _ = INTEGERS[dtype]
    return kernels.lookup(ctx, kernels.cast(ctx, x, working), _all_bytes(working).astype(dtype))


def floats(
    ctx: Lowering, x: Value, dtype: np.dtype, *, saturate: bool, round_mode: str = "up"
) -> Value:
    """The nearest small floats of float32.

    Args:
        saturate: whether those that are too large, infinity too, become the greatest; else NaN or infinity.
        round_mode: of powers of two: "nearest", "up" or "down".
    """
    return kernels.narrow(ctx, x, _table(dtype, saturate, round_mode))


@cache
def _table(dtype: np.dtype, saturate: bool, round_mode: str) -> np.ndarray:
    """What each upper half of a float32 becomes."""
    x = (np.arange(1 << 16, dtype=np.uint32) << 16).view(np.float32)
    with np.errstate(all="ignore"):
        if dtype == _POWERS:
            return onnx.numpy_helper.to_float8e8m0(x, saturate, round_mode)
        if saturate and dtype in _FLOATS_OF_A_BYTE:
            return onnx.numpy_helper.saturate_cast(x, dtype)
        return x.astype(dtype)


def _all_bytes(dtype: np.dtype) -> np.ndarray:
    """All values that the bytes of a type have, in the order of their bits."""
    return np.arange(256, dtype=np.uint8).view(dtype)
