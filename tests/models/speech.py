"""Deep Speech 2 (Amodei et al. 2016) as deepspeech.pytorch builds it, with LSTMs, and PyTorch exports it; seeded weights."""

from __future__ import annotations

import math

import numpy as np
import onnx

from tests.models.builder import Builder

BANDS, CHANNELS = 161, 32  # frequencies of a spectrogram, channels of its convolutions
LABELS = 29


def deep_speech(*, frames: int = 200, hidden: int = 1024, layers: int = 5) -> onnx.ModelProto:
    """The model; gives the logarithm of each label's probability every second frame."""
    b = Builder("deep_speech")

    def conv(
        x: str, inputs: int, kernel: tuple[int, int], stride: tuple[int, int], name: str
    ) -> str:
        pad = (kernel[0] // 2, kernel[1] // 2)
        y = b.conv(x, (inputs, CHANNELS), kernel, stride=stride, pad=pad, name=name)
        return b.node("Clip", y, b.scalar(0), b.scalar(20))

    def lstm(x: str, inputs: int, name: str) -> str:
        """Both directions, added."""
        deviation = 1 / math.sqrt(hidden)
        weights = [
            b.constant(f"{name}.{kind}", b.normal((2, 4 * hidden, columns), deviation))
            for kind, columns in (("W", inputs), ("R", hidden))
        ]
        bias = b.constant(f"{name}.B", b.normal((2, 8 * hidden), deviation))
        state = b.constant("state", np.zeros((2, 1, hidden), np.float32))
        y = b.node(
            "LSTM",
            x,
            *weights,
            bias,
            "",
            state,
            state,
            name=name,
            direction="bidirectional",
            hidden_size=hidden,
        )
        y = b.node("Transpose", y, perm=[0, 2, 1, 3])
        y = b.node("Reshape", y, b.ints(0, 0, -1))
        y = b.node("Reshape", y, b.ints(steps, 1, 2, -1))
        return b.node("ReduceSum", y, b.ints(2), keepdims=0)

    def norm(x: str, width: int, name: str) -> str:
        """Over all frames of all sequences."""
        y = b.node("Reshape", x, b.ints(-1, width))
        y = b.batch_norm_alone(y, width, name=name)
        return b.node("Reshape", y, b.ints(steps, 1, width))

    steps = (frames + 1) // 2
    x = b.input("spectrogram", (1, 1, BANDS, frames))
    x = conv(x, 1, (41, 11), (2, 2), "conv.0")
    x = conv(x, CHANNELS, (21, 11), (2, 1), "conv.3")
    width = CHANNELS * 41
    x = b.node("Reshape", x, b.ints(1, width, steps))
    x = b.node("Transpose", x, perm=[2, 0, 1])
    for i in range(layers):
        if i:
            x = norm(x, width, f"rnns.{i}.batch_norm")
        x, width = lstm(x, width, f"rnns.{i}"), hidden
    x = norm(x, width, "fc.0")
    w = b.constant("fc.1.weight", b.normal((width, LABELS), 4 / math.sqrt(width)))
    x = b.node("Transpose", b.node("MatMul", x, w), perm=[1, 0, 2])
    return b.model(b.node("LogSoftmax", x, axis=-1), (1, steps, LABELS))
