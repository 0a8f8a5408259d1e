"""onnxruntime's attention operators and its RotaryEmbedding, by those of ONNX."""

from __future__ import annotations

from typing import Any

import onnx

from pyxnn import errors
from pyxnn.body import Body
from pyxnn.microsoft.fused import positions
from pyxnn.microsoft.registry import operator

_FILTER = -10000.0
"""What is added to the scores of masked keys where a node doesn't say."""


def _refuse(body: Body, *parts: tuple[bool, str]) -> None:
    for is_there, what in parts:
        if is_there:
            raise errors.NotImplemented(f"{what} ({body.node})")


def _extent(body: Body, name: str, axis: int) -> int:
    """An extent that must be known."""
    shape = body.graph.shape(name)
    extent = None if shape is None else shape[axis]
    if not isinstance(extent, int):
        raise errors.NotImplemented(f"extent {axis} of '{name}' is unknown")
    return extent


def _split(body: Body, name: str, sizes: list[int]) -> list[str]:
    """A value in parts along its last axis."""
    return body.add_with_outputs(len(sizes), "Split", name, body.constant(sizes), axis=-1)


def _heads_outside(body: Body, name: str, heads: int) -> str:
    """(batch, rows, heads * size) as (batch, heads, rows, size)."""
    return body.add("Transpose", body.reshape(name, [0, 0, heads, -1]), perm=[0, 2, 1, 3])


def _heads_inside(body: Body, name: str) -> str:
    """(batch, heads, rows, size) as (batch, rows, heads * size)."""
    return body.reshape(body.add("Transpose", name, perm=[0, 2, 1, 3]), [0, 0, -1])


def _scale(body: Body) -> dict[str, Any]:
    scale = body.node.attribute("scale", 0.0)
    return {"scale": scale} if scale else {}


def _padding(body: Body, mask: str, like: str) -> str:
    """A mask of integers (batch, keys) or (batch, queries, keys), 0 for what isn't seen, as addends of scores."""
    rank = body.graph.rank(mask)
    if rank not in (2, 3):
        raise errors.NotImplemented(f"mask '{mask}' has rank {rank}, not 2 or 3")
    seen = body.add("Cast", mask, to=onnx.TensorProto.BOOL)
    fill = body.scalar_like(like, body.node.attribute("mask_filter_value", _FILTER))
    addend = body.add("Where", seen, body.scalar_like(like, 0.0), fill)
    return body.add("Unsqueeze", addend, body.constant([1, 2] if rank == 2 else [1]))


def _lengths(body: Body, padding: str, like: str) -> str:
    """The numbers of keys that count: all of a mask (batch), or what one (3 * batch + 2) begins with."""
    (batch, *_), (count,) = (body.graph.shape(name) or (None,) for name in (like, padding))
    if isinstance(batch, int) and isinstance(count, int) and count != batch:
        _refuse(body, (count != 3 * batch + 2, "its mask has another form"))
        ends = body.constant([0]), body.constant([batch])
        padding = body.add("Slice", padding, *ends)
    return body.add("Cast", padding, to=onnx.TensorProto.INT64)


def _unpacked(body: Body, name: str, count: int) -> list[str]:
    """(batch, rows, heads, count, size) as so many of (batch, rows, heads * size)."""
    parts = body.add_with_outputs(count, "Split", name, axis=3, num_outputs=count)
    return [body.reshape(part, [0, 0, -1]) for part in parts]


def _masks(body: Body, padding: str, bias: str, like: str) -> tuple[str, str]:
    """The mask of what a padding mask and a bias say, and the numbers of keys that count; "" for what isn't there."""
    if padding and body.graph.rank(padding) == 1:
        causal = bool(body.node.attribute("unidirectional", 0))
        _refuse(body, (causal, "keys are counted and it is causal"))
        return bias, _lengths(body, padding, like)
    if not padding:
        return bias, ""
    mask = _padding(body, padding, like)
    return body.add("Add", mask, bias) if bias else mask, ""


