"""EfficientNet-B0 (Tan and Le 2019) as torchvision exports it, SiLU as Sigmoid and Mul, seeded weights."""

from __future__ import annotations

import onnx

from tests.models.builder import Builder

# expansion, kernel, stride of the first block, output channels, blocks: table 1 of the paper
STAGES = (
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
)


def efficientnet_b0(
    *, size: int = 224, classes: int = 1000, batch_norm: bool = False
) -> onnx.ModelProto:
    b = Builder("efficientnet_b0", batch_norm=batch_norm)

    def silu(x: str) -> str:
        return b.node("Mul", x, b.node("Sigmoid", x))

    def block(
        x: str, name: str, channels: tuple[int, int], expansion: int, kernel: int, stride: int
    ) -> str:
        inputs, outputs = channels
        hidden, squeezed = inputs * expansion, max(1, inputs // 4)
        y = x
        if expansion != 1:
            y = silu(b.conv(y, (inputs, hidden), 1, gain=1, name=f"{name}.expand"))
        y = b.conv(
            y, (hidden, hidden), kernel, stride=stride, groups=hidden, name=f"{name}.depthwise"
        )
        y = silu(y)
        gate = b.node("GlobalAveragePool", y)
        gate = silu(b.conv(gate, (hidden, squeezed), 1, norm=False, name=f"{name}.fc1"))
        gate = b.conv(gate, (squeezed, hidden), 1, norm=False, name=f"{name}.fc2")
        y = b.node("Mul", b.node("Sigmoid", gate), y)
        residual = stride == 1 and inputs == outputs
        # The gates halve what goes through them; a shortcut adds to it.
        gain = 0.8 if residual else 2.4
        y = b.conv(y, (hidden, outputs), 1, gain=gain, name=f"{name}.project")
        return b.node("Add", y, x) if residual else y

    x = b.input("input", (1, 3, size, size))
    x, width = silu(b.conv(x, (3, 32), 3, stride=2, name="features.0")), 32
    for stage, (expansion, kernel, first_stride, outputs, blocks) in enumerate(STAGES, start=1):
        for i in range(blocks):
            stride = first_stride if i == 0 else 1
            x = block(x, f"features.{stage}.{i}", (width, outputs), expansion, kernel, stride)
            width = outputs
    x = silu(b.conv(x, (width, 1280), 1, name="features.8"))
    return b.model(b.classifier(x, 1280, classes), (1, classes))
