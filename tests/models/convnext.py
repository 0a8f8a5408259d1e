"""ConvNeXt-T (Liu et al. 2022) as torchvision exports it, seeded weights."""

from __future__ import annotations

import numpy as np
import onnx

from tests.models.builder import Builder
from tests.models.transformer import Transformer

STAGES = ((96, 3), (192, 3), (384, 9), (768, 3))  # channels, blocks


def convnext_tiny(*, size: int = 224, classes: int = 1000) -> onnx.ModelProto:
    b = Builder("convnext_tiny")
    t = Transformer(b, epsilon=1e-6)

    def norm(x: str, channels: int, name: str) -> str:
        """Over the channels of each pixel."""
        x = b.node("Transpose", x, perm=[0, 2, 3, 1])
        return b.node("Transpose", t.norm(x, channels, name), perm=[0, 3, 1, 2])

    def block(x: str, channels: int, name: str) -> str:
        y = b.conv(
            x, (channels, channels), 7, groups=channels, norm=False, gain=1, name=f"{name}.0"
        )
        y = b.node("Transpose", y, perm=[0, 2, 3, 1])
        y = t.norm(y, channels, f"{name}.2")
        y = t.gelu(t.linear(y, channels, 4 * channels, f"{name}.3"))
        y = t.linear(y, 4 * channels, channels, f"{name}.5")
        y = b.node("Transpose", y, perm=[0, 3, 1, 2])
        scale = b.uniform(channels, 0.4, 0.6)[:, None, None]
        y = b.node("Mul", b.constant(f"{name}.layer_scale", scale.astype(np.float32)), y)
        return b.node("Add", y, x)

    x = b.input("input", (1, 3, size, size))
    x = b.conv(x, (3, 96), 4, stride=4, pad=0, norm=False, gain=1, name="features.0.0")
    x, width = norm(x, 96, "features.0.1"), 96
    for stage, (channels, blocks) in enumerate(STAGES):
        if stage:
            x = norm(x, width, f"features.{2 * stage}.0")
            name = f"features.{2 * stage}.1"
            x = b.conv(x, (width, channels), 2, stride=2, pad=0, norm=False, gain=1, name=name)
            width = channels
        for i in range(blocks):
            x = block(x, width, f"features.{2 * stage + 1}.{i}")
    x = norm(b.node("GlobalAveragePool", x), width, "classifier.0")
    x = b.node("Flatten", x, axis=1)
    return b.model(b.linear(x, width, classes, name="classifier.2"), (1, classes))
