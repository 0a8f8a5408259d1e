"""The engine's operators as functions on values: each adds a step and returns its output.

Here, and nowhere else, is known which words `pyxnn.h` asks of each kind, which orders of axes its kernels take, and what
they can't do themselves: more than 6 dimensions, bounds after the fact.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pyxnn.engine import (
    BinaryType,
    CellType,
    DirectionType,
    Element,
    FunctionType,
    Kind,
    NormalizeType,
    PaddingType,
    PoolType,
    ReduceType,
    SampleType,
    SoftmaxType,
    UnaryType,
)
from pyxnn.xnnpack import layout
from pyxnn.xnnpack.fusion import NO_BOUNDS, Bounds
from pyxnn.xnnpack.layout import Axis, Shape
from pyxnn.xnnpack.steps import Label
from pyxnn.xnnpack.values import FLOAT32, Value

if TYPE_CHECKING:
    from pyxnn.xnnpack.lowering import Lowering

MAX_DIMS = 6
"""The most dimensions that XNNPACK's kernels take."""

_LONG_PIECE = 256
"""Elements in one piece from which on pieces are rows for `pick`."""

MAX_REDUCE_DIMS = 8
"""The most that our reductions take, neighbours merged."""

FUNCTION_PARAMETERS = 3
"""So many parameter words does an elementwise function have."""


@dataclass(frozen=True, slots=True)
class Window:
    """How a kernel slides over an image; each pair is (height, width)."""

    kernel: tuple[int, int]
    strides: tuple[int, int]
    dilations: tuple[int, int]
    before: tuple[int, int]
    after: tuple[int, int]

    @property
    def words(self) -> list[int]:
        """The first ten parameter words of convolutions and pools."""
        (top, left), (bottom, right) = self.before, self.after
        return [top, right, bottom, left, *self.kernel, *self.strides, *self.dilations]

    def extents(self, image: Shape) -> tuple[int, int]:
        """(height, width) of the output for an image of extents (width) or (height, width)."""
        height, width = (
            (extent + padding - reach) // stride + 1
            for extent, padding, reach, stride in self._axes(image)
        )
        return height, width

    def transposed_extents(self, image: Shape) -> tuple[int, int]:
        """(height, width) of what a transposed convolution makes of an image of extents (width) or (height, width)."""
        height, width = (
            (extent - 1) * stride + reach - padding
            for extent, padding, reach, stride in self._axes(image)
        )
        return height, width

    def _axes(self, image: Shape) -> Iterator[tuple[int, int, int, int]]:
        """For height and width: extent, padding on both sides, pixels that the window spans, stride."""
        extents = (1, *image)[-2:]
        for axis in (0, 1):
            padding = self.before[axis] + self.after[axis]
            reach = self.dilations[axis] * (self.kernel[axis] - 1) + 1
            yield extents[axis], padding, reach, self.strides[axis]

    @property
    def has_depthwise_kernel(self) -> bool:
        """Whether the engine's own depthwise kernel can do it."""
        return self.kernel[1] in (3, 5) and self.strides[1] in (1, 2) and self.dilations == (1, 1)


PIXEL = Window((1, 1), (1, 1), (1, 1), (0, 0), (0, 0))
"""The window of one pixel at each place."""


def convolution(
    ctx: Lowering,
    x: Value,
    window: Window,
    groups: int,
    kernel: np.ndarray,
    bias: np.ndarray | None,
    key: Hashable,
    shape: Shape,
    bounds: Bounds,
) -> Value:
    """2-D convolution; of a rank-3 `x`, 1-D.

    Args:
        x: (N, C, ...).
        kernel: [groups, output channels of a group, height, width, input channels of a group].
        bias: [output channels] or None.
        shape: of the output.
    """
    if kernel.shape[1] == kernel.shape[4] == 1 and window.has_depthwise_kernel:
        x = ctx.arrange(x, layout.channels_last(x.rank))
        params, dims = [*window.words[:8], groups, *bounds], [*_image(x), groups, groups]
        output = ctx.new(shape, x.order)
        return ctx.step(
            Kind.DEPTHWISE, params, dims, [x], output, kernel=kernel, bias=bias, key=key
        )
    return _convolution(ctx, Kind.CONVOLUTION, x, window, groups, kernel, bias, key, shape, bounds)


def deconvolution(
    ctx: Lowering,
    x: Value,
    window: Window,
    groups: int,
    kernel: np.ndarray,
    bias: np.ndarray | None,
    key: Hashable,
    bounds: Bounds,
) -> Value:
    """2-D transposed convolution; of a rank-3 `x`, 1-D.

    The arguments are those of `convolution`; the window's padding is taken off the output, which must not be smaller than
    the strides.
    """
    extents = window.transposed_extents(x.shape[2:])
    shape = (x.shape[0], groups * kernel.shape[1], *extents[4 - x.rank :])
    return _convolution(
        ctx, Kind.DECONVOLUTION, x, window, groups, kernel, bias, key, shape, bounds
    )


