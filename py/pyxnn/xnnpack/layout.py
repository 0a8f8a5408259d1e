"""Orders of axes in memory, and how shapes fold so that few dimensions are left.

A tensor keeps its ONNX shape; its *order* lists its axes from the outermost to the innermost as they lie in memory. Row-major
(NCHW) is `(0, 1, 2, 3)`, channels-last (NHWC) `(0, 2, 3, 1)`. A Transpose changes names of axes, not memory, so it only gives
a value another order; bytes move where a kernel, or the border of the subgraph, needs an order that the value doesn't have.
Axes of extent 1 take no part: where they stand in an order makes no difference.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import lru_cache

cache = lru_cache(4096)
"""Of functions that plans ask the same again and again."""

Shape = tuple[int, ...]
Order = tuple[int, ...]
Axis = tuple[int, ...]
"""An axis that several tensors are gone through by: its extent, and its stride in each, 0 where a tensor is broadcast."""


def row_major(rank: int) -> Order:
    """The order of axes as ONNX has it: the last one is the innermost."""
    return tuple(range(rank))


def channels_last(rank: int) -> Order:
    """NHWC and its kin: axis 1 is the innermost; the same as row-major below rank 3."""
    return axis_last(row_major(rank), 1) if rank > 2 else row_major(rank)


def axis_last(order: Order, axis: int) -> Order:
    """The order with one axis moved to the innermost place."""
    return (*(a for a in order if a != axis), axis)


def physical(shape: Shape, order: Order) -> Shape:
    """The extents as they lie in memory."""
    return tuple(shape[axis] for axis in order)


@cache
def strides(shape: Shape, order: Order) -> tuple[int, ...]:
    """Elements from one index of each axis to the next, of a dense tensor."""
    found = dict.fromkeys(order, 0)
    step = 1
    for axis in reversed(order):
        found[axis] = step
        step *= shape[axis]
    return tuple(found[axis] for axis in range(len(shape)))


@cache
def same_order(shape: Shape, a: Order, b: Order) -> bool:
    """Whether tensors of this shape lie alike in both orders."""
    return a == b or _moving(shape, a) == _moving(shape, b)


def _moving(shape: Shape, order: Order) -> list[int]:
    return [axis for axis in order if shape[axis] != 1]


def prepend(order: Order, count: int) -> Order:
    """The order after `count` axes of extent 1 were put before all others, as broadcasting does."""
    return (*range(count), *(axis + count for axis in order))


def permute(order: Order, permutation: Sequence[int]) -> Order:
    """The order after ONNX's Transpose renamed the axes: new axis i is old axis `permutation[i]`."""
    place = {old: new for new, old in enumerate(permutation)}
    return tuple(place[axis] for axis in order)


def drop(order: Order, axes: Iterable[int]) -> Order:
    """The order after some axes were taken away and the others closed up."""
    kept = sorted(set(order).difference(axes))
    place = {old: new for new, old in enumerate(kept)}
    return tuple(place[axis] for axis in order if axis in place)


@cache
def reshape(shape: Shape, order: Order, new_shape: Shape) -> tuple[Order, Order]:
    """The order that a Reshape asks of its input, and the order of its output when the input has that.

    Runs of axes whose extents multiply to the same number on both sides form groups: (N, C, H, W) to (N, C, H*W) has the groups
    N, C and H with W. Only the axes of a group have to lie together and in sequence; the groups may keep the order that they
    have. So a Reshape that only merges pixels, or inserts axes of extent 1, takes channels-last values as they are.
    """
    groups = _groups(shape, new_shape)
    rank_of = {axis: place for place, axis in enumerate(order)}
    groups.sort(key=lambda group: min(rank_of[axis] for axis in group[0]))
    asked = [axis for old, _ in groups for axis in old]
    given = [axis for _, new in groups for axis in new]
    return _complete(asked, len(shape)), _complete(given, len(new_shape))


def _groups(shape: Shape, new_shape: Shape) -> list[tuple[list[int], list[int]]]:
    old_axes = [axis for axis, extent in enumerate(shape) if extent != 1]
    new_axes = [axis for axis, extent in enumerate(new_shape) if extent != 1]
    if 0 in shape:
        return [(old_axes, new_axes)]
    groups = []
    while old_axes:
        old, new = [old_axes.pop(0)], [new_axes.pop(0)]
        old_size, new_size = shape[old[0]], new_shape[new[0]]
        while old_size != new_size:
            if old_size < new_size:
                old.append(old_axes.pop(0))
                old_size *= shape[old[-1]]
            else:
                new.append(new_axes.pop(0))
                new_size *= new_shape[new[-1]]
        groups.append((old, new))
    return groups


def _complete(order: list[int], rank: int) -> Order:
    """Puts the axes of extent 1, which an order left out, before all others."""
    return (*(axis for axis in range(rank) if axis not in order), *order)


def fold_transpose(extents: Shape, permutation: Sequence[int]) -> tuple[list[int], list[int]]:
    """The same movement of bytes with fewer axes: those of extent 1 left out, those that stay side by side merged.

    Args:
        extents: of the input.
        permutation: output axis i is input axis `permutation[i]`.
    """
    kept = [axis for axis, extent in enumerate(extents) if extent != 1]
    runs: list[list[int]] = []
    for axis in (kept.index(axis) for axis in permutation if extents[axis] != 1):
        if runs and axis == runs[-1][-1] + 1:
            runs[-1].append(axis)
        else:
            runs.append([axis])
    in_sequence = sorted(runs)
    folded = [math.prod(extents[kept[axis]] for axis in run) for run in in_sequence]
    return folded, [in_sequence.index(run) for run in runs]


def fold_broadcast(a: Shape, b: Shape) -> tuple[list[int], list[int]]:
    """Two shapes of equal rank that broadcast, with neighbours merged that broadcast the same way; at least one axis."""
    folded_a: list[int] = []
    folded_b: list[int] = []
    previous = None
    for x, y in zip(a, b, strict=True):
        if x == 1 and y == 1:
            continue
        way = (x == 1, y == 1)
        if way == previous:
            folded_a[-1] *= x
            folded_b[-1] *= y
        else:
            folded_a.append(x)
            folded_b.append(y)
        previous = way
    return folded_a or [1], folded_b or [1]


def fold_axes(axes: Iterable[Axis], tensors: int) -> list[Axis]:
    """The same way through a number of tensors with as few axes as possible, but at least one."""
    folded: list[Axis] = []
    for extent, *strides in axes:
        if extent == 1:
            continue
        if folded and list(folded[-1][1:]) == [extent * stride for stride in strides]:
            folded[-1] = (folded[-1][0] * extent, *strides)
        else:
            folded.append((extent, *strides))
    return folded or [(1,) * (1 + tensors)]


def fold_reduce(extents: Shape, axes: Iterable[int]) -> tuple[list[int], list[int]]:
    """Extents and reduced axes with neighbours merged that are both reduced or both kept; axes of extent 1 left out."""
    reduced_axes = set(axes)
    folded: list[int] = []
    reduced: list[int] = []
    previous = None
    for axis, extent in enumerate(extents):
        if extent == 1:
            continue
        is_reduced = axis in reduced_axes
        if is_reduced == previous:
            folded[-1] *= extent
        else:
            if is_reduced:
                reduced.append(len(folded))
            folded.append(extent)
        previous = is_reduced
    return folded, reduced
