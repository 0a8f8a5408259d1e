"""GPT-2 (Radford et al. 2019) in the size of DistilGPT2 (6 layers of 768; GPT-2's smallest has 12), a step of its decoder with a
cache of keys and values, as PyTorch exports transformers' GPT2LMHeadModel with dynamic axes; seeded weights."""

from __future__ import annotations

import math

import numpy as np
import onnx
from onnx import TensorProto

from tests.models.builder import Builder
from tests.models.transformer import Transformer, lowest

VOCABULARY, POSITIONS, WIDTH, HEADS, LAYERS = 50_257, 1024, 768, 12, 6


def gpt2(
    *,
    vocabulary: int = VOCABULARY,
    width: int = WIDTH,
    heads: int = HEADS,
    layers: int = LAYERS,
) -> onnx.ModelProto:
    """The model: token ids and, for each layer, past keys and values; gives logits and what is past next time."""
    b = Builder("gpt2")
    t = Transformer(b, primitives=True)
    head = width // heads
    b.constant("causal", np.tril(np.ones((1, 1, POSITIONS, POSITIONS), bool)))

    def linear(x: str, inputs: int, outputs: int, name: str) -> str:
        """transformers' Conv1D: a Gemm over all tokens."""
        extents = [t.extent(x, 0), t.extent(x, 1)]
        y = b.node("Reshape", x, b.ints(-1, inputs))
        w = b.constant(f"{name}.weight", b.normal((inputs, outputs), 1 / math.sqrt(inputs)))
        y = b.node("Gemm", y, w, b.constant(f"{name}.bias", b.normal((outputs,), 0.02)))
        return b.node("Reshape", y, b.node("Concat", *extents, b.ints(outputs), axis=0))

    def attention(x: str, layer: int, name: str) -> str:
        y = linear(x, width, 3 * width, f"{name}.c_attn")
        parts = b.nodes("Split", y, b.ints(width, width, width), outputs=3, axis=2)
        q, k, v = (t.split_heads(part, heads, head, (0, 2, 1, 3)) for part in parts)
        past = [
            b.input(f"past.{layer}.{kind}", ("batch", heads, "past", head))
            for kind in ("key", "value")
        ]
        k, v = (
            b.node("Concat", before, now, axis=2) for before, now in zip(past, (k, v), strict=True)
        )
        scores = b.node("MatMul", q, b.node("Transpose", k, perm=[0, 1, 3, 2]))
        scores = b.node("Div", scores, b.scalar(math.sqrt(head)))
        # The rows of the causal mask that belong to the new tokens.
        rows, columns = t.extent(q, 2), t.extent(k, 2)
        first = b.node("Sub", columns, rows)
        mask = b.node("Slice", "causal", first, columns, b.ints(2), b.ints(1))
        mask = b.node("Slice", mask, b.ints(0), columns, b.ints(3), b.ints(1))
        scores = b.node("Where", mask, scores, b.scalar(lowest()))
        y = t.join_heads(b.node("MatMul", b.node("Softmax", scores, axis=-1), v), width)
        for kind, value in zip(("key", "value"), (k, v), strict=True):
            shape = ("batch", heads, "total", head)
            b.output(b.node("Identity", value), f"present.{layer}.{kind}", shape)
        return linear(y, width, width, f"{name}.c_proj")

    ids = b.input("input_ids", ("batch", "tokens"), TensorProto.INT64)
    x = t.embedding(ids, vocabulary, width, "wte")
    past = b.node("Gather", b.node("Shape", "past.0.key"), b.integer(2), axis=0)
    tokens = b.node("Gather", b.node("Shape", ids), b.integer(1), axis=0)
    places = b.node("Range", past, b.node("Add", past, tokens), b.integer(1))
    places = b.node("Unsqueeze", places, b.ints(0))
    x = b.node("Add", x, t.embedding(places, POSITIONS, width, "wpe"))
    for layer in range(layers):
        name = f"h.{layer}"
        y = attention(t.norm(x, width, f"{name}.ln_1"), layer, f"{name}.attn")
        x = b.node("Add", y, x)
        y = linear(t.norm(x, width, f"{name}.ln_2"), width, 4 * width, f"{name}.c_fc")
        x = b.node("Add", x, linear(t.tanh_gelu(y), 4 * width, width, f"{name}.c_proj"))
    logits = t.linear(t.norm(x, width, "ln_f"), width, vocabulary, "lm_head", bias=False)
    return b.model(logits, ("batch", "tokens", vocabulary), name="logits")
