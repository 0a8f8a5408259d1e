"""SqueezeNet 1.1 (Iandola et al. 2016) as torchvision exports it, seeded weights."""

from __future__ import annotations

import onnx

from tests.models.builder import Builder

# squeezed channels, channels of each of the two expansions; None is a pool
LAYERS = (
    *[(16, 64)] * 2,
    None,
    *[(32, 128)] * 2,
    None,
    *[(48, 192)] * 2,
    *[(64, 256)] * 2,
)


def squeezenet(*, size: int = 224, classes: int = 1000) -> onnx.ModelProto:
    b = Builder("squeezenet")

    def conv(x: str, channels: tuple[int, int], kernel: int, name: str) -> str:
        return b.node("Relu", b.conv(x, channels, kernel, norm=False, name=name))

    def max_pool(x: str) -> str:
        return b.pool("MaxPool", x, 3, 2, ceil_mode=1)

    x = b.input("input", (1, 3, size, size))
    x = b.conv(x, (3, 64), 3, stride=2, pad=0, norm=False, name="features.0")
    x, width = max_pool(b.node("Relu", x)), 64
    for i, layer in enumerate(LAYERS, start=3):
        if layer is None:
            x = max_pool(x)
            continue
        squeezed, expanded = layer
        x = conv(x, (width, squeezed), 1, f"features.{i}.squeeze")
        y = conv(x, (squeezed, expanded), 1, f"features.{i}.expand1x1")
        z = conv(x, (squeezed, expanded), 3, f"features.{i}.expand3x3")
        x, width = b.node("Concat", y, z, axis=1), 2 * expanded
    x = conv(x, (width, classes), 1, "classifier.1")
    x = b.node("GlobalAveragePool", x)
    return b.model(b.node("Flatten", x, axis=1), (1, classes))
