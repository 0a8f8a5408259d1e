"""Axes of tensors as kernels go through them, and what to do where there are too many."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from pyxnn.xnnpack import layout
from pyxnn.xnnpack.layout import Axis
from pyxnn.xnnpack.values import Value

if TYPE_CHECKING:
    from pyxnn.xnnpack.lowering import Lowering

MAX_DIMS = 6
"""The most dimensions that XNNPACK's kernels take."""


def aligned(ctx: Lowering, *values: Value) -> list[Value]:
    """Values of equal rank and in a common order, for broadcasting."""
    rank = max(value.rank for value in values)
    return ctx.arranged_alike([value.expanded(rank) for value in values])


def nest(*values: Value) -> list[Axis]:
    """The way through inputs and an output of one rank and order, inputs broadcast."""
    strides = (_broadcast_strides(value) for value in values)
    return layout.fold_axes(zip(values[-1].physical, *strides, strict=True), len(values))


def _broadcast_strides(value: Value) -> list[int]:
    """By axis as they lie in memory; 0 where it is broadcast."""
    physical = value.physical
    strides = layout.strides(physical, layout.row_major(value.rank))
    return [0 if extent == 1 else stride for extent, stride in zip(physical, strides, strict=True)]


def nest_words(axes: Sequence[Axis]) -> list[int]:
    """The dims words of kinds that go through their tensors by any strides."""
    columns = zip(*axes, strict=True)
    return [len(axes), *(word for column in columns for word in column)]


def outermost(value: Value, index: int) -> Value:
    """The part of a value at an index of its outermost axis in memory; the whole of one that broadcasts along it.

    The other axes are renamed so that they are row-major.
    """
    first, *rest = value.physical
    shape, order = tuple(rest), layout.row_major(len(rest))
    if first == 1:
        return value.viewed(shape, order)
    if isinstance(value.source, np.ndarray):
        return Value.constant(value.source[index])
    offset = value.offset + index * math.prod(shape) * value.dtype.itemsize
    return replace(value, shape=shape, order=order, offset=offset)


def along(x: Value, axis: int) -> list[int]:
    """As they lie in memory: the extent of all axes outside of one, of itself, and of those inside."""
    place = x.order.index(axis)
    return [math.prod(x.physical[:place]), x.shape[axis], math.prod(x.physical[place + 1 :])]
