"""DenseNet-121 (Huang et al. 2017) as torchvision exports it, seeded weights."""

from __future__ import annotations

import onnx

from tests.models.builder import Builder

LAYERS, GROWTH, STEM = (6, 12, 24, 16), 32, 64


def densenet121(
    *, size: int = 224, classes: int = 1000, batch_norm: bool = False
) -> onnx.ModelProto:
    """The model; the normalizations before convolutions stay as nodes in either case."""
    b = Builder("densenet121", batch_norm=batch_norm)

    def normalized(x: str, channels: int, name: str) -> str:
        return b.node("Relu", b.batch_norm_alone(x, channels, name=name))

    def plain(x: str, channels: tuple[int, int], kernel: int, name: str) -> str:
        """A convolution without bias, as the next layer normalizes."""
        return b.conv(x, channels, kernel, norm=False, bias=False, name=name)

    x = b.input("input", (1, 3, size, size))
    x = b.node("Relu", b.conv(x, (3, STEM), 7, stride=2, name="conv0"))
    x, width = b.pool("MaxPool", x, 3, 2, 1), STEM
    for stage, layers in enumerate(LAYERS, start=1):
        features = [x]
        for i in range(1, layers + 1):
            name = f"block{stage}.layer{i}"
            y = b.node("Concat", *features, axis=1) if i > 1 else x
            y = normalized(y, width, f"{name}.norm1")
            y = b.node("Relu", b.conv(y, (width, 4 * GROWTH), 1, name=f"{name}.conv1"))
            features.append(plain(y, (4 * GROWTH, GROWTH), 3, f"{name}.conv2"))
            width += GROWTH
        x = normalized(b.node("Concat", *features, axis=1), width, f"norm{stage}")
        if stage < len(LAYERS):
            x = plain(x, (width, width // 2), 1, f"transition{stage}")
            x, width = b.pool("AveragePool", x, 2, 2), width // 2
    return b.model(b.classifier(x, width, classes), (1, classes))