def _convolution(
    ctx: Lowering,
    kind: Kind,
    x: Value,
    window: Window,
    groups: int,
    kernel: np.ndarray,
    bias: np.ndarray | None,
    key: Hashable,
    shape: Shape,
    bounds: Bounds,
) -> Value:
    x = ctx.arrange(x, layout.channels_last(x.rank))
    group_channels = kernel.shape[4], kernel.shape[1]
    channels = groups * group_channels[0], groups * group_channels[1]
    params = [*window.words, groups, *group_channels, *channels, *bounds]
    output = ctx.new(shape, x.order)
    return ctx.step(kind, params, _image(x), [x], output, kernel=kernel, bias=bias, key=key)


@dataclass(frozen=True, slots=True)
class Slide:
    """How a window slides along one axis.

    Attributes:
        extent: of the image.
        out_extent: how many windows there are.
        kernel: taps of the window.
        offset: where the first tap of the first window lies.
    """

    extent: int
    out_extent: int
    kernel: int
    stride: int = 1
    dilation: int = 1
    offset: int = 0

    @property
    def words(self) -> list[int]:
        words = (self.extent, self.out_extent, self.kernel, self.stride, self.dilation, self.offset)
        return [word & 0xFFFFFFFF for word in words]


STILL = Slide(1, 1, 1)
"""Along an axis that isn't there."""

MAX_SLIDES = 3


def pool(
    ctx: Lowering,
    type: PoolType,
    x: Value,
    slides: Sequence[Slide],
    bounds: Bounds = NO_BOUNDS,
    counted: Sequence[tuple[int, int]] = (),
    power: float = 0.0,
) -> Value:
    """Windows over the axes of (N, C, ...), of which there may be three.

    Args:
        counted: by axis, how many pixels before and after the image count in a mean.
        power: of a norm.
    """
    x = ctx.arrange(x, layout.channels_last(x.rank))
    batch, channels = x.shape[:2]
    missing = MAX_SLIDES - len(slides)
    beyond = [(0, 0)] * missing + list(counted or [(0, 0)] * len(slides))
    axes = zip([STILL] * missing + list(slides), beyond, strict=True)
    words = [word for slide, pair in axes for word in (*slide.words, *pair)]
    is_place = type in (PoolType.POOL_ARGMAX, PoolType.POOL_ARGMAX_COLUMN_MAJOR)
    shape = (batch, channels, *(slide.out_extent for slide in slides))
    output = ctx.new(shape, x.order, np.dtype(np.int64) if is_place else x.dtype)
    params = [type, float(power), *bounds]
    return ctx.step(Kind.POOL, params, [batch, *[channels] * 3, *words], [x], output)


def convolution_nd(
    ctx: Lowering,
    x: Value,
    slides: Sequence[Slide],
    groups: int,
    kernel: np.ndarray | Value,
    bias: np.ndarray | Value | None,
    key: Hashable,
    output: Value,
    steps: Sequence[int],
    bounds: Bounds,
) -> None:
    """Convolution over the axes of (N, C, ...), of which there may be three, with weights that are constant or computed.

    Args:
        x: channels last.
        kernel: [groups, output channels of a group, taps along each axis, input channels of a group].
        bias: [output channels], constant or computed as the kernel is; None only for a constant one.
        output: where the first pixel goes.
        steps: by axis, batch first, floats from one pixel of the output to the next.
    """
    missing = MAX_SLIDES - len(slides)
    out_steps = [0] * missing + list(steps[1:])
    axes = zip([STILL] * missing + list(slides), out_steps, strict=True)
    words = [word for slide, step in axes for word in (*slide.words, step)]
    shape = kernel.shape
    params = [math.prod(shape[2:-1]), groups, shape[-1], shape[1], *bounds]
    dims = [x.shape[0], steps[0], *words]
    if isinstance(kernel, Value):
        assert isinstance(bias, Value)
        ctx.step(Kind.CONVOLUTION_COMPUTED, params, dims, [x, kernel, bias], output)
        return
    assert not isinstance(bias, Value)
    ctx.step(
        Kind.CONVOLUTION_ND, params, dims, [x], output, kernel=kernel, bias=bias, key=(key, shape)
    )


def _image(x: Value) -> list[int]:
    """Batch, height and width; a signal has height 1."""
    pixels = x.shape[2:] if x.rank == 4 else (1, x.shape[2])
    return [x.shape[0], *pixels]


def pad_pixels(ctx: Lowering, x: Value, window: Window, fill: float) -> Value:
    """The padding of a window, laid around the image."""
    x = ctx.arrange(x, layout.channels_last(x.rank))
    amounts = list(zip(window.before, window.after, strict=True))[4 - x.rank :]
    return pad(ctx, x, [(0, 0), (0, 0), *amounts], fill)


