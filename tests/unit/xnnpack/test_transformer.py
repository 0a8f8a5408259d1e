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
    assert counts["Attention"] == 2 and not counts["Transpose"]
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


def test_norm_and_gelu_from_primitives():
    """As exporters write them below opset 17."""
    numbers = {"two": 2, "epsilon": 1e-5, "cubic": 0.044715, "slope": 0.7978845608, "one": 1}
    constants = {name: np.array(value, np.float32) for name, value in numbers.items()}
    constants |= {"half": np.array(0.5, np.float32), "scale": WORDS[0], "bias": WORDS[1]}
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["mean"], axes=[-1]),
        helper.make_node("Sub", ["x", "mean"], ["d"]),
        helper.make_node("Pow", ["d", "two"], ["square"]),
        helper.make_node("ReduceMean", ["square"], ["variance"], axes=[-1]),
        helper.make_node("Add", ["variance", "epsilon"], ["sum"]),
        helper.make_node("Sqrt", ["sum"], ["deviation"]),
        helper.make_node("Div", ["d", "deviation"], ["normal"]),
        helper.make_node("Mul", ["normal", "scale"], ["scaled"]),
        helper.make_node("Add", ["scaled", "bias"], ["h"]),
        helper.make_node("Mul", ["h", "slope"], ["p"]),
        helper.make_node("Mul", ["h", "cubic"], ["q"]),
        helper.make_node("Mul", ["q", "h"], ["r"]),
        helper.make_node("Add", ["one", "r"], ["s"]),
        helper.make_node("Mul", ["p", "s"], ["t"]),
        helper.make_node("Tanh", ["t"], ["g"]),
        helper.make_node("Add", ["g", "one"], ["gate"]),
        helper.make_node("Mul", ["h", "half"], ["m"]),
        helper.make_node("Mul", ["m", "gate"], ["y"]),
    ]
    feeds = {"x": np.random.default_rng(3).standard_normal((2, 7, 384), np.float32)}
    data = native.build(nodes, feeds, ["y"], constants, opset=13)
    native.compare(data, feeds, **TOLERANCE)
    assert kinds(data, feeds) == {"LayerNormalization": 1, "Gelu": 1}
