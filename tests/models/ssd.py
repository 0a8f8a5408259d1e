"""SSDLite on MobileNetV2 (Liu et al. 2016, Sandler et al. 2018) for the 20 classes of VOC: six feature maps, their boxes decoded,
then chosen by NonMaxSuppression; seeded weights."""

from __future__ import annotations

import itertools
import math

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto

from tests.models.builder import Builder
from tests.models.mobilenet_v2 import FEATURES, features, relu6, rest

CLASSES = 21  # with the background
# Of each feature map behind the first two: channels, and how far the block before it expands its input.
EXTRAS = ((512, 0.2), (256, 0.25), (256, 0.5), (64, 0.25))
BOXES = 6  # of each cell
# Of each feature map: smaller and larger box, in parts of the image.
SIZES = ((0.2, 0.35), (0.35, 0.5), (0.5, 0.65), (0.65, 0.8), (0.8, 0.95), (0.95, 1.1))


def ssd(*, size: int = 300) -> onnx.ModelProto:
    """The model; gives boxes as (left, top, right, bottom), their scores and classes."""
    b = Builder("ssd")

    def separable(x: str, channels: tuple[int, int], name: str) -> str:
        inputs, outputs = channels
        y = b.conv(x, (inputs, inputs), 3, groups=inputs, name=f"{name}.0")
        y = relu6(b, y)
        return b.conv(y, (inputs, outputs), 1, norm=False, gain=1, name=f"{name}.3")

    def head(x: str, channels: int, values: int, name: str) -> str:
        """So many values for each box, (1, boxes, values)."""
        y = separable(x, (channels, BOXES * values), name)
        return b.node("Reshape", b.node("Transpose", y, perm=[0, 2, 3, 1]), b.ints(1, -1, values))

    x, sixteenth = features(b, b.input("input", (1, 3, size, size)))
    width = FEATURES
    maps = [(sixteenth, 576), (x, width)]
    for i, (channels, expansion) in enumerate(EXTRAS):
        hidden = round(width * expansion)
        y = relu6(b, b.conv(x, (width, hidden), 1, name=f"extras.{i}/expand"))
        x = rest(b, x, y, f"extras.{i}", (width, hidden, channels), 2)
        width = channels
        maps.append((x, width))
    scores, places = [], []
    for i, (x, channels) in enumerate(maps):
        scores.append(head(x, channels, CLASSES, f"classification.{i}"))
        places.append(head(x, channels, 4, f"regression.{i}"))
    confidence = b.node("Softmax", b.node("Concat", *scores, axis=1), axis=2)
    boxes = _decoded(b, b.node("Concat", *places, axis=1), priors(size))
    _choose(b, boxes, b.node("Transpose", confidence, perm=[0, 2, 1]))
    return b.model()


def priors(size: int) -> NDArray[np.float32]:
    """Centre and size of each box before its regression, (1, boxes, 4)."""
    boxes = []
    cells = math.ceil(size / 16)
    for small, large in SIZES:
        shapes = [(small, small), (math.sqrt(small * large),) * 2]
        for ratio in (2, 3):
            root = math.sqrt(ratio)
            shapes += [(small * root, small / root), (small / root, small * root)]
        for y, x in itertools.product(range(cells), repeat=2):
            boxes += [((x + 0.5) / cells, (y + 0.5) / cells, w, h) for w, h in shapes]
        cells = math.ceil(cells / 2)
    return np.clip(np.array(boxes, np.float32), 0, 1)[None]


def _decoded(b: Builder, places: str, priors: NDArray[np.float32]) -> str:
    """Corners of boxes from what the network says of their priors."""
    axis = b.ints(2)
    shift, stretch = (
        b.node("Slice", places, b.ints(first), b.ints(first + 2), axis) for first in (0, 2)
    )
    centres, sizes = (b.constant(f"priors_{i}", priors[..., i : i + 2]) for i in (0, 2))
    shift = b.node("Mul", b.node("Mul", shift, b.scalar(0.1)), sizes)
    centre = b.node("Add", shift, centres)
    size = b.node("Mul", b.node("Exp", b.node("Mul", stretch, b.scalar(0.2))), sizes)
    half = b.node("Div", size, b.scalar(2))
    return b.node("Concat", b.node("Sub", centre, half), b.node("Add", centre, half), axis=2)


def _choose(b: Builder, boxes: str, confidence: str) -> None:
    """Outputs the best boxes of each class but the background, without those that overlap a better one."""
    objects = b.node("Slice", confidence, b.ints(1), b.ints(CLASSES), b.ints(1))
    chosen = b.node(
        "NonMaxSuppression",
        boxes,
        objects,
        b.ints(100),
        b.constant("overlap", np.array([0.45], np.float32)),
        b.constant("least", np.array([0.5], np.float32)),
    )
    columns = b.node("Transpose", chosen, perm=[1, 0])
    labels = b.node("Gather", columns, b.integer(1), axis=0)
    numbers = b.node("Gather", columns, b.integer(2), axis=0)
    places = b.node("Gather", b.node("Squeeze", boxes, b.ints(0)), numbers, axis=0)
    scores = b.node("GatherND", objects, chosen)
    b.output(places, "boxes", ("found", 4))
    b.output(scores, "scores", ("found",))
    b.output(labels, "labels", ("found",), TensorProto.INT64)
