"""MobileNetV2 1.0/224 (Sandler et al. 2018) as torchvision exports it to ONNX, seeded weights."""

from __future__ import annotations

import numpy as np
import onnx

from tests.models.builder import Builder

# expansion, output channels, blocks, stride of the first block: table 2 of the paper
STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


def mobilenet_v2(
    *,
    batch: int | str = 1,
    size: int = 224,
    classes: int = 1000,
    seed: int = 0,
    batch_norm: bool = False,
) -> onnx.ModelProto:
    """The model; `batch` may be a name, for a dynamic batch."""
    b = Builder("mobilenet_v2", seed=seed, batch_norm=batch_norm)
    b.constant("zero", np.array(0, np.float32))
    b.constant("six", np.array(6, np.float32))

    def relu6(x: str, name: str) -> str:
        return b.node("Clip", x, "zero", "six", name=name)

    def block(x: str, name: str, channels: tuple[int, int], expansion: int, stride: int) -> str:
        inputs, outputs = channels
        hidden = inputs * expansion
        residual = stride == 1 and inputs == outputs
        y = x
        if expansion != 1:
            y = relu6(b.conv(y, (inputs, hidden), 1, name=f"{name}/expand"), f"{name}/expand/relu6")
        y = b.conv(y, (hidden, hidden), 3, stride=stride, groups=hidden, name=f"{name}/depthwise")
        y = relu6(y, f"{name}/depthwise/relu6")
        # Halved where a shortcut is added, or the variance would double with every block.
        gain = 0.5 if residual else 1.0
        y = b.conv(y, (hidden, outputs), 1, gain=gain, name=f"{name}/project")
        return b.node("Add", x, y, name=f"{name}/add") if residual else y

    x = b.input("input", (batch, 3, size, size))
    x = relu6(b.conv(x, (3, 32), 3, stride=2, name="features.0"), "features.0/relu6")
    width, index = 32, 1
    for expansion, channels, blocks, first_stride in STAGES:
        for i in range(blocks):
            stride = first_stride if i == 0 else 1
            x = block(x, f"features.{index}", (width, channels), expansion, stride)
            width, index = channels, index + 1
    x = relu6(b.conv(x, (width, 1280), 1, name=f"features.{index}"), f"features.{index}/relu6")
    x = b.node("GlobalAveragePool", x, name="pool")
    x = b.node("Flatten", x, name="flatten", axis=1)
    x = b.linear(x, 1280, classes, name="classifier")
    return b.model(x, (batch, classes))
