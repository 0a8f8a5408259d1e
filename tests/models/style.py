"""Fast style transfer (Johnson et al. 2016, with the instance normalization of Ulyanov et al.) as PyTorch exports it, seeded
weights."""

from __future__ import annotations

import onnx

from tests.models.builder import Builder


def style_transfer(*, size: int = 224) -> onnx.ModelProto:
    b = Builder("style_transfer")

    def conv(x: str, channels: tuple[int, int], kernel: int, stride: int, name: str) -> str:
        """A convolution of an image that its own reflection surrounds."""
        pad = kernel // 2
        x = b.node("Pad", x, b.ints(0, 0, pad, pad, 0, 0, pad, pad), mode="reflect")
        return b.conv(x, channels, kernel, stride=stride, pad=0, norm=False, name=name)

    def norm(x: str, channels: int, name: str) -> str:
        scale = b.constant(f"{name}.weight", b.uniform(channels, 0.8, 1.2))
        shift = b.constant(f"{name}.bias", b.normal((channels,), 0.1))
        return b.node("InstanceNormalization", x, scale, shift, name=name, epsilon=1e-5)

    def layer(x: str, channels: tuple[int, int], kernel: int, stride: int, name: str) -> str:
        y = norm(conv(x, channels, kernel, stride, name), channels[1], f"{name}.in")
        return b.node("Relu", y)

    def residual(x: str, channels: int, name: str) -> str:
        y = layer(x, (channels, channels), 3, 1, f"{name}.conv1")
        y = conv(y, (channels, channels), 3, 1, f"{name}.conv2")
        return b.node("Add", norm(y, channels, f"{name}.in2"), x)

    x = b.input("input", (1, 3, size, size))
    for i, (channels, kernel, stride) in enumerate(
        (((3, 32), 9, 1), ((32, 64), 3, 2), ((64, 128), 3, 2)), start=1
    ):
        x = layer(x, channels, kernel, stride, f"conv{i}")
    for i in range(1, 6):
        x = residual(x, 128, f"res{i}")
    for i, channels in enumerate(((128, 64), (64, 32)), start=1):
        x = b.up(x, channels, kernel=3, name=f"deconv{i}")
        x = b.node("Relu", norm(x, channels[1], f"deconv{i}.in"))
    return b.model(conv(x, (32, 3), 9, 1, "deconv3"), (1, 3, size, size))
