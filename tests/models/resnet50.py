"""ResNet-50 v1.5 (He et al. 2015, stride in the 3x3 convolution) as torchvision exports it."""

from __future__ import annotations

import math

import onnx

from tests.models.builder import Builder

# bottleneck width, blocks, stride of the first block
STAGES = ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2))
EXPANSION = 4


def resnet50(
    *,
    batch: int | str = 1,
    size: int = 224,
    classes: int = 1000,
    seed: int = 0,
    batch_norm: bool = False,
) -> onnx.ModelProto:
    """The model; `batch` may be a name, for a dynamic batch."""
    b = Builder("resnet50", seed=seed, batch_norm=batch_norm)

    def relu(x: str, name: str) -> str:
        return b.node("Relu", x, name=f"{name}/relu")

    def block(x: str, name: str, inputs: int, width: int, stride: int) -> str:
        outputs = width * EXPANSION
        y = relu(b.conv(x, (inputs, width), 1, name=f"{name}/conv1"), f"{name}/conv1")
        y = relu(b.conv(y, (width, width), 3, stride=stride, name=f"{name}/conv2"), f"{name}/conv2")
        # Halved, or the variance would double with every block.
        y = b.conv(y, (width, outputs), 1, gain=math.sqrt(2) / 2, name=f"{name}/conv3")
        if stride != 1 or inputs != outputs:
            x = b.conv(x, (inputs, outputs), 1, stride=stride, gain=1, name=f"{name}/downsample")
        return relu(b.node("Add", y, x, name=f"{name}/add"), name)

    x = b.input("input", (batch, 3, size, size))
    x = relu(b.conv(x, (3, 64), 7, stride=2, name="conv1"), "conv1")
    x = b.node("MaxPool", x, name="maxpool", kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[2, 2])
    channels = 64
    for stage, (width, blocks, first_stride) in enumerate(STAGES, start=1):
        for i in range(blocks):
            stride = first_stride if i == 0 else 1
            x = block(x, f"layer{stage}.{i}", channels, width, stride)
            channels = width * EXPANSION
    x = b.node("GlobalAveragePool", x, name="avgpool")
    x = b.node("Flatten", x, name="flatten", axis=1)
    x = b.linear(x, channels, classes, name="fc")
    return b.model(x, (batch, classes))
