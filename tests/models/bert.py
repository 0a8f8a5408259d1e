"""BERT (Devlin et al. 2019) and MiniLM (Wang et al. 2020) from token ids to hidden states, as PyTorch exports
transformers' BertModel with dynamic axes; seeded weights."""

from __future__ import annotations

import math

import numpy as np
import onnx
from onnx import TensorProto

from tests.models.builder import Builder
from tests.models.transformer import Transformer, lowest

VOCABULARY, POSITIONS = 30_522, 512


def bert_base(*, layers: int = 2, vocabulary: int = VOCABULARY) -> onnx.ModelProto:
    """Two layers of BERT-base."""
    return _bert("bert_base", layers, heads=12, width=768, vocabulary=vocabulary)


def minilm_ids(*, layers: int = 6, vocabulary: int = VOCABULARY) -> onnx.ModelProto:
    """MiniLM-L6."""
    return _bert("minilm_ids", layers, heads=12, width=384, vocabulary=vocabulary)


def _bert(name: str, layers: int, *, heads: int, width: int, vocabulary: int) -> onnx.ModelProto:
    b = Builder(name)
    t = Transformer(b, epsilon=1e-12, primitives=True)
    head, shape = width // heads, ("batch", "tokens")

    def attention(x: str, mask: str, name: str) -> str:
        q = t.split_heads(t.linear(x, width, width, f"{name}.query"), heads, head, (0, 2, 1, 3))
        k = t.split_heads(t.linear(x, width, width, f"{name}.key"), heads, head, (0, 2, 3, 1))
        v = t.split_heads(t.linear(x, width, width, f"{name}.value"), heads, head, (0, 2, 1, 3))
        scores = b.node("Div", b.node("MatMul", q, k), b.scalar(math.sqrt(head)))
        weights = b.node("Softmax", b.node("Add", scores, mask), axis=-1)
        y = t.join_heads(b.node("MatMul", weights, v), width)
        return t.linear(y, width, width, f"{name}.output")

    ids = b.input("input_ids", shape, TensorProto.INT64)
    mask = b.input("attention_mask", shape, TensorProto.INT64)
    types = b.input("token_type_ids", shape, TensorProto.INT64)

    mask = b.node("Unsqueeze", b.node("Unsqueeze", mask, b.ints(1)), b.ints(2))
    mask = b.node("Sub", b.scalar(1), b.node("Cast", mask, to=TensorProto.FLOAT))
    mask = b.node("Mul", mask, b.scalar(lowest()))

    numbers = b.constant("position_ids", np.arange(POSITIONS)[None])
    places = b.node("Slice", numbers, b.ints(0), t.extent(ids, 1), b.ints(1))
    x = t.embedding(ids, vocabulary, width, "word_embeddings")
    x = b.node("Add", x, t.embedding(types, 2, width, "token_type_embeddings"))
    x = b.node("Add", x, t.embedding(places, POSITIONS, width, "position_embeddings"))
    x = t.norm(x, width, "embeddings.norm")
    for i in range(layers):
        name = f"layer.{i}"
        y = attention(x, mask, f"{name}.attention")
        x = t.norm(b.node("Add", y, x), width, f"{name}.attention.norm")
        y = t.gelu(t.linear(x, width, 4 * width, f"{name}.intermediate"))
        y = t.linear(y, 4 * width, width, f"{name}.output")
        x = t.norm(b.node("Add", y, x), width, f"{name}.norm")
    first = b.node("Gather", x, b.integer(0), axis=1)
    pooled = b.node("Tanh", b.linear(first, width, width, name="pooler"))
    b.output(x, "last_hidden_state", (*shape, width))
    return b.model(pooled, (shape[0], width), name="pooler_output")
