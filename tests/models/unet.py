"""A U-Net (Ronneberger et al. 2015) in the form that segments brain scans (Buda et al. 2019), seeded weights."""

from __future__ import annotations

import onnx

from tests.models.builder import Builder

WIDTHS = (32, 64, 128, 256)


def unet(*, size: int = 256, batch_norm: bool = False) -> onnx.ModelProto:
    b = Builder("unet", batch_norm=batch_norm)

    def block(x: str, inputs: int, outputs: int, name: str) -> str:
        x = b.node("Relu", b.conv(x, (inputs, outputs), 3, name=f"{name}.conv1"))
        return b.node("Relu", b.conv(x, (outputs, outputs), 3, name=f"{name}.conv2"))

    x, channels = b.input("input", (1, 3, size, size)), 3
    skips = []
    for i, width in enumerate(WIDTHS, start=1):
        skips.append(block(x, channels, width, f"encoder{i}"))
        x, channels = b.pool("MaxPool", skips[-1], 2, 2), width
    x = block(x, channels, 2 * channels, "bottleneck")
    for i, width in reversed(list(enumerate(WIDTHS, start=1))):
        x = b.up(x, (2 * width, width), name=f"upconv{i}")
        x = block(b.node("Concat", x, skips.pop(), axis=1), 2 * width, width, f"decoder{i}")
    x = b.conv(x, (WIDTHS[0], 1), 1, norm=False, name="conv")
    return b.model(b.node("Sigmoid", x), (1, 1, size, size))
