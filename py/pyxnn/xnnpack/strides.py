"""The same steps over tensors whose rows lie apart: which kinds can do it, and which of their words are strides.

Lowerings lay down steps over dense tensors (a COPY's may be parts of larger ones). When a buffer is given a place inside a
larger one (see `slabs`), a step that touches it needs other words. Its way through a tensor is a nest of axes, each with an extent
and a stride; the nest is carried over to the new place and, where it still has the form that the kind takes, written down.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from pyxnn.engine import Kind
from pyxnn.xnnpack import kernels, layout
from pyxnn.xnnpack.layout import Axis
from pyxnn.xnnpack.steps import Step
from pyxnn.xnnpack.values import Buffer, Value


class Slab(NamedTuple):
    """Where a buffer lies in another: each of its rows of `row` bytes `pitch` bytes after the one before, from byte `start` on.

    Dense ones have a pitch of `row`, whatever their rows are.
    """

    buffer: Buffer
    row: int
    start: int
    pitch: int


class _Form(NamedTuple):
    """How a kind goes through one of its tensors: so many times so many dense pieces, whose strides are words.

    Attributes:
        extents: how many pieces there are along each axis.
        places: of their strides among dims.
        length: elements of a piece.
    """

    extents: tuple[int, ...]
    places: tuple[int, ...]
    length: int


def restrided(step: Step, slabs: Mapping[Buffer, Slab]) -> Step | None:
    """The step with its tensors where `slabs` says; None when its kind can't have them there."""
    values = (*step.inputs, step.output)
    if not any(value.source in slabs for value in values if isinstance(value.source, Buffer)):
        return step
    if step.kind in _ELEMENTWISE:
        return _elementwise(step, values, slabs)
    return _by_pieces(step, values, slabs)


def _elementwise(step: Step, values: Sequence[Value], slabs: Mapping[Buffer, Slab]) -> Step | None:
    """All tensors go through one nest, which each may need to be split further."""
    axes = nest(step)
    moved = []
    for place, value in enumerate(values):
        found = _moved(axes, place, value, slabs)
        if found is None:
            return None
        axes, value = found
        moved.append(value)
    dims = _words(step.kind, layout.fold_axes(axes, len(values)))
    *inputs, output = moved
    if dims is None:
        return None
    return replace(step, dims=tuple(dims), inputs=tuple(inputs), output=output)


_NESTS = (Kind.COPY, Kind.TYPED_BINARY, Kind.SELECT)
"""Kinds that take any nest; but for COPY their output is dense."""

_ROWS = (Kind.UNARY, Kind.FUNCTION, Kind.LOOKUP)
"""Kinds that take rows of one tensor."""

_ELEMENTWISE = (*_NESTS, *_ROWS, Kind.BINARY, Kind.BINARY_QS8, Kind.MULTIPLY_ADD)


def nest(step: Step) -> list[Axis]:
    """How a step of an elementwise kind goes through its tensors: extents, and strides of each."""
    if step.kind in _ROWS:
        rows, channels, in_stride, out_stride = step.dims
        axes = [(rows, in_stride, out_stride), (channels, 1, 1)]
    else:
        rank, *words = step.dims
        signed = [word - (1 << 32) if word >> 31 else word for word in words]
        columns = [signed[begin : begin + rank] for begin in range(0, len(words), rank)]
        axes = list(zip(*columns, strict=True))
    return layout.fold_axes(axes, 1 + len(step.inputs))


def _words(kind: Kind, axes: list[Axis]) -> list[int] | None:
    """The dims words of a nest; None when the kind has none for it."""
    if kind in _NESTS:
        size = math.prod(axis[0] for axis in axes)
        is_dense = layout.fold_axes([(axis[0], axis[-1]) for axis in axes], 1) == [(size, 1)]
        return kernels.nest_words(axes) if is_dense or kind is Kind.COPY else None
    if kind is Kind.BINARY_QS8:
        return kernels.nest_words(axes) if all(stride <= 1 for stride in axes[-1][1:]) else None
    if kind in (Kind.BINARY, Kind.MULTIPLY_ADD):
        return kernels.nest_words(axes)
    if any(stride > 1 for stride in axes[-1][1:]):
        axes = [*axes, (1,) * len(axes[-1])]
    if len(axes) > 2:
        return None
    (rows, *strides), (channels, *_) = [(1, *[axes[0][0]] * 2), *axes][-2:]
    return [rows, channels, *strides]


