"""MobileNetV2 1.0/224 (Sandler et al. 2018) as torchvision exports it to ONNX, seeded weights."""

from __future__ import annotations

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

FEATURES = 1280


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
    x, _ = features(b, b.input("input", (batch, 3, size, size)))
    return b.model(b.classifier(x, FEATURES, classes), (batch, classes))


def features(b: Builder, x: str) -> tuple[str, str]:
    """All but the classifier: the last features, and the widest at a sixteenth of the size."""
    x = relu6(b, b.conv(x, (3, 32), 3, stride=2, name="features.0"))
    width, index, sixteenth = 32, 1, ""
    for expansion, channels, blocks, first_stride in STAGES:
        for i in range(blocks):
            stride = first_stride if i == 0 else 1
            name, hidden = f"features.{index}", width * expansion
            y = x
            if expansion != 1:
                y = relu6(b, b.conv(y, (width, hidden), 1, name=f"{name}/expand"))
            if channels == 160 and i == 0:
                sixteenth = y
            x = rest(b, x, y, name, (width, hidden, channels), stride)
            width, index = channels, index + 1
    return relu6(b, b.conv(x, (width, FEATURES), 1, name=f"features.{index}")), sixteenth


def rest(b: Builder, x: str, y: str, name: str, channels: tuple[int, int, int], stride: int) -> str:
    """An inverted residual from where its channels have been expanded.

    Args:
        x: what comes in.
        y: the same, expanded.
        channels: of the input, expanded, and of the output.
    """
    inputs, hidden, outputs = channels
    residual = stride == 1 and inputs == outputs
    y = b.conv(y, (hidden, hidden), 3, stride=stride, groups=hidden, name=f"{name}/depthwise")
    y = relu6(b, y)
    # Halved where a shortcut is added, or the variance would double with every block.
    y = b.conv(y, (hidden, outputs), 1, gain=0.5 if residual else 1.0, name=f"{name}/project")
    return b.node("Add", x, y, name=f"{name}/add") if residual else y


def relu6(b: Builder, x: str) -> str:
    return b.node("Clip", x, b.scalar(0), b.scalar(6))
