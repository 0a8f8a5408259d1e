"""Inception-v3 (Szegedy et al. 2016) as torchvision exports it for inference, seeded weights."""

from __future__ import annotations

from collections.abc import Sequence

import onnx

from tests.models.builder import Builder

Layer = tuple[int, int | tuple[int, int]]  # channels, kernel
ROW, COLUMN = (1, 7), (7, 1)


def inception_v3(
    *, size: int = 299, classes: int = 1000, batch_norm: bool = False
) -> onnx.ModelProto:
    b = Builder("inception_v3", batch_norm=batch_norm, epsilon=1e-3)
    count = 0

    def conv(x: str, inputs: int, layer: Layer, stride: int = 1, pad: int | None = None) -> str:
        nonlocal count
        count += 1
        outputs, kernel = layer
        name = f"conv{count}"
        return b.node(
            "Relu", b.conv(x, (inputs, outputs), kernel, stride=stride, pad=pad, name=name)
        )

    def chain(x: str, inputs: int, layers: Sequence[Layer], reduces: bool = False) -> str:
        """Convolutions one after the other; the last may halve the image."""
        for i, layer in enumerate(layers):
            last = reduces and i == len(layers) - 1
            x = conv(x, inputs, layer, *((2, 0) if last else ()))
            inputs = layer[0]
        return x

    def pooled(x: str, inputs: int, outputs: int) -> str:
        y = b.pool("AveragePool", x, 3, 1, 1, count_include_pad=1)
        return conv(y, inputs, (outputs, 1))

    def concat(*branches: str) -> str:
        return b.node("Concat", *branches, axis=1)

    x = b.input("input", (1, 3, size, size))
    x = conv(x, 3, (32, 3), 2, 0)
    x = conv(x, 32, (32, 3), 1, 0)
    x = b.pool("MaxPool", conv(x, 32, (64, 3)), 3, 2)
    x = conv(conv(x, 64, (80, 1)), 80, (192, 3), 1, 0)
    x, width = b.pool("MaxPool", x, 3, 2), 192
    for features in (32, 64, 64):
        x = concat(
            conv(x, width, (64, 1)),
            chain(x, width, [(48, 1), (64, 5)]),
            chain(x, width, [(64, 1), (96, 3), (96, 3)]),
            pooled(x, width, features),
        )
        width = 224 + features
    x = concat(
        conv(x, width, (384, 3), 2, 0),
        chain(x, width, [(64, 1), (96, 3), (96, 3)], True),
        b.pool("MaxPool", x, 3, 2),
    )
    for c in (128, 160, 160, 192):
        x = concat(
            conv(x, 768, (192, 1)),
            chain(x, 768, [(c, 1), (c, ROW), (192, COLUMN)]),
            chain(x, 768, [(c, 1), (c, COLUMN), (c, ROW), (c, COLUMN), (192, ROW)]),
            pooled(x, 768, 192),
        )
    x = concat(
        chain(x, 768, [(192, 1), (320, 3)], True),
        chain(x, 768, [(192, 1), (192, ROW), (192, COLUMN), (192, 3)], True),
        b.pool("MaxPool", x, 3, 2),
    )
    for width in (1280, 2048):
        y = conv(x, width, (384, 1))
        z = chain(x, width, [(448, 1), (384, 3)])
        x = concat(
            conv(x, width, (320, 1)),
            concat(*(conv(y, 384, (384, kernel)) for kernel in ((1, 3), (3, 1)))),
            concat(*(conv(z, 384, (384, kernel)) for kernel in ((1, 3), (3, 1)))),
            pooled(x, width, 192),
        )
    return b.model(b.classifier(x, 2048, classes), (1, classes))
