"""YOLOv8-n (Jocher et al. 2023) as Ultralytics exports it: boxes and class scores of all cells, seeded weights."""

from __future__ import annotations

import numpy as np
import onnx

from tests.models.builder import Builder

BINS = 16  # of the distribution over each distance of a box
STRIDES = (8, 16, 32)


def yolov8n(*, size: int = 640, classes: int = 80, batch_norm: bool = False) -> onnx.ModelProto:
    b = Builder("yolov8n", batch_norm=batch_norm, epsilon=1e-3)

    def conv(x: str, channels: tuple[int, int], kernel: int, name: str, stride: int = 1) -> str:
        x = b.conv(x, channels, kernel, stride=stride, name=name)
        return b.node("Mul", x, b.node("Sigmoid", x))

    def c2f(x: str, channels: tuple[int, int], repeats: int, shortcut: bool, name: str) -> str:
        """Splits the channels and sends one half through bottlenecks; all that they give is kept."""
        inputs, outputs = channels
        half = outputs // 2
        y = conv(x, (inputs, outputs), 1, f"{name}.cv1")
        parts = b.nodes("Split", y, b.ints(half, half), outputs=2, axis=1)
        for i in range(repeats):
            y = conv(parts[-1], (half, half), 3, f"{name}.m.{i}.cv1")
            y = conv(y, (half, half), 3, f"{name}.m.{i}.cv2")
            parts.append(b.node("Add", parts[-1], y) if shortcut else y)
        return conv(concat(*parts), (half * (2 + repeats), outputs), 1, f"{name}.cv2")

    def concat(*parts: str, axis: int = 1) -> str:
        return b.node("Concat", *parts, axis=axis)

    def pyramid_pool(x: str, channels: int, name: str) -> str:
        parts = [conv(x, (channels, channels // 2), 1, f"{name}.cv1")]
        for _ in range(3):
            parts.append(b.pool("MaxPool", parts[-1], 5, 1, 2))
        return conv(concat(*parts), (channels * 2, channels), 1, f"{name}.cv2")

    def head(x: str, channels: int, outputs: int, hidden: int, name: str) -> str:
        y = conv(x, (channels, hidden), 3, f"{name}.0")
        y = conv(y, (hidden, hidden), 3, f"{name}.1")
        return b.conv(y, (hidden, outputs), 1, norm=False, gain=1, name=f"{name}.2")

    x = b.input("images", (1, 3, size, size))
    x = conv(conv(x, (3, 16), 3, "model.0", 2), (16, 32), 3, "model.1", 2)
    x = c2f(x, (32, 32), 1, True, "model.2")
    third = c2f(conv(x, (32, 64), 3, "model.3", 2), (64, 64), 2, True, "model.4")
    fourth = c2f(conv(third, (64, 128), 3, "model.5", 2), (128, 128), 2, True, "model.6")
    x = c2f(conv(fourth, (128, 256), 3, "model.7", 2), (256, 256), 1, True, "model.8")
    fifth = pyramid_pool(x, 256, "model.9")
    middle = c2f(concat(b.doubled(fifth), fourth), (384, 128), 1, False, "model.12")
    small = c2f(concat(b.doubled(middle), third), (192, 64), 1, False, "model.15")
    x = concat(conv(small, (64, 64), 3, "model.16", 2), middle)
    medium = c2f(x, (192, 128), 1, False, "model.18")
    x = concat(conv(medium, (128, 128), 3, "model.19", 2), fifth)
    large = c2f(x, (384, 256), 1, False, "model.21")

    levels = []
    for i, (x, channels) in enumerate(((small, 64), (medium, 128), (large, 256))):
        boxes = head(x, channels, 4 * BINS, 64, f"model.22.cv2.{i}")
        scores = head(x, channels, classes, max(64, min(classes, 100)), f"model.22.cv3.{i}")
        levels.append(b.node("Reshape", concat(boxes, scores), b.ints(1, 4 * BINS + classes, -1)))
    x = concat(*levels, axis=2)
    boxes, scores = b.nodes("Split", x, b.ints(4 * BINS, classes), outputs=2, axis=1)
    cells = sum((size // stride) ** 2 for stride in STRIDES)
    # The expected value of each distance, by a convolution with the numbers of the bins.
    y = b.node("Reshape", boxes, b.ints(1, 4, BINS, cells))
    y = b.node("Softmax", b.node("Transpose", y, perm=[0, 2, 1, 3]), axis=1)
    bins = b.constant("model.22.dfl.weight", np.arange(BINS, dtype=np.float32).reshape(1, -1, 1, 1))
    y = b.node("Reshape", b.node("Conv", y, bins), b.ints(1, 4, cells))
    axis = b.ints(1)
    before = b.node("Slice", y, b.ints(0), b.ints(2), axis, axis)
    after = b.node("Slice", y, b.ints(2), b.ints(4), axis, axis)
    anchors, strides = _anchors(size)
    centre = b.constant("model.22.anchors", anchors)
    low, high = b.node("Sub", centre, before), b.node("Add", after, centre)
    middle = b.node("Div", b.node("Add", low, high), b.scalar(2))
    boxes = b.node("Mul", concat(middle, b.node("Sub", high, low)), b.constant("strides", strides))
    x = concat(boxes, b.node("Sigmoid", scores))
    return b.model(x, (1, 4 + classes, cells), name="output0")


def _anchors(size: int) -> tuple[np.ndarray, np.ndarray]:
    """The centre of each cell in cells, (1, 2, cells), and each cell's size in pixels, (1, cells)."""
    centres, strides = [], []
    for stride in STRIDES:
        places = np.arange(size // stride, dtype=np.float32) + 0.5
        y, x = np.meshgrid(places, places, indexing="ij")
        centres.append(np.stack([x.ravel(), y.ravel()]))
        strides.append(np.full(x.size, stride, np.float32))
    return np.concatenate(centres, axis=1)[None], np.concatenate(strides)[None]