def fully_connected(
    ctx: Lowering,
    x: Value,
    kernel: np.ndarray,
    bias: np.ndarray | None,
    key: Hashable,
    *,
    transposed: bool,
    bounds: Bounds = NO_BOUNDS,
) -> Value:
    """The product of `x` [..., k] with constant weights, [k, n] if transposed, else [n, k], plus bias [n]."""
    x = ctx.arrange(x, layout.axis_last(x.order, x.rank - 1))
    k, n = kernel.shape if transposed else kernel.shape[::-1]
    if x.shape[-1] != k:
        raise ValueError(f"{x.shape[-1]} columns can't be multiplied with {k} rows")
    output = ctx.new((*x.shape[:-1], n), x.order)
    params = [k, n, k, n, *bounds, int(transposed)]
    return ctx.step(
        Kind.FULLY_CONNECTED,
        params,
        [math.prod(x.shape[:-1])],
        [x],
        output,
        kernel=kernel,
        bias=bias,
        key=key,
    )


def batch_matmul(ctx: Lowering, a: Value, b: Value) -> Value:
    """The product of `a` [..., m, k] and `b` [..., k, n], both of rank 2 at least, their batches broadcast."""
    rank = max(a.rank, b.rank)
    a, b = ctx.row_major(a.expanded(rank)), b.expanded(rank)
    order = layout.row_major(rank)
    swapped = (*order[:-2], rank - 1, rank - 2)
    transpose_b = b.has_order(swapped) and not b.has_order(order)
    b = ctx.arrange(b, swapped if transpose_b else order)
    (m, k), n = a.shape[-2:], b.shape[-1]
    if b.shape[-2] != k:
        raise ValueError(f"{k} columns can't be multiplied with {b.shape[-2]} rows")
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    output = ctx.new((*batch, m, n), order)
    return _batch_products(ctx, a, b, int(transpose_b), (m, k, n), output)


def _batch_products(
    ctx: Lowering, a: Value, b: Value, transpose_b: int, mkn: tuple[int, int, int], output: Value
) -> Value:
    batch_a, batch_b = layout.fold_broadcast(a.shape[:-2], b.shape[:-2])
    if len(batch_a) <= MAX_DIMS:
        dims = [len(batch_a), *batch_a, *batch_b, *mkn]
        return ctx.step(Kind.BATCH_MATMUL, [transpose_b], dims, [a, b], output)
    for index in range(output.shape[0]):
        part_a, part_b = outermost(a, index), outermost(b, index)
        _batch_products(ctx, part_a, part_b, transpose_b, mkn, outermost(output, index))
    return output


COMPARISONS = {BinaryType.EQUAL, BinaryType.LESS, BinaryType.LESS_EQUAL}

BITWISE = {BinaryType.AND, BinaryType.OR, BinaryType.XOR}


def binary(ctx: Lowering, type: BinaryType, a: Value, b: Value) -> Value:
    """An elementwise operation on two tensors of one type, broadcast as in NumPy; a comparison gives bool."""
    if a.dtype != FLOAT32 or type in COMPARISONS:
        return _typed_binary(ctx, type, a, b)
    a, b = _aligned(ctx, a, b)
    output = ctx.new(np.broadcast_shapes(a.shape, b.shape), a.order)
    _binary(ctx, type, a, b, output)
    return output


def _typed_binary(ctx: Lowering, type: BinaryType, a: Value, b: Value) -> Value:
    """On kernels of ours, which know few types: narrow integers are computed in wider ones."""
    compares, dtype = type in COMPARISONS, a.dtype
    working = dtype
    if dtype.itemsize == 1 and (type in BITWISE or type == BinaryType.EQUAL or dtype.kind == "b"):
        working = np.dtype(np.uint8)
    elif dtype.kind in "iu":
        is_wide = dtype.itemsize == 8 or dtype == np.uint32
        working = np.dtype(np.int64 if is_wide else np.int32)
    a, b = _aligned(ctx, cast(ctx, a, working), cast(ctx, b, working))
    shape = np.broadcast_shapes(a.shape, b.shape)
    made = np.dtype(np.bool_) if compares else working if dtype.kind in "iu" else dtype
    output = ctx.new(shape, a.order, made)
    dims = nest_words(_nest(a, b, output))
    ctx.step(Kind.TYPED_BINARY, [type, _element(working)], dims, [a, b], output)
    return output if compares else cast(ctx, output, dtype)


def _aligned(ctx: Lowering, *values: Value) -> list[Value]:
    """Values of equal rank and in a common order, for broadcasting."""
    rank = max(value.rank for value in values)
    return ctx.arranged_alike([value.expanded(rank) for value in values])


def _nest(*values: Value) -> list[Axis]:
    """The way through inputs and an output of one rank and order, inputs broadcast."""
    strides = (_broadcast_strides(value) for value in values)
    return layout.fold_axes(zip(values[-1].physical, *strides, strict=True), len(values))


def _element(dtype: np.dtype) -> Element:
    return Element[dtype.name.upper()]


def cast(ctx: Lowering, x: Value, dtype: np.dtype) -> Value:
    """`x` converted to another type."""
    if x.dtype == dtype:
        return x
    if isinstance(x.source, np.ndarray):
        return replace(x, source=x.source.astype(dtype), dtype=dtype)
    if x.dtype.itemsize == dtype.itemsize and x.dtype.kind in "biu" and dtype.kind in "iu":
        return replace(x, dtype=dtype)
    output = ctx.new(x.shape, x.order, dtype)
    return ctx.step(Kind.CAST, [_element(x.dtype), _element(dtype)], [x.size], [x], output)


