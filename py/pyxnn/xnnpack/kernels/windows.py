"""Windows that slide over images: two axes at once, or each for itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from pyxnn.xnnpack.layout import Shape
from pyxnn.xnnpack.values import Value


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
        """The first six parameter words of convolutions."""
        return [*self.kernel, *self.strides, *self.dilations]

    @property
    def pads(self) -> list[int]:
        """Top, right, bottom, left."""
        (top, left), (bottom, right) = self.before, self.after
        return [top, right, bottom, left]

    @property
    def may_pad(self) -> bool:
        """Whether it has pads over images of any extents: auto_pad gives windows of one pixel none."""
        return self.kernel != (1, 1) or any(self.pads)

    def extents(self, image: Shape) -> tuple[int, int]:
        """(height, width) of the output for an image of extents (width) or (height, width)."""
        height, width = (
            (extent + padding - reach) // stride + 1
            for extent, padding, reach, stride in self._axes(image)
        )
        return height, width

    def output_shape(self, x: Shape, channels: int) -> Shape:
        """(N, channels, ...) of the output for an input (N, C, ...)."""
        return (x[0], channels, *self.extents(x[2:])[4 - len(x) :])

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

    @property
    def has_minimal_filter(self) -> bool:
        """Whether the engine's own minimal filtering can do it."""
        return self.kernel == (3, 3) and self.strides == self.dilations == (1, 1)


class Slide(NamedTuple):
    """How a window slides along one axis: the words of it that kinds take.

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


STILL = Slide(1, 1, 1)
"""Along an axis that isn't there."""

MAX_SLIDES = 3


def image_words(x: Value, window: Window) -> list[int]:
    """The first seven dims words of convolutions: batch, height and width, of which a signal has height 1, and pads."""
    pixels = x.shape[2:] if x.rank == 4 else (1, x.shape[2])
    return [x.shape[0], *pixels, *window.pads]
