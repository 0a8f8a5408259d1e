"""What Conv and the pools have in common: kernels that slide over an image, and how it is padded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pyxnn import errors
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


class Placement(NamedTuple):
    """A window over an image: what it makes, and how.

    Attributes:
        window: padded after the image so that the last window of `ceil_mode` has room.
        extents: of the output, (height, width).
        overhang: how much of `window.after` is there for `ceil_mode` only.
    """

    window: Window
    extents: tuple[int, int]
    overhang: tuple[int, int]


def place(node: Node, image: Shape, kernel: Sequence[int]) -> Placement:
    """The window of a node over an image of extents (width) or (height, width).

    Raises:
        InvalidArgument: the image is smaller than the window.
    """
    rank = len(image)
    strides = node.attribute("strides") or [1] * rank
    dilations = node.attribute("dilations") or [1] * rank
    pads = node.attribute("pads") or [0] * 2 * rank
    axes = zip(image, kernel, strides, dilations, pads[:rank], pads[rank:], strict=True)
    before, after, overhang, extents = zip(*(_slide(node, *axis) for axis in axes), strict=True)
    window = Window(
        kernel=_pair(kernel, 1),
        strides=_pair(strides, 1),
        dilations=_pair(dilations, 1),
        before=_pair(before, 0),
        after=_pair(after, 0),
    )
    return Placement(window, _pair(extents, 1), _pair(overhang, 0))


def _slide(
    node: Node, extent: int, kernel: int, stride: int, dilation: int, before: int, after: int
) -> tuple[int, int, int, int]:
    """Along one axis: padding before, padding after, how much of that is overhang, and the extent of the output."""
    reach = dilation * (kernel - 1) + 1
    auto_pad = _auto_pad(node)
    if auto_pad.startswith("SAME"):
        output = -(-extent // stride)
        padding = max((output - 1) * stride + reach - extent, 0)
        before = padding // 2 if auto_pad == "SAME_UPPER" else padding - padding // 2
        return before, padding - before, 0, output
    if auto_pad == "VALID":
        before = after = 0
    room = before + extent + after - reach
    if room < 0:
        raise errors.InvalidArgument(
            f"the window of {node} reaches over {reach} pixels, the padded image has {room + reach}"
        )
    output = room // stride + 1
    if node.attribute("ceil_mode", 0) and room % stride and output * stride < before + extent:
        overhang = stride - room % stride
        return before, after + overhang, overhang, output + 1
    return before, after, 0, output


def _auto_pad(node: Node) -> str:
    return node.attribute("auto_pad") or "NOTSET"


def _pair(values: Sequence[int], filler: int) -> tuple[int, int]:
    """(height, width); a signal is an image of height 1."""
    height, width = values if len(values) == 2 else (filler, *values)
    return height, width


def output_shape(x: Shape, channels: int, extents: tuple[int, int]) -> Shape:
    """The shape (N, channels, ...) that goes with an input shape."""
    return (x[0], channels, *extents[4 - len(x) :])
