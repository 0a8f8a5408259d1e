"""MobileNetV1 1.0/224 (Howard et al. 2017), seeded weights."""

from __future__ import annotations

import onnx

from tests.models.builder import Builder

# output channels of the pointwise convolution and stride of the depthwise one: table 1 of the paper
BLOCKS = (
    (64, 1),
    (128, 2),
    (128, 1),
    (256, 2),
    (256, 1),
    (512, 2),
    *[(512, 1)] * 5,
    (1024, 2),
    (1024, 1),
)


def mobilenet_v1(
    *, size: int = 224, classes: int = 1000, batch_norm: bool = False
) -> onnx.ModelProto:
    b = Builder("mobilenet_v1", batch_norm=batch_norm)

    def layer(x: str, channels: tuple[int, int], kernel: int, stride: int, groups: int) -> str:
        name = f"{x}.next"
        x = b.conv(x, channels, kernel, stride=stride, groups=groups, name=name)
        return b.node("Relu", x)

    x = b.input("input", (1, 3, size, size))
    x, width = layer(x, (3, 32), 3, 2, 1), 32
    for outputs, stride in BLOCKS:
        x = layer(x, (width, width), 3, stride, width)
        x, width = layer(x, (width, outputs), 1, 1, 1), outputs
    return b.model(b.classifier(x, width, classes), (1, classes))