def select(ctx: Lowering, condition: Value, a: Value, b: Value) -> Value:
    """The elements of `a` where the condition is true, else those of `b`; broadcast as in NumPy."""
    condition, a, b = _aligned(ctx, condition, a, b)
    shape = np.broadcast_shapes(condition.shape, a.shape, b.shape)
    output = ctx.new(shape, a.order, a.dtype)
    dims = nest_words(_nest(condition, a, b, output))
    return ctx.step(Kind.SELECT, [a.dtype.itemsize], dims, [condition, a, b], output)


def _binary(ctx: Lowering, type: BinaryType, a: Value, b: Value, output: Value) -> None:
    axes = _nest(a, b, output)
    if len(axes) <= MAX_DIMS:
        ctx.step(Kind.BINARY, [type], nest_words(axes), [a, b], output)
        return
    for index in range(output.physical[0]):
        _binary(ctx, type, *(outermost(value, index) for value in (a, b, output)))


def _broadcast_strides(value: Value) -> list[int]:
    """By axis as they lie in memory; 0 where it is broadcast."""
    physical = value.physical
    strides = layout.strides(physical, layout.row_major(value.rank))
    return [0 if extent == 1 else stride for extent, stride in zip(physical, strides, strict=True)]


def nest_words(axes: Sequence[Axis]) -> list[int]:
    """The dims words of kinds that go through their tensors by any strides."""
    columns = zip(*axes, strict=True)
    return [len(axes), *(word & 0xFFFFFFFF for column in columns for word in column)]


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


def copy(
    ctx: Lowering,
    extents: Sequence[int],
    x: Value,
    strides: Sequence[int],
    output: Value,
    out_strides: Sequence[int],
) -> None:
    """Copies elements from one stride to another, both by axis; 0 repeats an element of `x`.

    The values' offsets say where the first element lies.
    """
    axes = sorted(zip(extents, strides, out_strides, strict=True), key=lambda axis: -axis[2])
    ctx.step(Kind.COPY, [x.dtype.itemsize], nest_words(axes), [x], output)


def expand(ctx: Lowering, x: Value, shape: Shape) -> Value:
    """`x` broadcast with a shape."""
    x = x.expanded(max(x.rank, len(shape)))
    shape = np.broadcast_shapes(x.shape, shape)
    if shape == x.shape:
        return x
    output = ctx.new(shape, x.order, x.dtype)
    strides = [
        0 if have == 1 else stride
        for have, stride in zip(x.shape, layout.strides(x.shape, x.order), strict=True)
    ]
    copy(ctx, shape, x, strides, output, layout.strides(shape, x.order))
    return output


def repeat(ctx: Lowering, x: Value, counts: Sequence[int], *, whole: bool) -> Value:
    """`x` as many times along each axis as `counts` says: the whole of it, or each element, one after the other."""
    rank, at = x.rank, 1 - int(whole)
    pairs = [(1, extent) if whole else (extent, 1) for extent in x.shape]
    order = [place for axis in x.order for place in (2 * axis, 2 * axis + 1)]
    shape = list(sum(pairs, ()))
    apart = x.viewed(tuple(shape), tuple(order))
    shape[at::2] = counts
    output = expand(ctx, apart, tuple(shape))
    extents = tuple(shape[2 * axis] * shape[2 * axis + 1] for axis in range(rank))
    return output.viewed(extents, x.order)


def cut(ctx: Lowering, x: Value, parts: Sequence[slice]) -> Value:
    """The part of `x` that a slice of each axis leaves. It is a view where it lies in one piece."""
    ranges = [range(*part.indices(extent)) for part, extent in zip(parts, x.shape, strict=True)]
    shape = tuple(map(len, ranges))
    if isinstance(x.source, np.ndarray):
        return replace(x, shape=shape, source=x.source[tuple(parts[axis] for axis in x.order)])
    output = ctx.new(shape, x.order, x.dtype)
    if output.size == 0:
        return output
    whole, dense = layout.strides(x.shape, x.order), layout.strides(shape, x.order)
    strides = [stride * part.step for stride, part in zip(whole, ranges, strict=True)]
    start = sum(stride * part.start for stride, part in zip(whole, ranges, strict=True))
    x = replace(x, shape=shape, offset=x.offset + start * x.dtype.itemsize)
    if all(shape[axis] == 1 or strides[axis] == dense[axis] for axis in x.order):
        return x
    copy(ctx, shape, x, strides, output, dense)
    return output


def pad(
    ctx: Lowering,
    x: Value,
    amounts: Sequence[tuple[int, int]],
    fill: float | int = 0,
    mode: str = "constant",
) -> Value:
    """`x` with elements before and after, as many as each axis has amounts: `fill`, or those that NumPy's modes name."""
    shape = tuple(b + extent + a for extent, (b, a) in zip(x.shape, amounts, strict=True))
    if x.size == 0 and mode == "constant":
        return Value.constant(np.full(shape, fill, x.dtype))
    more = {"constant_values": -1} if mode == "constant" else {}
    indices = {
        axis: np.pad(np.arange(extent), amount, mode, **more)  # type: ignore[call-overload]
        for axis, (extent, amount) in enumerate(zip(x.shape, amounts, strict=True))
        if any(amount)
    }
    return pick(ctx, x, indices, fill)


