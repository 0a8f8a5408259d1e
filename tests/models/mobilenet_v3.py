"""MobileNetV3-Large (Howard et al. 2019) as torchvision builds it, HardSwish as opset 13 has it, seeded weights."""

from __future__ import annotations

import onnx

from tests.models.builder import Builder

# kernel, expanded channels, output channels, squeeze and excitation, hard swish, stride: table 1 of the paper
BLOCKS = (
    (3, 16, 16, False, False, 1),
    (3, 64, 24, False, False, 2),
    (3, 72, 24, False, False, 1),
    (5, 72, 40, True, False, 2),
    (5, 120, 40, True, False, 1),
    (5, 120, 40, True, False, 1),
    (3, 240, 80, False, True, 2),
    (3, 200, 80, False, True, 1),
    (3, 184, 80, False, True, 1),
    (3, 184, 80, False, True, 1),
    (3, 480, 112, True, True, 1),
    (3, 672, 112, True, True, 1),
    (5, 672, 160, True, True, 2),
    (5, 960, 160, True, True, 1),
    (5, 960, 160, True, True, 1),
)


def mobilenet_v3(
    *, size: int = 224, classes: int = 1000, batch_norm: bool = False
) -> onnx.ModelProto:
    b = Builder("mobilenet_v3", batch_norm=batch_norm, epsilon=1e-3)

    def act(x: str, hard_swish: bool) -> str:
        if not hard_swish:
            return b.node("Relu", x)
        return b.node("Mul", x, b.node("HardSigmoid", x, alpha=1 / 6))

    def squeeze_excite(x: str, channels: int, name: str) -> str:
        hidden = (channels // 4 + 4) // 8 * 8  # a multiple of 8, and not much less than a quarter
        hidden += 8 * (hidden < 0.9 * channels / 4)
        y = b.node("GlobalAveragePool", x)
        y = b.conv(y, (channels, hidden), 1, norm=False, name=f"{name}.fc1")
        y = b.node("Relu", y)
        y = b.conv(y, (hidden, channels), 1, norm=False, name=f"{name}.fc2")
        return b.node("Mul", b.node("HardSigmoid", y, alpha=1 / 6), x)

    x = b.input("input", (1, 3, size, size))
    x = act(b.conv(x, (3, 16), 3, stride=2, name="features.0"), True)
    width = 16
    for i, (kernel, hidden, outputs, excite, hard_swish, stride) in enumerate(BLOCKS, start=1):
        name, y = f"features.{i}", x
        if hidden != width:
            y = act(b.conv(y, (width, hidden), 1, gain=1, name=f"{name}.expand"), hard_swish)
        y = b.conv(
            y, (hidden, hidden), kernel, stride=stride, groups=hidden, name=f"{name}.depthwise"
        )
        y = act(y, hard_swish)
        if excite:
            y = squeeze_excite(y, hidden, f"{name}.se")
        residual = stride == 1 and width == outputs
        # The gates halve what goes through them; a shortcut adds to it.
        gain = (2.0 if excite else 1.4) * (0.5 if residual else 1)
        y = b.conv(y, (hidden, outputs), 1, gain=gain, name=f"{name}.project")
        x, width = b.node("Add", y, x) if residual else y, outputs
    x = act(b.conv(x, (width, 960), 1, name="features.16"), True)
    x = b.node("Flatten", b.node("GlobalAveragePool", x), axis=1)
    x = act(b.linear(x, 960, 1280, name="classifier.0"), True)
    return b.model(b.linear(x, 1280, classes, name="classifier.3"), (1, classes))
