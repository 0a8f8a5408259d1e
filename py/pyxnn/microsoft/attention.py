"""onnxruntime's attention operators and its RotaryEmbedding, by those of ONNX."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import onnx

from pyxnn import errors
from pyxnn.body import Body
from pyxnn.microsoft.fused import positions
from pyxnn.microsoft.registry import operator

_FLOAT = onnx.TensorProto.FLOAT

_MASKED_SCORES = 2
"""Attention's mode of giving its scores as they go into the softmax."""

_FILTER = -10000.0
"""What is added to the scores of masked keys where a node doesn't say."""


def _refuse(body: Body, *parts: tuple[bool, str]) -> None:
    for is_there, what in parts:
        if is_there:
            raise errors.NotImplemented(f"{what} ({body.node})")


def extent_of(body: Body, name: str, axis: int) -> int:
    """An extent that must be known."""
    shape = body.graph.shape(name)
    extent = None if shape is None else shape[axis]
    if not isinstance(extent, int):
        raise errors.NotImplemented(f"extent {axis} of '{name}' is unknown")
    return extent


def split(body: Body, name: str, sizes: list[int]) -> list[str]:
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


def _seen(body: Body, mask: str, like: str, key: str, past: str) -> str:
    """A mask of integers as booleans that broadcast to scores (batch, heads, queries, keys).

    Args:
        mask: of two to four axes, zero for what isn't seen: (batch, keys), (batch, queries, keys), or (batch, 1, places, places) of
            a whole sequence; of one, where the keys of each batch end, and then, if they don't begin at 0, where they begin, or
            (3 * batch + 2) places, of which the first are those ends.
        like: queries (batch, rows, width).
        key: those that are new, by rows or by heads.
        past: those before them (batch, heads, rows, size), or "".
    """
    rank = body.graph.rank(mask)
    if rank not in (1, 2, 3, 4):
        raise errors.NotImplemented(f"mask '{mask}' has rank {rank}, not 1 to 4")
    if rank == 1:
        return _between(body, mask, like, _keys(body, key, past))
    seen = body.add("Cast", mask, to=onnx.TensorProto.BOOL)
    if rank == 4:
        first = body.extent(past, 2) if past else body.constant([0])
        behind = body.add("Add", first, body.extent(like, 1))
        starts = body.add("Concat", first, body.constant([0]), axis=0)
        ends = body.add("Concat", behind, behind, axis=0)
        return body.add("Slice", seen, starts, ends, body.constant([2, 3]))
    return body.add("Unsqueeze", seen, body.constant([1, 2] if rank == 2 else [1]))


def _keys(body: Body, key: str, past: str) -> str:
    """The places of all keys, past ones and new ones, int64 [keys]."""
    count = body.extent(key, 2 if body.graph.rank(key) == 4 else 1)
    return positions(body, body.add("Add", body.extent(past, 2), count) if past else count)


def _between(body: Body, places: str, like: str, keys: str) -> str:
    """Whether a key lies in the part of its batch that counts, (batch, 1, 1, keys)."""
    (batch, *_), (count,) = (body.graph.shape(name) or (None,) for name in (like, places))
    places = body.add("Cast", places, to=onnx.TensorProto.INT64)
    places = body.add("Unsqueeze", places, body.constant([1, 2, 3]))
    if not isinstance(batch, int) or not isinstance(count, int) or count == batch:
        return body.add("Less", keys, places)
    _refuse(body, (count not in (2 * batch, 3 * batch + 2), "its mask has another form"))
    sizes = [batch, count - batch]
    ends, starts = body.add_with_outputs(2, "Split", places, body.constant(sizes), axis=0)
    seen = body.add("Less", keys, ends)
    if count == 2 * batch:
        seen = body.add("And", seen, body.add("GreaterOrEqual", keys, starts))
    return seen


def _unpacked(body: Body, name: str, count: int) -> list[str]:
    """(batch, rows, heads, count, size) as so many of (batch, rows, heads * size)."""
    parts = body.add_with_outputs(count, "Split", name, axis=3, num_outputs=count)
    return [body.reshape(part, [0, 0, -1]) for part in parts]


