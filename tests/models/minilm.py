"""MiniLM-L6 (Wang et al. 2020): the encoder behind sentence-transformers' all-MiniLM-L6-v2, from embeddings to
the last hidden state, as PyTorch exports it to ONNX; seeded weights."""

from __future__ import annotations

import math

import numpy as np
import onnx

from tests.models.builder import Builder

LAYERS, HEADS, WIDTH, HIDDEN = 6, 12, 384, 1536
EPSILON = 1e-12


def minilm(*, batch: int = 1, tokens: int = 128, layers: int = LAYERS) -> onnx.ModelProto:
    """The model, for sentences of `tokens` tokens without padding."""
    b = Builder("minilm")
    head = WIDTH // HEADS
    b.constant("split", np.array([batch, tokens, HEADS, head], np.int64))
    b.constant("join", np.array([batch, tokens, WIDTH], np.int64))
    for name, value in {
        "scale": math.sqrt(head),
        "root": math.sqrt(2),
        "one": 1,
        "half": 0.5,
    }.items():
        b.constant(name, np.array(value, np.float32))

    def linear(x: str, inputs: int, outputs: int, name: str) -> str:
        w = b.constant(f"{name}.weight", b.normal((inputs, outputs), 1 / math.sqrt(inputs)))
        bias = b.constant(f"{name}.bias", b.normal((outputs,), 0.02))
        y = b.node("MatMul", x, w, name=f"{name}/MatMul")
        return b.node("Add", bias, y, name=f"{name}/Add")

    def heads(x: str, name: str, order: list[int]) -> str:
        """(batch, tokens, width) as one matrix per head."""
        y = linear(x, WIDTH, WIDTH, name)
        y = b.node("Reshape", y, "split", name=f"{name}/Reshape")
        return b.node("Transpose", y, name=f"{name}/Transpose", perm=order)

    def attention(x: str, name: str) -> str:
        q = heads(x, f"{name}/query", [0, 2, 1, 3])
        k = heads(x, f"{name}/key", [0, 2, 3, 1])
        v = heads(x, f"{name}/value", [0, 2, 1, 3])
        scores = b.node("MatMul", q, k, name=f"{name}/scores")
        scores = b.node("Div", scores, "scale", name=f"{name}/Div")
        weights = b.node("Softmax", scores, name=f"{name}/Softmax", axis=-1)
        y = b.node("MatMul", weights, v, name=f"{name}/context")
        y = b.node("Transpose", y, name=f"{name}/Transpose", perm=[0, 2, 1, 3])
        y = b.node("Reshape", y, "join", name=f"{name}/Reshape")
        return linear(y, WIDTH, WIDTH, f"{name}/output")

    def gelu(x: str, name: str) -> str:
        y = b.node("Div", x, "root", name=f"{name}/Div")
        y = b.node("Erf", y, name=f"{name}/Erf")
        y = b.node("Add", y, "one", name=f"{name}/Add")
        y = b.node("Mul", x, y, name=f"{name}/Mul")
        return b.node("Mul", y, "half", name=f"{name}/Mul_1")

    def add_and_normalize(x: str, y: str, name: str) -> str:
        total = b.node("Add", y, x, name=f"{name}/Add")
        scale = b.constant(f"{name}.weight", b.uniform(WIDTH, 0.8, 1.2))
        shift = b.constant(f"{name}.bias", b.normal((WIDTH,), 0.1))
        return b.node(
            "LayerNormalization", total, scale, shift, name=name, axis=-1, epsilon=EPSILON
        )

    x = b.input("embeddings", (batch, tokens, WIDTH))
    for i in range(layers):
        x = add_and_normalize(x, attention(x, f"{i}/attention"), f"{i}/attention/norm")
        y = gelu(linear(x, WIDTH, HIDDEN, f"{i}/up"), f"{i}/gelu")
        x = add_and_normalize(x, linear(y, HIDDEN, WIDTH, f"{i}/down"), f"{i}/norm")
    return b.model(x, (batch, tokens, WIDTH))
