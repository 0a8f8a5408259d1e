"""What moves elements: transposes, copies, parts, padding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from pyxnn.engine import Kind
from pyxnn.xnnpack import layout
from pyxnn.xnnpack.kernels.indexing import pick
from pyxnn.xnnpack.kernels.nest import nest_words
from pyxnn.xnnpack.kernels.windows import Window
from pyxnn.xnnpack.layout import Shape
from pyxnn.xnnpack.steps import Label
from pyxnn.xnnpack.values import Value

if TYPE_CHECKING:
    from pyxnn.xnnpack.lowering import Lowering


def transpose(
    ctx: Lowering, x: Value, output: Value, permutation: Sequence[int], label: Label
) -> None:
    """Moves the bytes of `x` to `output`: axis i of the output, as they lie in memory, is axis `permutation[i]` of `x`."""
    extents, folded = layout.fold_transpose(x.physical, permutation)
    dims = [len(extents), *extents, *folded]
    ctx.step(Kind.TRANSPOSE, [x.dtype.itemsize], dims, [x], output, label=label)


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


def frames(ctx: Lowering, x: Value, length: int, step: int) -> Value:
    """The pieces of a length that begin every so many steps along axis 1 of `x` (N, L, C): (N, frames, length, C)."""
    x = ctx.row_major(x)
    batch, extent, channels = x.shape
    shape = (batch, (extent - length) // step + 1, length, channels)
    output = ctx.new(shape, layout.row_major(4), x.dtype)
    strides = (extent * channels, step * channels, channels, 1)
    copy(ctx, shape, x, strides, output, layout.strides(shape, output.order))
    return output


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


def pad_pixels(ctx: Lowering, x: Value, window: Window, fill: float) -> Value:
    """The padding of a window, laid around the image."""
    x = ctx.arrange(x, layout.channels_last(x.rank))
    amounts = list(zip(window.before, window.after, strict=True))[4 - x.rank :]
    return pad(ctx, x, [(0, 0), (0, 0), *amounts], fill)
