"""Reductions over axes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pyxnn.engine import Kind, ReduceType
from pyxnn.xnnpack import layout
from pyxnn.xnnpack.kernels.cast import cast, element, working_type
from pyxnn.xnnpack.values import Value

if TYPE_CHECKING:
    from pyxnn.xnnpack.lowering import Lowering

MAX_REDUCE_DIMS = 8
"""The most that our reductions take, neighbours merged."""


def reduce(ctx: Lowering, type: ReduceType, x: Value, axes: Iterable[int]) -> Value:
    """A reduction over axes, which keep the extent 1; narrow integers and bool are computed in wider ones."""
    axes, working = set(axes), working_type(x.dtype)
    if working != x.dtype:
        return cast(ctx, reduce(ctx, type, cast(ctx, x, working), axes), x.dtype)
    shape = tuple(1 if axis in axes else extent for axis, extent in enumerate(x.shape))
    places = [place for place, axis in enumerate(x.order) if axis in axes]
    extents, reduced = layout.fold_reduce(x.physical, places)
    if len(extents) > MAX_REDUCE_DIMS:
        order = sorted(x.order, key=lambda axis: axis in axes)
        return reduce(ctx, type, ctx.arrange(x, tuple(order)), axes)
    params = [type, element(x.dtype)]
    dims = [int(0 in reduced), len(extents), *extents]
    return ctx.step(Kind.REDUCE, params, dims, [x], ctx.new(shape, x.order, x.dtype))
