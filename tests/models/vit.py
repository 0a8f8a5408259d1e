"""ViT-S/16 (Dosovitskiy et al. 2021, in the size of Touvron et al. 2021) as timm exports it, seeded weights."""

from __future__ import annotations

import math

import onnx

from tests.models.builder import Builder
from tests.models.transformer import Transformer

PATCH, WIDTH, HEADS, LAYERS = 16, 384, 6, 12
HEAD = WIDTH // HEADS


def vit_small(*, size: int = 224, classes: int = 1000, layers: int = LAYERS) -> onnx.ModelProto:
    b = Builder("vit_small")
    t = Transformer(b, epsilon=1e-6)
    patches = (size // PATCH) ** 2
    tokens = patches + 1

    def attention(x: str, name: str) -> str:
        y = t.linear(x, WIDTH, 3 * WIDTH, f"{name}.qkv")
        y = b.node("Reshape", y, b.ints(1, tokens, 3, HEADS, HEAD))
        y = b.node("Transpose", y, perm=[2, 0, 3, 1, 4])
        q, k, v = (
            b.node("Squeeze", part, b.ints(0))
            for part in b.nodes("Split", y, b.ints(1, 1, 1), outputs=3, axis=0)
        )
        # Both factors of the scores are scaled, as by scaled_dot_product_attention.
        scale = b.scalar(math.sqrt(HEAD**-0.5))
        k = b.node("Transpose", k, perm=[0, 1, 3, 2])
        scores = b.node("MatMul", b.node("Mul", q, scale), b.node("Mul", k, scale))
        y = b.node("MatMul", b.node("Softmax", scores, axis=-1), v)
        y = b.node("Transpose", y, perm=[0, 2, 1, 3])
        y = b.node("Reshape", y, b.ints(1, tokens, WIDTH))
        return t.linear(y, WIDTH, WIDTH, f"{name}.proj")

    x = b.input("input", (1, 3, size, size))
    x = b.conv(x, (3, WIDTH), PATCH, stride=PATCH, pad=0, norm=False, gain=1, name="patch_embed")
    x = b.node("Reshape", x, b.ints(1, WIDTH, patches))
    x = b.node("Transpose", x, perm=[0, 2, 1])
    x = b.node("Concat", b.constant("cls_token", b.normal((1, 1, WIDTH), 1)), x, axis=1)
    x = b.node("Add", x, b.constant("pos_embed", b.normal((1, tokens, WIDTH), 0.2)))
    for i in range(layers):
        name = f"blocks.{i}"
        x = b.node("Add", x, attention(t.norm(x, WIDTH, f"{name}.norm1"), f"{name}.attn"))
        y = t.linear(t.norm(x, WIDTH, f"{name}.norm2"), WIDTH, 4 * WIDTH, f"{name}.fc1")
        x = b.node("Add", x, t.linear(t.gelu(y), 4 * WIDTH, WIDTH, f"{name}.fc2"))
    x = b.node("Gather", t.norm(x, WIDTH, "norm"), b.integer(0), axis=1)
    return b.model(b.linear(x, WIDTH, classes, name="head"), (1, classes))
