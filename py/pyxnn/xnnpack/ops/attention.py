"""Attention."""

from __future__ import annotations

import math

import numpy as np

from pyxnn.graph import Graph, Node
from pyxnn.xnnpack import kernels
from pyxnn.xnnpack.lowering import Lowering
from pyxnn.xnnpack.ops import conditions
from pyxnn.xnnpack.registry import register
from pyxnn.xnnpack.values import Value

ROWS_OUTSIDE = (0, 2, 1, 3)
"""Swaps the axes of heads and of rows."""


def supports_attention(node: Node, graph: Graph) -> str | None:
    """A known rank; no qk_matmul_output; masks of bool or of floats."""
    if node.output(3):
        return f"its output '{node.output(3)}' is used"
    if graph.rank(node.input(0)) is None:
        return f"the rank of input '{node.input(0)}' is unknown"
    mask = node.input(3)
    floats = [0, 1, 2, 4, 5]
    if mask and graph.dtype(mask) != np.bool_:
        floats.append(3)
    return conditions.floating(node, graph, floats)


@register("Attention", supports=supports_attention)
def lower_attention(node: Node, ctx: Lowering) -> None:
    """Attention (opsets 23 to 25): Q, K and V of (batch, rows, heads * size) or (batch, heads, rows, size), an optional mask
    that broadcasts to (batch, heads, queries, keys), past keys and values (batch, heads, rows, size) or numbers of keys that
    count (batch), to Y as Q is, and keys and values behind those past."""
    q, k, v = (ctx.value(name) for name in node.inputs[:3])
    flat = q.rank == 3
    if flat:
        heads, kv_heads = node.attributes["q_num_heads"], node.attributes["kv_num_heads"]
        q, k, v = apart(ctx, q, heads), apart(ctx, k, kv_heads), apart(ctx, v, kv_heads)
    offset = 0
    if node.input(4):
        past_k, past_v = ctx.value(node.input(4)), ctx.value(node.input(5))
        offset = past_k.shape[2]
        k = kernels.concat(ctx, [past_k, ctx.row_major(k)], 2)
        v = kernels.concat(ctx, [past_v, ctx.row_major(v)], 2)
    for name, value in ((node.output(1), k), (node.output(2), v)):
        if name:
            ctx.define(name, value)
    y = kernels.attention(
        ctx,
        q,
        k,
        v,
        ctx.value(node.input(3)) if node.input(3) else None,
        ctx.value(node.input(6)) if node.input(6) else None,
        node.attribute("scale", 1 / math.sqrt(max(q.shape[3], 1))),
        node.attribute("softcap", 0.0),
        _sight(node, offset),
    )
    if flat:
        rows = y.permuted(ROWS_OUTSIDE)
        y = ctx.reshape(rows, (*rows.shape[:2], math.prod(rows.shape[2:])))
    ctx.define(node.output(0), y)


def apart(ctx: Lowering, x: Value, heads: int) -> Value:
    """(batch, rows, heads * size) as (batch, heads, rows, size)."""
    batch, rows, width = x.shape
    return ctx.reshape(x, (batch, rows, heads, width // heads)).permuted(ROWS_OUTSIDE)


def supports_rotary(node: Node, graph: Graph) -> str | None:
    """A known rank."""
    if graph.rank(node.input(0)) not in (3, 4):
        return f"the rank of input '{node.input(0)}' is unknown"
    return conditions.floating(node, graph, [0, 1, 2])


@register("RotaryEmbedding", supports=supports_rotary)
def lower_rotary(node: Node, ctx: Lowering) -> None:
    """RotaryEmbedding (opset 23): X of (batch, rows, heads * size) or (batch, heads, rows, size) with the first
    `rotary_embedding_dim` elements of each row turned, in pairs, by the angles of its place: tables of cosines and sines (batch,
    rows, pairs), or (places, pairs) and position_ids (batch, rows)."""
    x = ctx.value(node.input(0))
    tables = [ctx.value(name) for name in node.inputs[1:3]]
    if node.input(3):
        places = ctx.value(node.input(3))
        tables = [kernels.gather(ctx, table, places, 0) for table in tables]
    rows = apart(ctx, x, node.attributes["num_heads"]) if x.rank == 3 else x
    turned = node.attribute("rotary_embedding_dim", 0) or rows.shape[3]
    if tables[0].shape[-1] != turned // 2:
        raise ValueError(f"{tables[0].shape[-1]} angles can't turn {turned} elements")
    y = kernels.rotary(ctx, rows, *tables, interleaved=bool(node.attribute("interleaved", 0)))
    if x.rank == 3:
        y = ctx.reshape(y.permuted(ROWS_OUTSIDE), x.shape)
    ctx.define(node.output(0), y)


def _sight(node: Node, offset: int) -> kernels.Sight:
    left, right = (node.attribute(f"{side}_window_size", -1) for side in ("left", "right"))
    if node.attribute("is_causal", 0):
        right = 0
    return kernels.Sight(offset, *(kernels.EVERYTHING if n < 0 else n for n in (left, right)))


def supports_tensor_scatter(node: Node, graph: Graph) -> str | None:
    """Both tensors of one type."""
    return conditions.movable(node, graph, [0, 1])


@register("TensorScatter", supports=supports_tensor_scatter)
def lower_tensor_scatter(node: Node, ctx: Lowering) -> None:
    """TensorScatter (opset 24): past_cache with update written into it along `axis`, in each batch from write_indices on."""
    cache, rows = (ctx.value(name) for name in node.inputs[:2])
    if node.input(2):
        places = ctx.value(node.input(2))
    else:
        places = Value.constant(np.zeros(cache.shape[0], np.int64))
    axis = node.attribute("axis", -2) % cache.rank
    circular = node.attribute("mode", "linear") == "circular"
    output = kernels.tensor_scatter(ctx, cache, rows, places, axis, circular=circular)
    ctx.define(node.output(0), output)