@operator(
    "MultiHeadAttention",
    (1, 10),
    (1, 4),
    required=["num_heads"],
    mask_filter_value=float,
    num_heads=int,
    scale=float,
    unidirectional=int,
)
def multi_head_attention(body: Body) -> None:
    """Query, key and value (batch, rows, width), or the last two or all packed (batch, rows, heads, 2 or 3, size), bias of all, padding mask, bias of scores, past keys and values
    (batch, heads, rows, size) to their attention (batch, rows, width), and keys and values behind those past."""
    node = body.node
    query, key, value, bias, padding, scores_bias, past_key, past_value = (
        node.input(index) for index in range(8)
    )
    heads = node.attributes["num_heads"]
    if not key and body.graph.rank(query) == 5:
        query, key, value = _unpacked(body, query, 3)
    elif key and not value and body.graph.rank(key) == 5:
        key, value = _unpacked(body, key, 2)
    ranks = [body.graph.rank(name) for name in (query, key, value)]
    _refuse(
        body,
        (bool(node.input(8) or node.input(9)), "its cache is shared between beams"),
        (bool(node.output(3)), "its scores are used"),
        (ranks not in ([3, 3, 3], [3, 4, 4]), f"queries, keys and values have ranks {ranks}"),
        (ranks[1] == 4 and bool(bias), "keys and values with a bias come by heads"),
    )
    if bias:
        parts = (query, key, value)
        biases = _split(body, bias, [_extent(body, part, 2) for part in parts])
        query, key, value = (
            body.add("Add", part, addend) for part, addend in zip(parts, biases, strict=True)
        )
    mask, lengths = _masks(body, padding, scores_bias, query)
    _refuse(body, (bool(lengths and past_key), "keys are counted and there are past ones"))
    attributes = {"is_causal": node.attribute("unidirectional", 0), **_scale(body)}
    if ranks[1] == 4:
        query = _heads_outside(body, query, heads)
    else:
        attributes |= {"q_num_heads": heads, "kv_num_heads": heads}
    y, present_key, present_value = body.add_with_outputs(
        3, "Attention", query, key, value, mask, past_key, past_value, lengths, **attributes
    )
    body.give(0, _heads_inside(body, y) if ranks[1] == 4 else y)
    body.give(1, present_key)
    body.give(2, present_value)