def _mask(body: Body, padding: str, bias: str, like: str, key: str, past: str) -> str:
    """What is added to scores for a padding mask and a bias; "" for neither. For the others see `_seen`."""
    if not padding:
        return bias
    seen = _seen(body, padding, like, key, past)
    fill = body.scalar_like(like, body.node.attribute("mask_filter_value", _FILTER))
    mask = body.add("Where", seen, body.scalar_like(like, 0.0), fill)
    return body.add("Add", mask, bias) if bias else mask


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
    """Query, key and value (batch, rows, width), or the last two or all packed (batch, rows, heads, 2 or 3, size), or the
    last two by heads (batch, heads, rows, size), bias of all that come by rows, padding mask, bias of scores, past keys and values
    (batch, heads, rows, size) to their attention (batch, rows, width), keys and values behind those past, and the scores (batch,
    heads, rows, keys), with what is added to them."""
    node = body.node
    query, key, value, bias, padding, scores_bias, past_key, past_value = (
        node.input(index) for index in range(8)
    )
    heads, causal = node.attributes["num_heads"], node.attribute("unidirectional", 0)
    if not key and body.graph.rank(query) == 5:
        query, key, value = _unpacked(body, query, 3)
    elif key and not value and body.graph.rank(key) == 5:
        key, value = _unpacked(body, key, 2)
    ranks = [body.graph.rank(name) for name in (query, key, value)]
    _refuse(
        body,
        (bool(node.input(8) or node.input(9)), "its cache is shared between beams"),
        (bool(node.output(3) and causal), "its scores are used and it is causal"),
        (ranks not in ([3, 3, 3], [3, 4, 4]), f"queries, keys and values have ranks {ranks}"),
    )
    if bias and ranks[1] == 4:
        end = body.constant([extent_of(body, query, 2)])
        query = body.add("Add", query, body.add("Slice", bias, body.constant([0]), end))
    elif bias:
        parts = (query, key, value)
        biases = split(body, bias, [extent_of(body, part, 2) for part in parts])
        query, key, value = (
            body.add("Add", part, addend) for part, addend in zip(parts, biases, strict=True)
        )
    mask = _mask(body, padding, scores_bias, query, key, past_key)
    attributes = {"is_causal": causal, **_scale(body)}
    if ranks[1] == 4:
        query = _heads_outside(body, query, heads)
    else:
        attributes |= {"q_num_heads": heads, "kv_num_heads": heads}
    if node.output(3):
        attributes["qk_matmul_output_mode"] = _MASKED_SCORES
    y, *others = body.add_with_outputs(
        4 if node.output(3) else 3,
        "Attention",
        *(query, key, value, mask, past_key, past_value),
        **attributes,
    )
    body.give(0, _heads_inside(body, y) if ranks[1] == 4 else y)
    for index, name in enumerate(others):
        body.give(index + 1, name)


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
    values (2, batch, heads, rows, size) and a bias of scores, to self-attention, and keys and values behind those past.

    With `do_rotary`, queries and keys are turned by their places, as in GPT-NeoX."""
    node = body.node
    x, weights, bias, padding, past, scores_bias = (node.input(index) for index in range(6))
    _refuse(body, (bool(node.input(6)), "its cache is shared"))
    sizes = node.attribute("qkv_hidden_sizes") or [extent_of(body, weights, 1) // 3] * 3
    parts = [body.add("MatMul", x, part) for part in split(body, weights, sizes)]
    if bias:
        biases = split(body, bias, sizes)
        parts = [body.add("Add", *pair) for pair in zip(parts, biases, strict=True)]
    attend(body, parts, sizes, padding, past, scores_bias)


def attend(
    body: Body, parts: list[str], sizes: list[int], padding: str, past: str, scores_bias: str
) -> None:
    """Gives what the attention of queries, keys and values (batch, rows, sizes of each) makes; the others are as `attention`
    has them."""
    node, heads = body.node, body.node.attributes["num_heads"]
    pasts = [body.add("Gather", past, body.constant(i), axis=0) if past else "" for i in (0, 1)]
    if node.attribute("do_rotary", 0):
        size = node.attribute("rotary_embedding_dim", 0) or sizes[0] // heads
        parts[:2] = _turned(body, parts[:2], heads, size, pasts[0])
    mask = _mask(body, padding, scores_bias, parts[0], parts[1], pasts[0])
    y, *present = body.add_with_outputs(
        3,
        "Attention",
        *parts,
        mask,
        *pasts,
        q_num_heads=heads,
        kv_num_heads=heads,
        is_causal=node.attribute("unidirectional", 0),
        **_scale(body),
    )
    body.give(0, y)
    if node.output(1):
        rows = [body.add("Unsqueeze", name, body.constant([0])) for name in present]
        body.give(1, body.add("Concat", *rows, axis=0))


def _turned(body: Body, parts: list[str], heads: int, size: int, past: str) -> list[str]:
    """Values (batch, rows, width) with the first `size` elements of each head turned by the angles of their places, which begin
    behind those of the past."""
    places = positions(body, body.extent(parts[0], 1))
    if past:
        places = body.add("Add", body.extent(past, 2), places)
    speeds = 10000.0 ** (-np.arange(0, size, 2) / size)
    angles = body.add("Cast", body.add("Unsqueeze", places, body.constant([1])), to=_FLOAT)
    angles = body.add("Mul", angles, body.constant(speeds, np.float32))
    tables = [body.add("CastLike", body.add(f, angles), parts[0]) for f in ("Cos", "Sin")]
    batch = body.add("Concat", body.extent(parts[0], 0), body.constant([1]), axis=0)
    ids = body.add("Expand", positions(body, body.extent(parts[0], 1)), batch)
    return [
        body.add("RotaryEmbedding", x, *tables, ids, num_heads=heads, rotary_embedding_dim=size)
        for x in parts
    ]


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
        size = 2 * extent_of(body, cosines, 1)
        heads = node.attribute("num_heads", 0) or extent_of(body, x, 2) // size
        attributes["num_heads"] = heads
    if ids_rank == 1:
        rows = 1 if rank == 3 else 2
        places = positions(body, body.extent(x, rows))
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
    than the number of all keys in each batch, the most of these, tables of cosines and sines, places of the rows, a bias of
    scores, a number for each head that is added to its softmax's sum, norms of queries and of keys, and how many rows of each
    batch count, to causal attention (batch, rows, width), and the keys and values of both past and present."""
    node = body.node
    query, key, value, past_key, past_value, last, total, cosines, sines, ids, bias, sinks = (
        node.input(index) for index in range(12)
    )
    norms, valid = (node.input(14), node.input(15)), node.input(16)
    _refuse(
        body,
        (bool(node.input(12) or node.input(13)), "its cache is of few bits"),
        (bool(node.attribute("sliding_window_cache", 0)), "its cache is a window"),
        (bool(node.output(3)), "its scores are used"),
        (body.graph.rank(query) != 3, "queries don't have rank 3"),
    )
    heads, kv_heads = node.attributes["num_heads"], node.attributes["kv_num_heads"]
    if not key:
        size = extent_of(body, query, 2) // (heads + 2 * kv_heads)
        sizes = [heads * size, kv_heads * size, kv_heads * size]
        query, key, value = split(body, query, sizes)
    if norms[0]:
        query, key = (
            _normalized(body, *each)
            for each in ((query, heads, norms[0], "q"), (key, kv_heads, norms[1], "k"))
        )
    rows = body.extent(query, 1)
    counts = body.add("Add", body.add("Cast", last, to=onnx.TensorProto.INT64), body.constant(1))
    new = body.add("Cast", valid, to=onnx.TensorProto.INT64) if valid else rows
    # A first prompt may be padded on the right: its rows begin at 0 all the same.
    first = body.add("Max", body.add("Sub", counts, new), body.constant(0))
    first = body.reshape(first, [-1])
    if node.attribute("do_rotary", 0):
        if not ids:
            begin = body.add("Unsqueeze", first, body.constant([1]))
            ids = body.add("Add", begin, positions(body, rows))
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
    attributes = {"softcap": node.attribute("softcap", 0.0), **_scale(body)}
    causal, window = node.attribute("causal", 1), node.attribute("local_window_size", -1)
    if sinks or node.attribute("smooth_softmax", 0) == 1:
        sight = _Sight(first, rows, bool(causal), window)
        y = _with_sinks(body, query, present, sight, bias, sinks, heads, attributes)
    else:
        attributes |= {"is_causal": causal, "left_window_size": window - 1 if window > 0 else -1}
        ends = body.add("Add", first, rows)
        y = body.add("Attention", query, *present, bias, "", "", ends, **attributes)
    body.give(0, _heads_inside(body, y))
    for index, name in enumerate(present):
        body.give(index + 1, name)


