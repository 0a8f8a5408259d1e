"""Transformer encoders stay whole: one subgraph, no step that a fusion should have taken, native onnxruntime's results.

Tolerance: after each layer normalization values are around 1; two layers of sums of up to 1536 products in another order: 5e-5.
"""

from collections import Counter

import numpy as np
import onnx
from onnx import helper, numpy_helper

from tests.models.minilm import minilm
from tests.support import native

TOLERANCE = {"rtol": 1e-4, "atol": 5e-5}
WORDS = np.random.default_rng(1).standard_normal((50, 384), np.float32)


def kinds(data: bytes, feeds: dict[str, np.ndarray]) -> Counter[str]:
    part = native.subgraph(data)
    _, steps = part.profile(feeds)
    part.close()
    return Counter(step.kind for step in steps)


def test_minilm():
    data = minilm(layers=2, tokens=32).SerializeToString()
    feeds = {"embeddings": np.random.default_rng(0).standard_normal((1, 32, 384), np.float32)}
    native.compare(data, feeds, **TOLERANCE)
    counts = kinds(data, feeds)
    assert counts["MatMul+Add"] == 2 * 6
    assert counts["Gelu"] == 2 and counts["LayerNormalization"] == 2 * 2
    assert counts["Add"] == 2 * 2 and not counts["Erf"] and not counts["Mul"]


def with_token_ids(model: onnx.ModelProto, tokens: int) -> bytes:
    """The encoder behind a lookup of token ids."""
    graph = model.graph
    del graph.input[:]
    graph.input.append(helper.make_tensor_value_info("ids", onnx.TensorProto.INT64, [1, tokens]))
    graph.initializer.append(numpy_helper.from_array(WORDS, "words"))
    graph.node.insert(0, helper.make_node("Gather", ["words", "ids"], ["embeddings"], name="words"))
    return model.SerializeToString()


def test_minilm_from_token_ids():
    data = with_token_ids(minilm(layers=1, tokens=16), 16)
    ids = np.random.default_rng(2).integers(-50, 50, (1, 16))
    native.compare(data, {"ids": ids}, **TOLERANCE)
    assert kinds(data, {"ids": ids})["Gather"] == 1
