"""ConvTranspose in NumPy: onnx.reference's mixes up the channels of groups."""

from __future__ import annotations

from itertools import product

import numpy as np

from pyxnn.graph import Node


def conv_transpose(
    node: Node, x: np.ndarray, weights: np.ndarray, bias: np.ndarray | None = None
) -> np.ndarray:
    """ConvTranspose (opset 1 and later), of any number of spatial axes.

    Args:
        node: with its attributes.
        x: [n, groups * c, *spatial].
        weights: [groups * c, m, *kernel].
        bias: [groups * m].

    Returns:
        [n, groups * m, *output], of the type of `x`.
    """
    groups = node.attribute("group", 1)
    kernel = weights.shape[2:]
    rank = len(kernel)
    strides = node.attribute("strides", [1] * rank)
    dilations = node.attribute("dilations", [1] * rank)
    extra = node.attribute("output_padding", [0] * rank)
    spatial = x.shape[2:]
    wanted = _wanted(node, spatial, strides)
    full = [
        max((extent - 1) * stride + (size - 1) * dilation + 1 + more, least)
        for extent, stride, size, dilation, more, least in zip(
            spatial, strides, kernel, dilations, extra, wanted or [0] * rank, strict=True
        )
    ]
    pads = _pads(node, full, wanted)
    batch, per_group = x.shape[0], weights.shape[1]
    image = x.reshape(batch, groups, -1, *spatial)
    filters = weights.reshape(groups, -1, per_group, *kernel)
    y = np.zeros((batch, groups, per_group, *full), np.result_type(x, np.float32))
    for offset in product(*map(range, kernel)):
        window = [
            slice(at * dilation, at * dilation + (extent - 1) * stride + 1, stride)
            for at, dilation, extent, stride in zip(
                offset, dilations, spatial, strides, strict=True
            )
        ]
        taps = filters[(slice(None),) * 3 + offset]
        y[_spatial(window)] += np.einsum("ngc...,gcm->ngm...", image, taps)
    inside = [
        slice(before, extent - after) for (before, after), extent in zip(pads, full, strict=True)
    ]
    y = y[_spatial(inside)]
    y = y.reshape(batch, groups * per_group, *y.shape[3:])
    if bias is not None:
        y = y + bias.reshape(-1, *[1] * rank)
    return np.asarray(y, x.dtype)


def _spatial(slices: list[slice]) -> tuple[slice, ...]:
    """An index that takes all of batch, groups and channels."""
    return (slice(None),) * 3 + tuple(slices)


def _wanted(node: Node, spatial: tuple[int, ...], strides: list[int]) -> list[int] | None:
    """The extents that the output must have, when the node says so."""
    extents: list[int] | None = node.attribute("output_shape")
    if extents is not None:
        return extents[-len(spatial) :]
    if node.attribute("auto_pad", "NOTSET") in ("SAME_UPPER", "SAME_LOWER"):
        return [extent * stride for extent, stride in zip(spatial, strides, strict=True)]
    return None


def _pads(node: Node, full: list[int], wanted: list[int] | None) -> list[tuple[int, int]]:
    """How much of the full output to cut off before and after, on each axis."""
    rank = len(full)
    auto = node.attribute("auto_pad", "NOTSET")
    if wanted is not None:
        totals = [whole - extent for whole, extent in zip(full, wanted, strict=True)]
        both = [(total // 2, total - total // 2) for total in totals]
        return both if auto == "SAME_UPPER" else [(after, before) for before, after in both]
    if auto == "VALID":
        return [(0, 0)] * rank
    pads = node.attribute("pads", [0] * 2 * rank)
    return list(zip(pads[:rank], pads[rank:], strict=True))
