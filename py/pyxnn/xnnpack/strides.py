"""The same steps over tensors whose rows lie apart: which kinds can do it, and which of their words are strides.

Lowerings lay down steps over dense tensors (a COPY's may be parts of larger ones). When a buffer is given a place inside a
larger one (see `slabs`), a step that touches it needs other words. Its way through a tensor is a nest of axes, each with an extent
and a stride; the nest is carried over to the new place and, where it still has the form that the kind takes, written down.
"""

from __future__ import annotations

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


class _Rows(NamedTuple):
    """A tensor that a kind takes in rows: elements of a row, and which of params and dims together says how far they lie apart."""

    length: int
    place: int


def restrided(step: Step, slabs: Mapping[Buffer, Slab]) -> Step | None:
    """The step with its tensors where `slabs` says; None when its kind can't have them there."""
    values = (*step.inputs, step.output)
    if not any(value.source in slabs for value in values if isinstance(value.source, Buffer)):
        return step
    if step.kind in _ELEMENTWISE:
        return _elementwise(step, values, slabs)
    return _by_rows(step, values, slabs)


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


_ELEMENTWISE = (Kind.COPY, Kind.UNARY, Kind.BINARY)


def nest(step: Step) -> list[Axis]:
    """How a step of an elementwise kind goes through its tensors: extents, and strides of each."""
    if step.kind is Kind.UNARY:
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
    if kind is Kind.COPY:
        return kernels.nest_words(axes)
    if any(stride > 1 for stride in axes[-1][1:]):
        axes = [*axes, (1,) * len(axes[-1])]
    if kind is Kind.BINARY:
        return kernels.nest_words(axes) if len(axes) <= kernels.MAX_DIMS else None
    if len(axes) > 2:
        return None
    (rows, *strides), (channels, *_) = [(1, *[axes[0][0]] * 2), *axes][-2:]
    return [rows, channels, *strides]


def _by_rows(step: Step, values: Sequence[Value], slabs: Mapping[Buffer, Slab]) -> Step | None:
    """Each tensor has a nest of its own: as many rows as before, or one dense row where the kind has no stride."""
    words = [*step.params, *step.dims]
    moved = []
    for value, rows in zip(values, _rows(step), strict=True):
        length = rows.length if rows else value.size
        count = value.size // length
        apart = int(words[rows.place]) if rows else length
        found = _moved([(count, apart), (length, 1)], 0, value, slabs)
        if found is None:
            return None
        axes, value = found
        pitch = _pitch(layout.fold_axes(axes, 1), count, length)
        if pitch is None or (rows is None and pitch != length):
            return None
        if rows is not None:
            words[rows.place] = pitch
        moved.append(value)
    params, dims = words[: len(step.params)], words[len(step.params) :]
    *inputs, output = moved
    return replace(
        step,
        params=tuple(params),
        dims=tuple(map(int, dims)),
        inputs=tuple(inputs),
        output=output,
    )


def _pitch(axes: list[Axis], count: int, length: int) -> int | None:
    """From row to row of a folded nest, if it is so many rows of such a length."""
    if axes == [(count * length, 1)]:
        return length
    extent, pitch = axes[0]
    row = [] if length == 1 else [(length, 1)]
    return pitch if extent == count and axes[1:] == row else None


def _rows(step: Step) -> list[_Rows | None]:
    """Input and output of a kind that takes them in rows; for other kinds None for each tensor."""
    params, dims = step.params, step.dims
    match step.kind:
        case Kind.CONVOLUTION | Kind.DECONVOLUTION:
            groups, inputs, outputs = map(int, params[10:13])
            lengths, place = (groups * inputs, groups * outputs), 13
        case Kind.FULLY_CONNECTED:
            lengths, place = (int(params[0]), int(params[1])), 2
        case Kind.DEPTHWISE:
            lengths, place = (int(params[8]),) * 2, len(params) + 3
        case Kind.MAX_POOL | Kind.AVERAGE_POOL:
            lengths, place = (dims[3],) * 2, len(params) + 4
        case Kind.PICK | Kind.RESAMPLE:
            lengths, place = (dims[1],) * 2, len(params) + 2
        case Kind.SOFTMAX:
            lengths, place = (dims[1],) * 2, len(params) + 2
        case _:
            return [None] * (len(step.inputs) + 1)
    rows = [_Rows(length, place + index) for index, length in enumerate(lengths)]
    tables = [None] * (len(step.inputs) - 1)
    return [rows[0], *tables, rows[1]]


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