def pick(
    ctx: Lowering, x: Value, indices: Mapping[int, np.ndarray], fill: float | int = 0
) -> Value:
    """The elements of `x`, which has some, that lists of indices by axis name; those with a negative index are `fill`."""
    extents = list(x.shape)
    for axis, numbers in indices.items():
        extents[axis] = len(numbers)
    shape = tuple(extents)
    places = [place for place, axis in enumerate(x.order) if axis in indices]
    if not places:
        return x
    outer, inner = math.prod(x.physical[: places[0]]), math.prod(x.physical[places[-1] + 1 :])
    dims, lists = [], []
    for place in range(places[0], places[-1] + 1):
        axis = x.order[place]
        numbers = indices.get(axis, np.arange(x.shape[axis]))
        dims += [x.shape[axis], len(numbers)]
        lists.append(numbers)
    if inner >= _LONG_PIECE:  # each a row of its own, for the threads to share
        dims += [1, 1]
        lists.append(np.zeros(1, np.int32))
    bits = np.zeros(8, np.uint8)
    bits[: x.dtype.itemsize] = np.array([fill]).astype(x.dtype).view(np.uint8)
    return ctx.step(
        Kind.PICK,
        [x.dtype.itemsize, *bits.view(np.uint32).tolist()],
        [outer, inner, inner, inner, len(lists), *dims],
        [x, Value.constant(np.concatenate(lists).astype(np.int32))],
        ctx.new(shape, x.order, x.dtype),
    )


class Taps(NamedTuple):
    """How the elements of an axis are made: each the weighted sum of neighbours.

    Attributes:
        firsts: of each element, the first of its neighbours.
        weights: [elements, neighbours].
    """

    firsts: np.ndarray
    weights: np.ndarray

    @property
    def table(self) -> Value:
        """As the kernel takes it."""
        words = [self.firsts.astype(np.int32), self.weights.astype(np.float32).view(np.int32)]
        return Value.constant(np.concatenate([part.reshape(-1) for part in words]))


def resample(ctx: Lowering, x: Value, taps: Mapping[int, Taps]) -> Value:
    """`x` with weighted sums of neighbours along some axes, two at a time where they lie side by side."""
    places = [place for place, axis in enumerate(x.order) if axis in taps]
    while places:
        place = places.pop(0)
        last = places.pop(0) if places and places[0] == place + 1 else place
        x = _resample(ctx, x, taps, place, last)
    return x


def _resample(ctx: Lowering, x: Value, taps: Mapping[int, Taps], first: int, last: int) -> Value:
    """The axes at two places in memory, which may be the same, resampled."""
    extents = list(x.shape)
    tables, dims = [], []
    for axis in x.order[first : last + 1]:
        firsts, weights = taps[axis]
        dims.append([x.shape[axis], len(firsts), weights.shape[1]])
        tables.append(taps[axis].table)
        extents[axis] = len(firsts)
    inner = math.prod(x.physical[last + 1 :])
    if first == last:
        tables *= 2
        if inner == 1:
            dims.insert(0, [1, 1, 0])
        else:
            dims.append([inner, inner, 0])
            inner = 1
    output = ctx.new(tuple(extents), x.order)
    words = [math.prod(x.physical[:first]), inner, inner, inner, *dims[0], *dims[1]]
    return ctx.step(Kind.RESAMPLE, [], words, [x, *tables], output)


def grid_sample(
    ctx: Lowering,
    x: Value,
    grid: Value,
    mode: SampleType,
    padding: PaddingType,
    *,
    align_corners: bool,
) -> Value:
    """(N, C, ...) at the places of a grid (N, ..., rank)."""
    x = ctx.arrange(x, layout.channels_last(x.rank))
    grid = ctx.row_major(grid)
    batch, channels, *extents = x.shape
    rank = len(extents)
    output = ctx.new((batch, channels, *grid.shape[1:-1]), x.order)
    extents = [1] * (MAX_SLIDES - rank) + extents
    dims = [batch, channels, *extents, math.prod(grid.shape[1:-1]), rank]
    params = [mode, padding, int(align_corners)]
    return ctx.step(Kind.GRID_SAMPLE, params, dims, [x, grid], output)


def unary(ctx: Lowering, type: UnaryType, x: Value, p0: float = 0.0, p1: float = 0.0) -> Value:
    """An elementwise operation on one tensor."""
    output = ctx.new(x.shape, x.order)
    return ctx.step(Kind.UNARY, [type, p0, p1], [1, x.size, x.size, x.size], [x], output)


def function(ctx: Lowering, type: FunctionType, x: Value, *parameters: float) -> Value:
    """An elementwise function on a kernel of ours; `FunctionType`'s header says what its parameters are."""
    params = [type, *map(float, parameters), *[0.0] * (FUNCTION_PARAMETERS - len(parameters))]
    return ctx.step(
        Kind.FUNCTION, params, [1, x.size, x.size, x.size], [x], ctx.new(x.shape, x.order)
    )