@operator(
    "Attention",
    (2, 7),
    (1, 2),
    required=["num_heads"],
    do_rotary=int,
    mask_filter_value=float,
    num_heads=int,
    past_present_share_buffer=int,
    qkv_hidden_sizes=list[int],
    rotary_embedding_dim=int,
    scale=float,
    unidirectional=int,
)
def attention(body: Body) -> None:
    """Input (batch, rows, width), the weights of query, key and value side by side, their bias, a padding mask, past keys and
    values (2, batch, heads, rows, size) and a bias of scores, to self-attention, and keys and values behind those past."""
    node = body.node
    x, weights, bias, padding, past, scores_bias = (node.input(index) for index in range(6))
    heads = node.attributes["num_heads"]
    _refuse(
        body,
        (bool(node.attribute("do_rotary", 0)), "it rotates"),
        (bool(node.input(6)), "its cache is shared"),
    )
    width = _extent(body, weights, 1)
    sizes = node.attribute("qkv_hidden_sizes") or [width // 3] * 3
    parts = [body.add("MatMul", x, part) for part in _split(body, weights, sizes)]
    if bias:
        biases = _split(body, bias, sizes)
        parts = [body.add("Add", *pair) for pair in zip(parts, biases, strict=True)]
    pasts = [body.add("Gather", past, body.constant(i), axis=0) if past else "" for i in (0, 1)]
    mask, lengths = _masks(body, padding, scores_bias, x)
    _refuse(body, (bool(lengths and past), "keys are counted and there are past ones"))
    y, *present = body.add_with_outputs(
        3,
        "Attention",
        *parts,
        mask,
        *pasts,
        lengths,
        q_num_heads=heads,
        kv_num_heads=heads,
        is_causal=node.attribute("unidirectional", 0),
        **_scale(body),
    )
    body.give(0, y)
    if node.output(1):
        rows = [body.add("Unsqueeze", name, body.constant([0])) for name in present]
        body.give(1, body.add("Concat", *rows, axis=0))


@operator(
    "RotaryEmbedding",
    (4, 4),
    interleaved=int,
    is_packed_batching=int,
    num_heads=int,
    rotary_embedding_dim=int,
    scale=float,
)
def rotary_embedding(body: Body) -> None:
    """Input (batch, rows, width) or (batch, heads, rows, size), positions (batch, rows) or that of the first row, and the tables
    of cosines and sines, to the input rotated."""
    node = body.node
    x, ids, cosines, sines = node.inputs
    _refuse(
        body,
        (bool(node.attribute("is_packed_batching", 0)), "it is in packed batching"),
        (node.attribute("scale", 1.0) != 1, "it scales"),
    )
    rank, ids_rank = body.graph.rank(x), body.graph.rank(ids)
    if rank not in (3, 4) or ids_rank not in (1, 2):
        raise errors.NotImplemented(f"'{x}' and '{ids}' have ranks {rank} and {ids_rank}")
    attributes = {"interleaved": node.attribute("interleaved", 0)}
    attributes["rotary_embedding_dim"] = node.attribute("rotary_embedding_dim", 0)
    if rank == 3:
        size = 2 * _extent(body, cosines, 1)
        heads = node.attribute("num_heads", 0) or _extent(body, x, 2) // size
        attributes["num_heads"] = heads
    if ids_rank == 1:
        rows = 1 if rank == 3 else 2
        count = body.add("Squeeze", body.extent(x, rows))
        places = body.add("Range", body.constant(0), count, body.constant(1))
        shape = body.add("Concat", body.extent(x, 0), body.extent(x, rows), axis=0)
        ids = body.add("Expand", body.add("Add", places, ids), shape)
    body.give(0, body.add("RotaryEmbedding", x, cosines, sines, ids, **attributes))


@operator(
    "GroupQueryAttention",
    (7, 17),
    (1, 4),
    required=["num_heads", "kv_num_heads"],
    causal=int,
    do_rotary=int,
    k_norm_epsilon=float,
    k_quant_type=str,
    kv_cache_bit_width=int,
    kv_num_heads=int,
    local_window_size=int,
    num_heads=int,
    q_norm_epsilon=float,
    qk_norm_epsilon=float,
    qk_output=int,
    rotary_interleaved=int,
    scale=float,
    sliding_window_cache=int,
    smooth_softmax=int,
    softcap=float,
    v_quant_type=str,
)
def group_query_attention(body: Body) -> None:
    """Query, key and value (batch, rows, width), or all in query; past keys and values (batch, kv heads, rows, size), one less
    than the number of all keys in each batch, the most of these, and tables of cosines and sines, to causal attention (batch,
    rows, width), and the keys and values of both past and present."""
    node = body.node
    query, key, value, past_key, past_value, last, total, cosines, sines, ids, bias = (
        node.input(index) for index in range(11)
    )
    _refuse(
        body,
        (
            any(node.input(index) for index in range(11, 17)),
            "it has sinks, norms or a packed cache",
        ),
        (node.attribute("smooth_softmax", 0) == 1, "its softmax is smooth"),
        (bool(node.attribute("sliding_window_cache", 0)), "its cache is a window"),
        (bool(node.output(3)), "its scores are used"),
        (body.graph.rank(query) != 3, "queries don't have rank 3"),
    )
    heads, kv_heads = node.attributes["num_heads"], node.attributes["kv_num_heads"]
    if not key:
        size = _extent(body, query, 2) // (heads + 2 * kv_heads)
        sizes = [heads * size, kv_heads * size, kv_heads * size]
        query, key, value = _split(body, query, sizes)
    rows = body.extent(query, 1)
    counts = body.add("Add", body.add("Cast", last, to=onnx.TensorProto.INT64), body.constant(1))
    # A first prompt may be padded on the right: its rows begin at 0 all the same.
    first = body.add("Max", body.add("Sub", counts, rows), body.constant(0))
    first = body.reshape(first, [-1])
    if node.attribute("do_rotary", 0):
        if not ids:
            begin = body.add("Unsqueeze", first, body.constant([1]))
            ids = body.add("Add", begin, positions(body, query))
        tables = cosines, sines, ids
        interleaved = node.attribute("rotary_interleaved", 0)
        query, key = (
            body.add("RotaryEmbedding", x, *tables, num_heads=n, interleaved=interleaved)
            for x, n in ((query, heads), (key, kv_heads))
        )
    query = _heads_outside(body, query, heads)
    present = [
        _with_past(body, past, _heads_outside(body, new, kv_heads), first, total)
        for past, new in ((past_key, key), (past_value, value))
    ]
    window = node.attribute("local_window_size", -1)
    y = body.add(
        "Attention",
        query,
        *present,
        bias,
        "",
        "",
        body.add("Add", first, rows),
        is_causal=node.attribute("causal", 1),
        left_window_size=window - 1 if window > 0 else -1,
        softcap=node.attribute("softcap", 0.0),
        **_scale(body),
    )
    body.give(0, _heads_inside(body, y))
    for index, name in enumerate(present):
        body.give(index + 1, name)


def _with_past(body: Body, past: str, new: str, first: str, total: str) -> str:
    """A cache (batch, heads, rows, size), with as many rows as there are keys if it has less, and new rows from `first` on."""
    if not past:
        return new
    wanted = body.reshape(body.add("Cast", total, to=onnx.TensorProto.INT64), [1])
    missing = body.add("Sub", wanted, body.extent(past, 2))
    missing = body.add("Max", missing, body.constant([0]))
    amounts = body.add("Concat", body.constant([0] * 6), missing, body.constant([0]), axis=0)
    cache = body.add("Pad", past, amounts)
    return body.add("TensorScatter", cache, new, first, axis=2)
