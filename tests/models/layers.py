"""Single layers as models: what a kernel does without a network around it."""

from __future__ import annotations

import math

import onnx

from tests.models.builder import Builder


def conv(*, channels: int = 64, size: int = 56, kernel: int = 3, seed: int = 0) -> onnx.ModelProto:
    """A stride-1, same-padded convolution that keeps its number of channels."""
    b = Builder("conv", seed=seed)
    shape = (1, channels, size, size)
    x = b.input("input", shape)
    return b.model(b.conv(x, (channels, channels), kernel, gain=1, name="conv"), shape)


def matmul(*, rows: int = 1024, inner: int = 1024, columns: int = 1024) -> onnx.ModelProto:
    """A product with a constant right side: a fully-connected layer over `rows` vectors."""
    b = Builder("matmul")
    x = b.input("input", (rows, inner))
    w = b.constant("weight", b.normal((inner, columns), 1 / math.sqrt(inner)))
    return b.model(b.node("MatMul", x, w, name="matmul"), (rows, columns))


def relu(*, size: int = 1) -> onnx.ModelProto:
    """Next to no work: its time is the cost of a call."""
    b = Builder("relu")
    x = b.input("input", (size,))
    return b.model(b.node("Relu", x, name="relu"), (size,))