def _normalized(body: Body, x: str, heads: int, weights: str, side: str) -> str:
    """The heads of (batch, rows, width), each with its mean square made 1 and weighted."""
    epsilon = body.node.attribute("qk_norm_epsilon", 1e-6)
    epsilon = body.node.attribute(f"{side}_norm_epsilon", epsilon)
    parts = body.reshape(x, [0, 0, heads, -1])
    return body.reshape(body.add("RMSNormalization", parts, weights, epsilon=epsilon), [0, 0, -1])


class _Sight(NamedTuple):
    """Which keys queries see.

    Attributes:
        first: the place of the first query in each batch, int64 [batch].
        rows: how many queries there are, int64 [1].
        causal: whether a query sees no key behind its own.
        window: how many keys it sees at most, up to its own; all, where that isn't positive.
    """

    first: str
    rows: str
    causal: bool
    window: int

    def of(self, body: Body, keys: str) -> str:
        """Whether each query sees each of so many keys (batch, 1, queries, keys)."""
        places = positions(body, keys)
        first = body.add("Unsqueeze", self.first, body.constant([1, 2, 3]))
        own = body.add("Unsqueeze", positions(body, self.rows), body.constant([1]))
        own = body.add("Add", first, own)
        last = (
            own
            if self.causal
            else body.add("Add", first, body.add("Sub", self.rows, body.constant(1)))
        )
        seen = body.add("LessOrEqual", places, last)
        if self.window > 0:
            begin = body.add("Sub", own, body.constant(self.window))
            seen = body.add("And", seen, body.add("Greater", places, begin))
        return seen


