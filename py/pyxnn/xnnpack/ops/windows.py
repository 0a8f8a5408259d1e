"""What convolutions and pools have in common: kernels that slide over an image, and how it is padded."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pyxnn.graph import Graph, Node
from pyxnn.xnnpack.kernels import MAX_SLIDES, Slide, Window
from pyxnn.xnnpack.layout import Shape
from pyxnn.xnnpack.ops import conditions

_AUTO_PADS = ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER")


def supports(node: Node, graph: Graph, position: int = 0) -> str | None:
    """Whether there are windows for a node: by its attributes, and the rank of an input."""
    auto_pad = _auto_pad(node)
    if auto_pad not in _AUTO_PADS:
        return f"auto_pad is '{auto_pad}', not one of {', '.join(_AUTO_PADS)}"
    return conditions.rank(node, graph, position, *range(3, 3 + MAX_SLIDES))


def slides(
    node: Node, image: Shape, kernel: Sequence[int]
) -> tuple[list[Slide], list[tuple[int, int]]]:
    """How the window of a node slides over an image, by axis, and the padding before and after.

    The last window of `ceil_mode` may hang over the padding.

    Raises:
        ValueError: the image is smaller than the window.
    """
    strides, dilations, _ = _steps(node, len(image))
    found, padding = [], []
    for extent, taps, stride, dilation, (before, after, overhang) in zip(
        image, kernel, strides, dilations, _paddings(node, image, kernel), strict=True
    ):
        count = (before + extent + after - dilation * (taps - 1) - 1) // stride + 1
        found.append(Slide(extent, count, taps, stride, dilation, -before))
        padding.append((before, after - overhang))
    return found, padding


def place(node: Node, image: Shape, kernel: Sequence[int]) -> Window:
    """The window of a node over an image of extents (width) or (height, width).

    Raises:
        ValueError: the image is smaller than the window.
    """
    strides, dilations, _ = _steps(node, len(image))
    before, after, _ = zip(*_paddings(node, image, kernel), strict=True)
    return Window(
        kernel=_pair(kernel, 1),
        strides=_pair(strides, 1),
        dilations=_pair(dilations, 1),
        before=_pair(before, 0),
        after=_pair(after, 0),
    )


def _steps(node: Node, rank: int) -> tuple[list[int], list[int], list[int]]:
    """Strides, dilations and pads."""
    return (
        node.attribute("strides") or [1] * rank,
        node.attribute("dilations") or [1] * rank,
        node.attribute("pads") or [0] * 2 * rank,
    )


def _paddings(node: Node, image: Shape, kernel: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """By axis what `_padding` finds."""
    rank = len(image)
    strides, dilations, pads = _steps(node, rank)
    axes = zip(image, kernel, strides, dilations, pads[:rank], pads[rank:], strict=True)
    return (_padding(node, *axis) for axis in axes)


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
    _, dilations, _ = _steps(node, len(image))
    strides, before, after, pixels, extents = zip(*croppings(node, image, kernel), strict=True)
    window = Window(
        kernel=_pair(kernel, 1),
        strides=_pair(strides, 1),
        dilations=_pair(dilations, 1),
        before=_pair(before, 0),
        after=_pair(after, 0),
    )
    return window, _pair(pixels, 0), extents


class Phase(NamedTuple):
    """Along one axis of a ConvTranspose, every stride-th pixel of the output: a convolution by some of the taps.

    Attributes:
        first: the pixel of the output with which it begins.
        taps: those that reach these pixels.
        slide: of them over the image.
    """

    first: int
    taps: slice
    slide: Slide


def phases(node: Node, image: Shape, kernel: Sequence[int]) -> tuple[list[list[Phase]], Shape]:
    """The phases of a ConvTranspose along each axis, and the extents of its output.

    Raises:
        ValueError: the output has no pixels.
    """
    strides, dilations, _ = _steps(node, len(image))
    _, before, _, _, extents = zip(*croppings(node, image, kernel), strict=True)
    axes = zip(image, kernel, strides, dilations, before, extents, strict=True)
    return [list(_phases(*axis)) for axis in axes], extents


def _phases(
    extent: int, kernel: int, stride: int, dilation: int, before: int, out: int
) -> Iterator[Phase]:
    """Tap k adds pixel i of the image to pixel stride * i + dilation * k - before of the output."""
    step = stride // math.gcd(stride, dilation)
    for first in range(min(stride, out)):
        count = -(-(out - first) // stride)
        reaching = [k for k in range(kernel) if (first + before - dilation * k) % stride == 0]
        if reaching:
            offset = (first + before - dilation * reaching[0]) // stride
            slide = Slide(extent, count, len(reaching), 1, -(dilation * step // stride), offset)
            yield Phase(first, slice(reaching[0], None, step), slide)
        else:  # a tap that is always outside
            yield Phase(first, slice(0, 1), Slide(extent, count, 1, 0, 1, -1))


class Cropping(NamedTuple):
    """Along one axis of a ConvTranspose, what is taken of what its window makes of the image.

    Attributes:
        stride: pixels of the output from one of the image to the next.
        before, after: pixels that are taken off.
        missing: pixels of 0 to put after the image, as more are asked for than it makes.
        extent: of the output.
    """

    stride: int
    before: int
    after: int
    missing: int
    extent: int


def croppings(node: Node, image: Shape, kernel: Sequence[int]) -> list[Cropping]:
    """The cropping along each axis of a ConvTranspose.

    Raises:
        ValueError: the output has no pixels.
    """
    rank = len(image)
    strides, dilations, pads = _steps(node, rank)
    paddings = node.attribute("output_padding") or [0] * rank
    asked = (node.attribute("output_shape") or [None] * rank)[-rank:]
    reaches = [d * (k - 1) + 1 for d, k in zip(dilations, kernel, strict=True)]
    axes = zip(image, strides, reaches, pads[:rank], pads[rank:], paddings, asked, strict=True)
    found = [_cropping(node, *axis) for axis in axes]
    extents = tuple(axis.extent for axis in found)
    if min(extents) < 1:
        raise ValueError(f"its output would have the extents {extents}")
    return found


def _cropping(
    node: Node,
    extent: int,
    stride: int,
    reach: int,
    before: int,
    after: int,
    output_padding: int,
    asked: int | None,
) -> Cropping:
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
    return Cropping(stride, before, full + pixels * stride - before - made, pixels, out)


def _auto_pad(node: Node) -> str:
    return node.attribute("auto_pad") or "NOTSET"


def _pair(values: Sequence[int], filler: int) -> tuple[int, int]:
    """(height, width); a signal is an image of height 1."""
    height, width = values if len(values) == 2 else (filler, *values)
    return height, width
