"""Single layers as models: what a kernel does without a network around it."""

from __future__ import annotations

import math

import onnx

from tests.models.builder import Builder


def conv(
    *,
    channels: int = 64,
    outputs: int | None = None,
    size: int = 56,
    kernel: int = 3,
    stride: int = 1,
    seed: int = 0,
) -> onnx.ModelProto:
    """A padded convolution; it keeps its number of channels unless `outputs` says otherwise."""
    b = Builder("conv", seed=seed)
    outputs = channels if outputs is None else outputs
    x = b.input("input", (1, channels, size, size))
    y = b.conv(x, (channels, outputs), kernel, stride=stride, gain=1, name="conv")
    return b.model(y, (1, outputs, size // stride, size // stride))


def depthwise(*, channels: int, size: int, kernel: int = 3) -> onnx.ModelProto:
    """A padded convolution of each channel by itself."""
    b = Builder("depthwise")
    shape = (1, channels, size, size)
    x = b.input("input", shape)
    y = b.conv(x, (channels, channels), kernel, groups=channels, gain=1, name="depthwise")
    return b.model(y, shape)


def matmul(*, rows: int = 1024, inner: int = 1024, columns: int = 1024) -> onnx.ModelProto:
    """A product with a constant right side: a fully-connected layer over `rows` vectors."""
    b = Builder("matmul")
    x = b.input("input", (rows, inner))
    w = b.constant("weight", b.normal((inner, columns), 1 / math.sqrt(inner)))
    return b.model(b.node("MatMul", x, w, name="matmul"), (rows, columns))


def matmul_computed(*, size: int = 1024) -> onnx.ModelProto:
    """A product whose right side is only known at each run: the input by what a Relu leaves of it."""
    b = Builder("matmul_computed")
    x = b.input("input", (size, size))
    y = b.node("MatMul", x, b.node("Relu", x, name="relu"), name="matmul")
    return b.model(y, (size, size))


def relu(*, size: int = 1) -> onnx.ModelProto:
    """Next to no work: its time is the cost of a call."""
    b = Builder("relu")
    x = b.input("input", (size,))
    return b.model(b.node("Relu", x, name="relu"), (size,))