def clamp(ctx: Lowering, x: Value, bounds: Bounds) -> Value:
    """`x` within bounds; `x` itself when there are none."""
    return x if bounds == NO_BOUNDS else unary(ctx, UnaryType.CLAMP, x, *bounds)


def reduce(ctx: Lowering, type: ReduceType, x: Value, axes: Iterable[int]) -> Value:
    """A reduction of float32, int32 or int64 over axes, which keep the extent 1."""
    axes = set(axes)
    shape = tuple(1 if axis in axes else extent for axis, extent in enumerate(x.shape))
    places = [place for place, axis in enumerate(x.order) if axis in axes]
    extents, reduced = layout.fold_reduce(x.physical, places)
    if len(extents) > MAX_REDUCE_DIMS:
        order = sorted(x.order, key=lambda axis: axis in axes)
        return reduce(ctx, type, ctx.arrange(x, tuple(order)), axes)
    params = [type, _element(x.dtype)]
    dims = [int(0 in reduced), len(extents), *extents]
    return ctx.step(Kind.REDUCE, params, dims, [x], ctx.new(shape, x.order, x.dtype))


def arg_extreme(ctx: Lowering, x: Value, axis: int, *, least: bool, last: bool) -> Value:
    """The place of the greatest along an axis, which keeps the extent 1, or of the least; of equals the first or the last."""
    shape = tuple(1 if a == axis else extent for a, extent in enumerate(x.shape))
    params = [_element(x.dtype), int(least), int(last)]
    output = ctx.new(shape, x.order, np.dtype(np.int64))
    return ctx.step(Kind.ARG_EXTREME, params, _along(x, axis), [x], output)


