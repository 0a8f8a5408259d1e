"""Whisper-tiny's encoder (Radford et al. 2022) as PyTorch exports transformers' WhisperEncoder, seeded weights."""

from __future__ import annotations

import onnx

from tests.models.builder import Builder
from tests.models.transformer import Transformer

BANDS, WIDTH, HEADS, LAYERS, POSITIONS = 80, 384, 6, 4, 1500
HEAD = WIDTH // HEADS


def whisper_encoder(*, positions: int = POSITIONS, layers: int = LAYERS) -> onnx.ModelProto:
    """The model, from a mel spectrogram of twice as many frames as it has positions."""
    b = Builder("whisper_encoder")
    t = Transformer(b)

    def conv(x: str, inputs: int, stride: int, name: str) -> str:
        """A 1-D convolution of three frames."""
        w = b.constant(f"{name}.weight", b.normal((WIDTH, inputs, 3), (2 / (3 * inputs)) ** 0.5))
        bias = b.constant(f"{name}.bias", b.normal((WIDTH,), 0.1))
        y = b.node("Conv", x, w, bias, kernel_shape=[3], pads=[1, 1], strides=[stride])
        return t.gelu(y)

    def heads(x: str) -> str:
        y = b.node("Reshape", x, b.ints(1, -1, HEADS, HEAD))
        y = b.node("Transpose", y, perm=[0, 2, 1, 3])
        return b.node("Reshape", y, b.ints(HEADS, -1, HEAD))

    def attention(x: str, name: str) -> str:
        q = t.linear(x, WIDTH, WIDTH, f"{name}.q_proj")
        q = heads(b.node("Mul", q, b.scalar(HEAD**-0.5)))
        k = heads(t.linear(x, WIDTH, WIDTH, f"{name}.k_proj", bias=False))
        v = heads(t.linear(x, WIDTH, WIDTH, f"{name}.v_proj"))
        scores = b.node("MatMul", q, b.node("Transpose", k, perm=[0, 2, 1]))
        y = b.node("MatMul", b.node("Softmax", scores, axis=-1), v)
        y = b.node("Reshape", y, b.ints(1, HEADS, positions, HEAD))
        y = b.node("Transpose", y, perm=[0, 2, 1, 3])
        y = b.node("Reshape", y, b.ints(1, positions, WIDTH))
        return t.linear(y, WIDTH, WIDTH, f"{name}.out_proj")

    x = b.input("input_features", (1, BANDS, 2 * positions))
    x = conv(conv(x, BANDS, 1, "conv1"), WIDTH, 2, "conv2")
    x = b.node("Transpose", x, perm=[0, 2, 1])
    x = b.node("Add", x, b.constant("embed_positions", b.normal((positions, WIDTH), 0.2)))
    for layer in range(layers):
        name = f"layers.{layer}"
        y = attention(t.norm(x, WIDTH, f"{name}.self_attn_layer_norm"), f"{name}.self_attn")
        x = b.node("Add", x, y)
        y = t.norm(x, WIDTH, f"{name}.final_layer_norm")
        y = t.gelu(t.linear(y, WIDTH, 4 * WIDTH, f"{name}.fc1"))
        x = b.node("Add", x, t.linear(y, 4 * WIDTH, WIDTH, f"{name}.fc2"))
    x = t.norm(x, WIDTH, "layer_norm")
    return b.model(x, (1, positions, WIDTH), name="last_hidden_state")
