"""MaxPool of any number of axes: onnx.reference's mixes up pads that differ."""

from __future__ import annotations

import numpy as np

from pyxnn.graph import Node


def max_pool(node: Node, x: np.ndarray) -> np.ndarray:
    """Y of a MaxPool (opsets 1 to 22) whose Indices aren't asked for."""
    rank = x.ndim - 2
    kernel = node.attributes["kernel_shape"]
    strides = node.attribute("strides") or [1] * rank
    dilations = node.attribute("dilations") or [1] * rank
    pads = node.attribute("pads") or [0] * 2 * rank
    axes = zip(x.shape[2:], kernel, strides, dilations, pads[:rank], pads[rank:], strict=True)
    amounts, counts = zip(*(_axis(node, *axis) for axis in axes), strict=True)
    lowest = np.finfo(x.dtype).min if x.dtype.kind == "f" else np.iinfo(x.dtype).min
    padded = np.pad(x, [(0, 0), (0, 0), *amounts], constant_values=lowest)
    result = np.full((*x.shape[:2], *counts), lowest, x.dtype)
    for place in np.ndindex(*kernel):
        spans = zip(place, dilations, strides, counts, strict=True)
        pixels = [slice(k * d, k * d + (n - 1) * s + 1, s) for k, d, s, n in spans]
        np.maximum(result, padded[:, :, *pixels], out=result)
    return result


def _axis(
    node: Node, extent: int, kernel: int, stride: int, dilation: int, before: int, after: int
) -> tuple[tuple[int, int], int]:
    """Elements before and after one axis, and how many windows there are."""
    reach = dilation * (kernel - 1) + 1
    auto_pad = node.attribute("auto_pad", "NOTSET")
    if auto_pad.startswith("SAME"):
        count = -(-extent // stride)
        padding = max((count - 1) * stride + reach - extent, 0)
        before = padding // 2 if auto_pad == "SAME_UPPER" else padding - padding // 2
        return (before, padding - before), count
    if auto_pad == "VALID":
        before = after = 0
    room = before + extent + after - reach
    count = room // stride + 1
    if node.attribute("ceil_mode", 0) and room % stride and count * stride < before + extent:
        return (before, after + stride), count + 1
    return (before, after), count
