"""LinearAttention."""

from __future__ import annotations

import math

import numpy as np

from pyxnn.engine import FunctionType
from pyxnn.graph import Node
from pyxnn.xnnpack import kernels
from pyxnn.xnnpack.lowering import Lowering
from pyxnn.xnnpack.ops import conditions
from pyxnn.xnnpack.registry import register
from pyxnn.xnnpack.values import Value


@register("LinearAttention", supports=conditions.floating)
def lower_linear_attention(node: Node, ctx: Lowering) -> None:
    """LinearAttention (opset 27): query (batch, steps, heads * size), key and value (.., kv heads * size), an optional past_state
    (batch, kv heads, key size, value size), decay (.., kv heads, or that times the key size) and beta (.., kv heads or 1), to
    output and present_state. Everything is summed in float32."""
    q, k, v = (ctx.value(name) for name in node.inputs[:3])
    queries, heads = node.attributes["q_num_heads"], node.attributes["kv_num_heads"]
    key_size, value_size = q.shape[2] // queries, v.shape[2] // heads
    state = (q.shape[0], heads, key_size, value_size)
    past = Value.constant(np.zeros(state, np.float32))
    if node.input(3):
        past = ctx.value(node.input(3))
    decay = ctx.value(node.input(4)) if node.input(4) else None
    beta = ctx.value(node.input(5)) if node.input(5) else None
    if (
        queries % heads
        or q.shape[2] != queries * key_size
        or k.shape != (*q.shape[:2], heads * key_size)
        or v.shape != (*q.shape[:2], heads * value_size)
        or past.shape != state
        or (decay and decay.shape[2] not in (heads, heads * key_size))
        or (beta and beta.shape[2] not in (heads, 1))
    ):
        raise ValueError(
            f"{q.shape}, {k.shape} and {v.shape} don't fit {queries} and {heads} heads"
        )
    if decay is not None:
        decay = kernels.function(ctx, FunctionType.EXP, decay)
    scale = node.attribute("scale", 0.0) or 1 / math.sqrt(key_size)
    results = kernels.linear_attention(ctx, q, k, v, past, decay, beta, heads, scale)
    for name, value in zip(node.outputs, results, strict=False):
        if name:
            ctx.define(name, value)