def top_k(ctx: Lowering, x: Value, axis: int, k: int, *, least: bool) -> tuple[Value, Value]:
    """The greatest k along an axis, or the least, in order, and their places."""
    x = ctx.arrange(x, layout.axis_last(x.order, axis))
    shape = (*x.shape[:axis], k, *x.shape[axis + 1 :])
    size = math.prod(shape)
    begin = -(-size * x.dtype.itemsize // 8) * 8
    block = ctx.new((begin + 8 * size if size else 0,), (0,), np.dtype(np.uint8))
    dims = [x.size // max(x.shape[axis], 1), x.shape[axis], k]
    ctx.step(Kind.TOP_K, [_element(x.dtype), int(least)], dims, [x], block)
    values = replace(block, shape=shape, order=x.order, dtype=x.dtype)
    return values, replace(values, offset=begin, dtype=np.dtype(np.int64))


def running_sum(ctx: Lowering, x: Value, axis: int, *, exclusive: bool, reverse: bool) -> Value:
    """The sums of all up to each element along an axis, or of those before it; or from the end."""
    params = [_element(x.dtype), int(exclusive), int(reverse)]
    output = ctx.new(x.shape, x.order, x.dtype)
    return ctx.step(Kind.RUNNING_SUM, params, _along(x, axis), [x], output)


def _along(x: Value, axis: int) -> list[int]:
    """As they lie in memory: the extent of all axes outside of one, of itself, and of those inside."""
    place = x.order.index(axis)
    return [math.prod(x.physical[:place]), x.shape[axis], math.prod(x.physical[place + 1 :])]


def softmax(ctx: Lowering, type: SoftmaxType, x: Value, axis: int) -> Value:
    """The softmax along an axis, or one of its kin: by XNNPACK where the axis is the innermost."""
    output = ctx.new(x.shape, x.order)
    outer, channels, inner = _along(x, axis)
    if type == SoftmaxType.SOFTMAX_ITSELF and inner == 1:
        return ctx.step(Kind.SOFTMAX, [], [outer, channels, channels, channels], [x], output)
    return ctx.step(Kind.AXIS_SOFTMAX, [type], [outer, channels, inner], [x], output)


def gather(ctx: Lowering, data: Value, indices: Value, axis: int) -> Value:
    """The slices of `data` along an axis that int32 or int64 indices of any shape name."""
    data, indices = ctx.row_major(data), ctx.row_major(indices)
    before, after = data.shape[:axis], data.shape[axis + 1 :]
    shape = (*before, *indices.shape, *after)
    return ctx.step(
        Kind.GATHER,
        [indices.dtype.itemsize, data.dtype.itemsize],
        [math.prod(before), data.shape[axis], math.prod(after), indices.size],
        [data, indices],
        ctx.new(shape, layout.row_major(len(shape)), data.dtype),
    )


def normalize(
    ctx: Lowering,
    type: NormalizeType,
    x: Value,
    sizes: tuple[int, int, int, int],
    block: int,
    scale: Value,
    bias: Value,
    epsilon: float,
    bounds: Bounds = NO_BOUNDS,
) -> Value:
    """Normalization by moments, of a tensor that lies as [outer, positions, groups, depth], over positions and depth.

    Args:
        sizes: these four.
        block: how many elements of [groups, depth] that follow each other share an element of `scale` and `bias`.
        scale, bias: dense.
    """
    params = [type, float(epsilon), *bounds]
    inputs, output = [x, scale, bias], ctx.new(x.shape, x.order)
    return ctx.step(Kind.NORMALIZE, params, [*sizes, block], inputs, output)


def local_response(
    ctx: Lowering, x: Value, sides: tuple[int, int], alpha: float, beta: float, bias: float
) -> Value:
    """`x` (N, C, ...) / (bias + alpha * the sum of squares of the channels from `sides[0]` before to `sides[1]` behind) ^ beta."""
    if not x.has_order(layout.channels_last(x.rank)):
        x = ctx.row_major(x)
        sizes = [x.shape[0], x.shape[1], math.prod(x.shape[2:])]
    else:
        sizes = [x.size // max(x.shape[1], 1), x.shape[1], 1]
    params = [*sides, alpha, beta, bias]
    return ctx.step(Kind.LOCAL_RESPONSE, params, sizes, [x], ctx.new(x.shape, x.order))


RECURRENT_UNITS = 8
"""How many hidden units the engine's recurrent kernels compute together."""


def recurrent(
    ctx: Lowering,
    cell: CellType,
    direction: DirectionType,
    sizes: tuple[int, int, int],
    time_first: bool,
    inputs: Value,
    weights: Value,
    extra: Value,
    initial: Sequence[Value],
    lengths: Value,
    activations: Sequence[tuple[int, float, float]],
    *,
    sequence: bool,
    clip: float,
    input_forget: bool,
    peepholes: bool,
) -> tuple[Value, Value, Value]:
    """A recurrent layer, but for the product with its input.

    Args:
        sizes: steps, batch, hidden units.
        time_first: whether a step's sequences lie together in `inputs`, else a sequence's steps; so they do in the output.
        inputs: (steps and batch, directions * gates * hidden), what the input adds to the gates.
        weights, extra: packed as `pyxnn.h` says.
        initial: the first hidden and cell states (directions, batch, hidden).
        lengths: (batch), int32.
        activations: type, alpha and beta, three for each of two directions.
        sequence: whether the state at each step is asked for.

    Returns:
        The states at all steps (steps, directions, batch, hidden), and the last hidden and cell states (directions, batch,
        hidden); what wasn't asked for, or the cell doesn't have, is of no use.
    """
    steps, batch, hidden = sizes
    directions = 2 if direction == DirectionType.BIDIRECTIONAL else 1
    last = (directions, batch, hidden)
    count = math.prod(last)
    at_h = steps * count if sequence else 0
    output = ctx.new((at_h + 2 * count,), (0,))
    functions = [word for function in activations for word in function]
    ctx.step(
        Kind.RECURRENT,
        [
            cell,
            hidden,
            direction,
            int(sequence),
            clip,
            int(input_forget),
            int(peepholes),
            *functions,
        ],
        [steps, batch, *((batch, 1) if time_first else (1, steps))],
        [inputs, weights, extra, *initial, lengths],
        output,
    )
    order = (0, 2, 1, 3) if time_first else (2, 0, 1, 3)
    size = output.dtype.itemsize
    return (
        replace(output, shape=(steps, directions, batch, hidden), order=order),
        replace(output, shape=last, order=(0, 1, 2), offset=at_h * size),
        replace(output, shape=last, order=(0, 1, 2), offset=(at_h + count) * size),
    )


EVERYTHING = 0xFFFFFFFF
"""How far a query sees where there is no limit."""


@dataclass(frozen=True, slots=True)
class Sight:
    """Which keys a query sees: those up to `left` before its own and up to `right` behind.

    Its own is number `offset` plus its place among the queries, or, where the keys have lengths, the one that makes the last
    query see the last key.
    """

    offset: int = 0
    left: int = EVERYTHING
    right: int = EVERYTHING


def attention(
    ctx: Lowering,
    query: Value,
    key: Value,
    value: Value,
    mask: Value | None,
    lengths: Value | None,
    scale: float,
    softcap: float,
    sight: Sight,
) -> Value:
    """softmax(softcap(scale * query * key^T) + mask) * value.

    Args:
        query: (batch, heads, queries, size), where extents of 1 but the last broadcast, as in all others.
        key: (batch, kv heads, keys, size).
        value: (batch, kv heads, keys, value size).
        mask: (batch, heads, queries, keys): booleans, true for what is seen, or floats; no key from its last on is seen.
        lengths: of the keys that count, int32 or int64 [batch].
        softcap: 0 for none.

    Returns:
        (batch, heads, queries, value size), which lies as the query does if that is row-major or has heads inside of rows.
    """
    query, key, value = (ctx.arrange(x, layout.axis_last(x.order, 3)) for x in (query, key, value))
    mask = mask if mask is None else ctx.row_major(mask.expanded(4))
    masks = [] if mask is None else [mask.shape]
    outer = [x.shape[0] for x in (query, key, value)] + [shape[0] for shape in masks]
    (batch,) = np.broadcast_shapes(*((extent,) for extent in outer))
    (heads,) = np.broadcast_shapes((query.shape[1],), *((shape[1],) for shape in masks))
    (queries,) = np.broadcast_shapes((query.shape[2],), *((shape[2],) for shape in masks))
    kv_heads = max(key.shape[1], value.shape[1])
    keys = key.shape[2]
    if kv_heads == 0 or heads % kv_heads or key.shape[1] != value.shape[1]:
        raise ValueError(
            f"{heads} heads can't share {key.shape[1]} keys and {value.shape[1]} values"
        )
    if value.shape[2] != keys or key.shape[3] != query.shape[3]:
        raise ValueError(f"query {query.shape}, key {key.shape} and value {value.shape} don't fit")
    if lengths is not None and lengths.shape != (batch,):
        raise ValueError(f"there are {lengths.shape} lengths for a batch of {batch}")
    rows_inside = (0, 2, 1, 3)
    shape = (batch, heads, queries, value.shape[3])
    output = ctx.new(shape, rows_inside if query.has_order(rows_inside) else layout.row_major(4))
    params = [
        scale,
        softcap,
        mask.dtype.itemsize if mask is not None else 0,
        lengths.dtype.itemsize if lengths is not None else 0,
    ]
    strides = [_row_strides(x) for x in (query, key, value, output, mask or query)]
    dims = [
        *(batch, heads, kv_heads, queries, keys, *query.shape[3:], *value.shape[3:]),
        *(stride for strides_of_one in strides for stride in strides_of_one),
        *(keys if mask is None else mask.shape[3], sight.offset, sight.left, sight.right),
    ]
    inputs = [query, key, value, mask or query, lengths or query]
    return ctx.step(Kind.ATTENTION, params, dims, inputs, output)


def _row_strides(x: Value) -> list[int]:
    """The strides of the first three axes; 0 along those that broadcast."""
    strides = layout.strides(x.shape, x.order)[:3]
    return [
        0 if extent == 1 else stride for extent, stride in zip(x.shape[:3], strides, strict=True)
    ]


def tensor_scatter(
    ctx: Lowering, cache: Value, rows: Value, places: Value, axis: int, *, circular: bool
) -> Value:
    """A cache with rows written into it along an axis, in each batch (axis 0) from a place on; int64 [batch] has these."""
    cache, rows, places = (ctx.row_major(value) for value in (cache, rows, places))
    around = [(*value.shape[:axis], *value.shape[axis + 1 :]) for value in (cache, rows)]
    extent, count = cache.shape[axis], rows.shape[axis]
    if around[0] != around[1] or count > extent or places.shape != cache.shape[:1]:
        raise ValueError(f"{rows.shape} at {places.shape} don't fit a cache {cache.shape}")
    inner = math.prod(cache.shape[axis + 1 :])
    dims = [cache.shape[0], math.prod(cache.shape[1:axis]), extent, count, inner]
    params = [int(circular), cache.dtype.itemsize]
    output = ctx.new(cache.shape, cache.order, cache.dtype)
    return ctx.step(Kind.TENSOR_SCATTER, params, dims, [cache, rows, places], output)


def transpose(
    ctx: Lowering, x: Value, output: Value, permutation: Sequence[int], label: Label
) -> None:
    """Moves the bytes of `x` to `output`: axis i of the output, as they lie in memory, is axis `permutation[i]` of `x`."""
    extents, folded = layout.fold_transpose(x.physical, permutation)
    rank = len(extents)
    if rank <= MAX_DIMS:
        params, dims = [x.dtype.itemsize], [rank, *extents, *folded]
        ctx.step(Kind.TRANSPOSE, params, dims, [x], output, label=label)
        return
    first = folded[0]
    rest = [axis for axis in range(rank) if axis != first]
    x = x.viewed(tuple(extents), layout.row_major(rank))
    shape = (extents[first], *(extents[axis] for axis in rest))
    by_first = x
    if first != 0:
        by_first = ctx.new(shape, x.order, x.dtype)
        transpose(ctx, x, by_first, [first, *rest], label)
    output = output.viewed(tuple(extents[axis] for axis in folded), x.order)
    inner = [rest.index(axis) for axis in folded[1:]]
    for index in range(extents[first]):
        transpose(ctx, outermost(by_first, index), outermost(output, index), inner, label)


def concat(ctx: Lowering, values: list[Value], axis: int) -> Value:
    """Values of one rank, alike but along `axis`, joined along it."""
    around = {(*value.shape[:axis], *value.shape[axis + 1 :]) for value in values}
    if len(around) > 1:
        raise ValueError(
            f"the shapes {[value.shape for value in values]} differ beside axis {axis}"
        )
    parts = ctx.arranged_alike(values)
    order, dtype = parts[0].order, parts[0].dtype
    shape = list(parts[0].shape)
    shape[axis] = sum(part.shape[axis] for part in parts)
    output = ctx.new(tuple(shape), order, dtype)
    strides = layout.strides(output.shape, order)
    start = 0
    for part in parts:
        place = replace(output, shape=part.shape, offset=start * strides[axis] * dtype.itemsize)
        copy(ctx, part.shape, part, layout.strides(part.shape, order), place, strides)
        start += part.shape[axis]
    return output
