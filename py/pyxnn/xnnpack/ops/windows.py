"""What convolutions and pools have in common: kernels that slide over an image, and how it is padded."""

from __future__ import annotations

from collections.abc import Sequence

from pyxnn.graph import Graph, Node
from pyxnn.xnnpack.kernels import Window
from pyxnn.xnnpack.layout import Shape

_AUTO_PADS = ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER")


def supports(node: Node, graph: Graph) -> str | None:
    """Whether XNNPACK's windows can do the attributes of the node."""
    auto_pad = _auto_pad(node)
    if auto_pad not in _AUTO_PADS:
        return f"auto_pad is '{auto_pad}', not one of {', '.join(_AUTO_PADS)}"
    if any(pad < 0 for pad in node.attribute("pads", ())):
        return "pads are negative"
    return None


def place(node: Node, image: Shape, kernel: Sequence[int]) -> tuple[Window, tuple[int, int]]:
    """The window of a node over an image of extents (width) or (height, width).

    It is padded after the image so that the last window of `ceil_mode` has room; the second result is how much of that
    padding, (height, width), is there for this alone.

    Raises:
        ValueError: the image is smaller than the window.
    """
    rank = len(image)
    strides = node.attribute("strides") or [1] * rank
    dilations = node.attribute("dilations") or [1] * rank
    pads = node.attribute("pads") or [0] * 2 * rank
    axes = zip(image, kernel, strides, dilations, pads[:rank], pads[rank:], strict=True)
    before, after, overhang = zip(*(_padding(node, *axis) for axis in axes), strict=True)
    window = Window(
        kernel=_pair(kernel, 1),
        strides=_pair(strides, 1),
        dilations=_pair(dilations, 1),
        before=_pair(before, 0),
        after=_pair(after, 0),
    )
    return window, _pair(overhang, 0)


def _padding(
    node: Node, extent: int, kernel: int, stride: int, dilation: int, before: int, after: int
) -> tuple[int, int, int]:
    """Along one axis: padding before, padding after, and how much of that is for `ceil_mode`."""
    reach = dilation * (kernel - 1) + 1
    auto_pad = _auto_pad(node)
    if auto_pad.startswith("SAME"):
        padding = max((-(-extent // stride) - 1) * stride + reach - extent, 0)
        before = padding // 2 if auto_pad == "SAME_UPPER" else padding - padding // 2
        return before, padding - before, 0
    if auto_pad == "VALID":
        before = after = 0
    room = before + extent + after - reach
    if room < 0:
        raise ValueError(f"its window reaches over {reach} pixels, the image has {room + reach}")
    begin = (room // stride + 1) * stride  # of one more window, which may not lie in padding alone
    if node.attribute("ceil_mode", 0) and room % stride and begin < before + extent:
        return before, after + stride - room % stride, stride - room % stride
    return before, after, 0


def place_transposed(
    node: Node, image: Shape, kernel: Sequence[int]
) -> tuple[Window, tuple[int, int], Shape]:
    """The window of a ConvTranspose over an image of extents (width) or (height, width).

    Its padding is what is taken off the output. Where more pixels are asked for than the image makes, (height, width) of the
    second result are pixels of 0 to put after the image; the third is the extents of the output, which is the beginning of
    what the window makes: that is never smaller than the strides.

    Raises:
        ValueError: the output has no pixels.
    """
    rank = len(image)
    strides = node.attribute("strides") or [1] * rank
    dilations = node.attribute("dilations") or [1] * rank
    pads = node.attribute("pads") or [0] * 2 * rank
    paddings = node.attribute("output_padding") or [0] * rank
    asked = (node.attribute("output_shape") or [None] * rank)[-rank:]
    reaches = [d * (k - 1) + 1 for d, k in zip(dilations, kernel, strict=True)]
    axes = zip(image, strides, reaches, pads[:rank], pads[rank:], paddings, asked, strict=True)
    before, after, pixels, extents = zip(*(_cropping(node, *axis) for axis in axes), strict=True)
    if min(extents) < 1:
        raise ValueError(f"its output would have the extents {extents}")
    window = Window(
        kernel=_pair(kernel, 1),
        strides=_pair(strides, 1),
        dilations=_pair(dilations, 1),
        before=_pair(before, 0),
        after=_pair(after, 0),
    )
    return window, _pair(pixels, 0), extents


def _cropping(
    node: Node,
    extent: int,
    stride: int,
    reach: int,
    before: int,
    after: int,
    output_padding: int,
    asked: int | None,
) -> tuple[int, int, int, int]:
    """Along one axis: what is taken off before and after, pixels to put after the image, and the extent of the output."""
    full = (extent - 1) * stride + reach
    auto_pad = _auto_pad(node)
    if asked is not None or auto_pad.startswith("SAME"):
        wanted = extent * stride if asked is None else asked
        cropped = max(full + output_padding - wanted, 0)
        before = cropped // 2 if auto_pad == "SAME_UPPER" else cropped - cropped // 2
        after = cropped - before
    elif auto_pad == "VALID":
        before = after = 0
    out = full + output_padding - before - after if asked is None else asked
    made = max(out, stride)
    pixels = max(-(-(made + before - full) // stride), 0)
    return before, full + pixels * stride - before - made, pixels, out


def _auto_pad(node: Node) -> str:
    return node.attribute("auto_pad") or "NOTSET"


def _pair(values: Sequence[int], filler: int) -> tuple[int, int]:
    """(height, width); a signal is an image of height 1."""
    height, width = values if len(values) == 2 else (filler, *values)
    return height, width


def output_shape(x: Shape, channels: int, window: Window) -> Shape:
    """The shape (N, channels, ...) that a window makes of an input shape."""
    return (x[0], channels, *window.extents(x[2:])[4 - len(x) :])