def _with_sinks(
    body: Body,
    query: str,
    present: list[str],
    sight: _Sight,
    bias: str,
    sinks: str,
    heads: int,
    attributes: dict[str, Any],
) -> str:
    """Attention whose softmax has one number more under the sum, e^sink: a key and a value of zeros before all others, the sink as
    its bias. Without sinks these are 0."""
    keys = body.extent(bias, 3) if bias else body.extent(present[0], 2)
    hidden = body.scalar_like(query, -math.inf)
    seen = sight.of(body, keys)
    mask = body.add("Where", seen, bias or body.scalar_like(query, 0.0), hidden)
    one = body.constant([1])
    per_query = body.constant([heads]), sight.rows, one
    mask = body.add("Expand", mask, body.add("Concat", one, *per_query, axis=0))
    sinks = body.reshape(sinks, [1, heads, 1, 1]) if sinks else body.scalar_like(query, 0.0)
    batch = body.extent(query, 0)
    sinks = body.add("Expand", sinks, body.add("Concat", batch, *per_query, axis=0))
    mask = body.add("Concat", sinks, mask, axis=3)
    before = body.constant([0, 0, 1, 0, 0, 0, 0, 0])
    padded = [body.add("Pad", name, before) for name in present]
    return body.add("Attention", query, *padded, mask, **attributes)


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
