"""Conversion of types."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from pyxnn.engine import Element, Kind
from pyxnn.xnnpack.values import Value

if TYPE_CHECKING:
    from pyxnn.xnnpack.lowering import Lowering


def element(dtype: np.dtype) -> Element:
    """A type as `pyxnn.h` names it."""
    return Element[dtype.name.upper()]


def working_type(dtype: np.dtype) -> np.dtype:
    """The type that kernels compute in: of narrow integers and bool, a wider one."""
    if dtype.kind not in "biu" or dtype.itemsize == 8:
        return dtype
    return np.dtype(np.int64 if dtype == np.uint32 else np.int32)


def cast(ctx: Lowering, x: Value, dtype: np.dtype) -> Value:
    """`x` converted to another type."""
    if x.dtype == dtype:
        return x
    if isinstance(x.source, np.ndarray):
        return replace(x, source=x.source.astype(dtype), dtype=dtype)
    if x.dtype.itemsize == dtype.itemsize and x.dtype.kind in "biu" and dtype.kind in "iu":
        return replace(x, dtype=dtype)
    output = ctx.new(x.shape, x.order, dtype)
    return ctx.step(Kind.CAST, [element(x.dtype), element(dtype)], [x.size], [x], output)
