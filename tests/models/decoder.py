"""A step of GPT-2's decoder: one token after others whose keys and values are cached, as a model of one float input."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper, numpy_helper

from tests.models.gpt2 import HEADS, WIDTH, gpt2

PAST = 127  # tokens
TOKEN = "token"


def decoder() -> onnx.ModelProto:
    """The model: a token's id, as a float of shape (1, 1), gives its logits; the cache is constant."""
    model = gpt2()
    graph = model.graph
    random = np.random.default_rng(0)
    ids, *past = graph.input
    for value in past:
        cached = random.standard_normal((1, HEADS, PAST, WIDTH // HEADS), np.float32)
        graph.initializer.append(numpy_helper.from_array(cached, value.name))
    token = helper.make_tensor_value_info(TOKEN, onnx.TensorProto.FLOAT, (1, 1))
    cast = helper.make_node("Cast", [TOKEN], [ids.name], "token_id", to=onnx.TensorProto.INT64)
    nodes = [cast, *graph.node]
    outputs = [value for value in graph.output if value.name == "logits"]
    made = helper.make_graph(nodes, "decoder", [token], outputs, graph.initializer)
    return helper.make_model(made, opset_imports=model.opset_import, ir_version=model.ir_version)
