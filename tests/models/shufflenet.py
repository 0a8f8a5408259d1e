"""ShuffleNetV2 x1.0 (Ma et al. 2018) as torchvision exports it, seeded weights."""

from __future__ import annotations

import onnx

from tests.models.builder import Builder

STAGES = ((116, 4), (232, 8), (464, 4))  # output channels, units


def shufflenet_v2(
    *, size: int = 224, classes: int = 1000, batch_norm: bool = False
) -> onnx.ModelProto:
    b = Builder("shufflenet_v2", batch_norm=batch_norm)

    def relu(x: str) -> str:
        return b.node("Relu", x)

    def depthwise(x: str, channels: int, stride: int, name: str) -> str:
        return b.conv(x, (channels, channels), 3, stride=stride, groups=channels, name=name, gain=1)

    def branch(x: str, inputs: int, width: int, stride: int, name: str) -> str:
        y = relu(b.conv(x, (inputs, width), 1, name=f"{name}.0"))
        y = depthwise(y, width, stride, f"{name}.3")
        return relu(b.conv(y, (width, width), 1, name=f"{name}.5"))

    def shuffle(x: str, channels: int, size: int) -> str:
        y = b.node("Reshape", x, b.ints(1, 2, channels // 2, size, size))
        y = b.node("Transpose", y, perm=[0, 2, 1, 3, 4])
        return b.node("Reshape", y, b.ints(1, channels, size, size))

    x = b.input("input", (1, 3, size, size))
    x = relu(b.conv(x, (3, 24), 3, stride=2, name="conv1"))
    x, width, size = b.pool("MaxPool", x, 3, 2, 1), 24, size // 4
    for stage, (outputs, units) in enumerate(STAGES, start=2):
        half, size = outputs // 2, size // 2
        y = depthwise(x, width, 2, f"stage{stage}.0.branch1.0")
        y = relu(b.conv(y, (width, half), 1, name=f"stage{stage}.0.branch1.2"))
        other = branch(x, width, half, 2, f"stage{stage}.0.branch2")
        x = shuffle(b.node("Concat", y, other, axis=1), outputs, size)
        for i in range(1, units):
            kept, y = b.nodes("Split", x, b.ints(half, half), outputs=2, axis=1)
            y = branch(y, half, half, 1, f"stage{stage}.{i}.branch2")
            x = shuffle(b.node("Concat", kept, y, axis=1), outputs, size)
        width = outputs
    x = relu(b.conv(x, (width, 1024), 1, name="conv5"))
    x = b.node("ReduceMean", x, axes=[2, 3], keepdims=0)
    return b.model(b.linear(x, 1024, classes, name="fc"), (1, classes))
