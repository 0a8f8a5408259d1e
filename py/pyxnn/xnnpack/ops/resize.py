"""Resize."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from pyxnn.graph import Graph, Node
from pyxnn.xnnpack import kernels, sampling
from pyxnn.xnnpack.kernels import Taps
from pyxnn.xnnpack.lowering import Lowering
from pyxnn.xnnpack.ops import conditions
from pyxnn.xnnpack.registry import register
from pyxnn.xnnpack.sampling import Axis
from pyxnn.xnnpack.values import Value

_POLICIES = {"not_larger": min, "not_smaller": max}
_CROP = "tf_crop_and_resize"


def supports_resize(node: Node, graph: Graph) -> str | None:
    """Every mode of ONNX; other types than floats by the nearest pixel."""
    for name, default, known in (
        ("mode", "nearest", ("cubic", "linear", "nearest")),
        ("coordinate_transformation_mode", "half_pixel", sampling.PLACES),
        ("nearest_mode", "round_prefer_floor", sampling.ROUNDINGS),
    ):
        value = node.attribute(name, default)
        if value not in known:
            return f"its {name} is '{value}'"
    if node.attribute("mode", "nearest") == "nearest":
        return conditions.movable_data(node, graph)
    return conditions.floating(node, graph, [0])


@register("Resize", supports=supports_resize, planned=(1, 2, 3))
def lower_resize(node: Node, ctx: Lowering) -> None:
    """Resize (opsets 11 to 19): X of any rank, roi, scales, sizes to Y, of extents `sizes` or `scales` times those of X.

    Along each axis an element is one of X, or the weighted sum of neighbours in X. Which they are follows from the extents
    alone; where `tf_crop_and_resize` looks outside X there is `extrapolation_value` instead.
    """

    def resample(x: Value, axes: Mapping[int, Axis], at: Mapping[int, np.ndarray]) -> Value:
        return kernels.resample(ctx, x, neighbours(node, axes, at))

    fill = node.attribute("extrapolation_value", 0.0)
    ctx.define(node.output(0), resized(node, ctx, ctx.value(node.input(0)), resample, fill))


def resized(
    node: Node,
    ctx: Lowering,
    x: Value,
    resample: Callable[[Value, Mapping[int, Axis], Mapping[int, np.ndarray]], Value],
    fill: float,
) -> Value:
    """What a Resize makes.

    Args:
        node: the Resize.
        x: what it resizes.
        resample: gives the weighted sums of neighbours of places along axes.
        fill: stands where it looks outside.
    """
    place = node.attribute("coordinate_transformation_mode", "half_pixel")
    axes = {
        number: axis
        for number, axis in _axes(node, ctx, x).items()
        if place == _CROP or axis.extent != axis.out_extent or axis.scale != 1
    }
    shape = tuple(
        axes[number].out_extent if number in axes else extent
        for number, extent in enumerate(x.shape)
    )
    if 0 in shape:
        return ctx.new(shape, x.order, x.dtype)
    if x.size == 0:
        raise ValueError(f"there is nothing to make {shape} of")
    at = {number: sampling.places(place, axis) for number, axis in axes.items()}
    inside = {
        number: (at[number] >= 0) & (at[number] <= axis.extent - 1) | (place != _CROP)
        for number, axis in axes.items()
    }
    if node.attribute("mode", "nearest") == "nearest":
        rounding = node.attribute("nearest_mode", "round_prefer_floor")
        indices = {
            number: sampling.nearest(rounding, at[number], axis.extent)
            for number, axis in axes.items()
        }
    else:
        seen = {number: places[inside[number]] for number, places in at.items()}
        if all(map(len, seen.values())):
            x = resample(x, axes, seen)
        indices = {number: np.cumsum(within) - 1 for number, within in inside.items()}
    picked = {
        number: np.where(inside[number], numbers, -1)
        for number, numbers in indices.items()
        if len(numbers) != x.shape[number]
        or (numbers != np.arange(len(numbers))).any()
        or not inside[number].all()
    }
    return kernels.pick(ctx, x, picked, fill)


def neighbours(
    node: Node, axes: Mapping[int, Axis], at: Mapping[int, np.ndarray]
) -> dict[int, Taps]:
    """The neighbours of places along axes, and their weights."""
    is_cubic = node.attributes["mode"] == "cubic"
    weight = sampling.cubic(node.attribute("cubic_coeff_a", -0.75)) if is_cubic else sampling.linear
    return {
        number: sampling.taps(
            weight,
            2 if is_cubic else 1,
            at[number],
            axis.extent,
            min(float(axis.scale), 1.0) if node.attribute("antialias", 0) else 1.0,
            exclude_outside=bool(node.attribute("exclude_outside", 0)),
        )
        for number, axis in axes.items()
    }


def _axes(node: Node, ctx: Lowering, x: Value) -> dict[int, Axis]:
    """The axes that sizes or scales are given for."""
    numbers = [axis % x.rank for axis in node.attribute("axes") or range(x.rank)]
    extents = [x.shape[number] for number in numbers]
    roi, scales, sizes = (_given(node, ctx, position) for position in (1, 2, 3))
    if sizes is not None:
        out, factors = _by_sizes(node, extents, sizes)
        lengths = [np.float32(size) for size in out]
    elif scales is not None:
        factors = list(scales.astype(np.float32))
        lengths = [np.float32(e) * factor for e, factor in zip(extents, factors, strict=True)]
        out = [math.floor(length) for length in lengths]
    else:
        raise ValueError("it has neither scales nor sizes")
    if roi is None:
        roi = np.repeat([0, 1], len(numbers))
    regions = map(tuple, roi.astype(np.float32).reshape(2, -1).T)
    axes = map(Axis, extents, out, lengths, factors, regions)
    return dict(zip(numbers, axes, strict=True))


def _given(node: Node, ctx: Lowering, position: int) -> np.ndarray | None:
    """An input, None when it is absent or empty."""
    array = ctx.constant(node.input(position))
    return None if array is None or array.size == 0 else array.reshape(-1)


def _by_sizes(
    node: Node, extents: list[int], sizes: np.ndarray
) -> tuple[list[int], list[np.float32]]:
    """The extents of the output, and by what those of the input are multiplied."""
    factors = [np.float32(s) / np.float32(max(e, 1)) for s, e in zip(sizes, extents, strict=True)]
    policy = _POLICIES.get(node.attribute("keep_aspect_ratio_policy", "stretch"))
    if policy is None:
        return sizes.tolist(), factors
    factor = policy(factors)
    return [math.floor(factor * extent + 0.5) for extent in extents], [factor] * len(extents)