def _by_pieces(step: Step, values: Sequence[Value], slabs: Mapping[Buffer, Slab]) -> Step | None:
    """Each tensor has a nest of its own, which has to keep its form."""
    dims = list(step.dims)
    moved = []
    for value, form in zip(values, _forms(step, values), strict=True):
        strides = [dims[place] for place in form.places]
        axes: list[Axis] = [*zip(form.extents, strides, strict=True), (form.length, 1)]
        found = _moved(axes, 0, value, slabs)
        if found is None or len(found[0]) != len(axes) or found[0][-1] != axes[-1]:
            return None
        for place, (_, stride) in zip(form.places, found[0], strict=False):
            dims[place] = stride
        moved.append(found[1])
    *inputs, output = moved
    return replace(step, dims=tuple(dims), inputs=tuple(inputs), output=output)


def _forms(step: Step, values: Sequence[Value]) -> list[_Form]:
    """Of each tensor; one dense piece where the kind has no stride for it."""
    params, dims = step.params, step.dims
    if step.kind is Kind.ATTENTION:
        return _attention_forms(step)
    match step.kind:
        case (
            Kind.CONVOLUTION
            | Kind.WINOGRAD
            | Kind.DECONVOLUTION
            | Kind.CONVOLUTION_QS8
            | Kind.WINOGRAD_QS8
        ):
            groups, inputs, outputs = map(int, params[6:9])
            lengths, place = (groups * inputs, groups * outputs), 7
        case Kind.FULLY_CONNECTED | Kind.FULLY_CONNECTED_QS8:
            lengths, place = (int(params[0]), int(params[1])), 1
        case Kind.DEPTHWISE:
            lengths, place = (int(params[4]),) * 2, 7
        case Kind.DEPTHWISE_QS8:
            lengths, place = (int(params[6]),) * 2, 7
        case Kind.PICK | Kind.POOL | Kind.RESAMPLE:
            lengths, place = (dims[1],) * 2, 2
        case Kind.SOFTMAX:
            lengths, place = (dims[1] * dims[2],) * 2, 3
        case _:
            return [_Form((), (), value.size) for value in values]
    first, *others, last = values
    ends = [
        _Form((value.size // max(length, 1),), (place + index,), length)
        for index, (value, length) in enumerate(zip((first, last), lengths, strict=True))
    ]
    return [ends[0], *(_Form((), (), value.size) for value in others), ends[1]]


def _attention_forms(step: Step) -> list[_Form]:
    batch, heads, kv_heads, queries, keys, size, value_size = step.dims[:7]
    mask_keys = step.dims[22]
    pieces = [
        (heads, queries, size),
        (kv_heads, keys, size),
        (kv_heads, keys, value_size),
        (heads, queries, value_size),
        (heads, queries, mask_keys),
    ]
    first = 7
    query, key, value, output, mask = (
        _Form((batch, *extents), tuple(range(place, place + 3)), length)
        for place, (*extents, length) in zip(range(first, first + 15, 3), pieces, strict=True)
    )
    nothing = _Form((), (), 1)
    has_mask, has_lengths = step.params[2:]
    lengths = _Form((), (), batch) if has_lengths else nothing
    return [query, key, value, mask if has_mask else nothing, lengths, output]


def _moved(
    axes: list[Axis], place: int, value: Value, slabs: Mapping[Buffer, Slab]
) -> tuple[list[Axis], Value] | None:
    """A nest and one of its tensors, the one with the strides `place`, where its buffer's slab is; None when that has no form.

    An axis must step from row to row or stay inside a row, or be split into one that does and one that does.
    """
    if not isinstance(value.source, Buffer) or value.source not in slabs:
        return axes, value
    slab = slabs[value.source]
    if slab.row == slab.pitch:
        return axes, replace(value, source=slab.buffer, offset=slab.start + value.offset)
    size = value.dtype.itemsize
    if any(nbytes % size for nbytes in (slab.row, slab.start, slab.pitch)):
        return None
    row_size, pitch = slab.row // size, slab.pitch // size
    row, last = divmod(value.offset // size, row_size)
    offset = slab.start + row * slab.pitch + last * size
    nest: list[Axis] = []
    for axis in axes:
        extent, stride = axis[0], axis[1 + place]
        if stride < 0:
            return None
        if stride == 0 or extent == 1:
            nest.append(axis)
        elif stride % row_size == 0:
            nest.append(_with_stride(axis, place, stride // row_size * pitch))
        elif (extent - 1) * stride < row_size:
            nest.append(axis)
            last += (extent - 1) * stride
        else:
            inside = row_size // stride
            if row_size % stride or extent % inside:
                return None
            outer = (extent // inside, *(other * inside for other in axis[1:]))
            nest += [_with_stride(outer, place, pitch), (inside, *axis[1:])]
            last += (inside - 1) * stride
    if last >= row_size:
        return None
    return nest, replace(value, source=slab.buffer, offset=offset)


def _with_stride(axis: Axis, place: int, stride: int) -> Axis:
    return (*axis[: 1 + place], stride, *axis[2 + place :])
