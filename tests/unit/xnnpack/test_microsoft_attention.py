"""onnxruntime's attention operators against native onnxruntime.

Masks are integers, whose arithmetic may be on the CPU provider, so whole sessions are compared; the attention itself must be on
XNNPACK. Tolerance: as for ONNX's Attention.
"""

import numpy as np
import pytest
from onnx import helper

import pyxnn
from pyxnn.microsoft import DOMAIN
from tests.support import native

TOLERANCE = {"rtol": 1e-4, "atol": 2e-5}


def random(seed, shape):
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


def compare(
    op_type, inputs, outputs, feeds, constants=(), dynamic=False, lengths=None, **attributes
):
    """Runs one node of onnxruntime's; `constants` names the inputs that are initializers, `lengths` says how many rows of
    outputs of rank 4 count in each batch."""
    node = helper.make_node(op_type, inputs, outputs, domain=DOMAIN, **attributes)
    given = {name: array for name, array in feeds.items() if name not in constants}
    fixed = {name: feeds[name] for name in constants}
    data = native.build(
        [node], given, list(filter(None, outputs)), fixed, domains={DOMAIN: 1}, dynamic=dynamic
    )
    expected = native.run_native(data, given)
    with pyxnn.InferenceSession(data) as session:
        results = session.run(None, given)
        refused = {node.op_type for node in session.placement.nodes if node.reason}
    assert not refused & {"Attention", "RotaryEmbedding", "TensorScatter", "MatMul"}
    for got, want in zip(results, expected, strict=True):
        assert got.shape == want.shape and got.dtype == want.dtype
        if lengths is not None and got.ndim == 4:
            counts = np.arange(got.shape[2]) < np.array(lengths)[:, None]
            got, want = (array * counts[:, None, :, None] for array in (got, want))
        np.testing.assert_allclose(got, want, **TOLERANCE)


def qkv(batch, queries, keys, width):
    shapes = {"q": (batch, queries, width), "k": (batch, keys, width), "v": (batch, keys, width)}
    return {name: random(seed, shape) for seed, (name, shape) in enumerate(shapes.items())}


PADDING = np.array([[1, 1, 1, 1, 1, 1], [1, 1, 1, 0, 0, 0]], np.int32)


@pytest.mark.parametrize("dynamic", [False, True])
@pytest.mark.parametrize("mask", ["", "padding", "lengths"])
@pytest.mark.parametrize("with_bias", [False, True])
def test_multi_head_attention(mask, with_bias, dynamic):
    feeds = qkv(2, 5, 6, 24)
    inputs = ["q", "k", "v", "b" if with_bias else "", mask, "s"]
    feeds |= {"b": random(3, (72,)), "padding": PADDING, "s": random(4, (1, 3, 5, 6))}
    feeds["lengths"] = np.array([6, 2], np.int32)
    feeds = {name: array for name, array in feeds.items() if name in inputs}
    constants = ["b"] if with_bias else []
    dynamic = dynamic and not with_bias
    compare("MultiHeadAttention", inputs, ["y"], feeds, constants, dynamic, num_heads=3, scale=0.3)


@pytest.mark.parametrize("with_bias", [False, True])
@pytest.mark.parametrize("packed", ["q", "k"])
def test_multi_head_attention_packed(packed, with_bias):
    """Native onnxruntime takes it on GPUs only, so it is given the parts."""
    feeds = qkv(2, 6, 6, 24)
    parts = {name: array.reshape(2, 6, 3, 8) for name, array in feeds.items()}
    inputs, constants = ["q", "k", "v"], {}
    if with_bias:
        inputs, constants = [*inputs, "b"], {"b": random(3, (72,))}
    node = helper.make_node("MultiHeadAttention", inputs, ["y"], domain=DOMAIN, num_heads=3)
    data = native.build([node], feeds, ["y"], constants, domains={DOMAIN: 1})
    (expected,) = native.run_native(data, feeds)
    if packed == "q":
        feeds = {"q": np.stack([parts[name] for name in "qkv"], 3)}
        inputs[1:3] = ["", ""]
    else:
        feeds = {"q": feeds["q"], "k": np.stack([parts["k"], parts["v"]], 3)}
        inputs[2] = ""
    while not inputs[-1]:
        inputs.pop()
    node = helper.make_node("MultiHeadAttention", inputs, ["y"], domain=DOMAIN, num_heads=3)
    data = native.build([node], feeds, ["y"], constants, domains={DOMAIN: 1})
    part = native.subgraph(data)
    np.testing.assert_allclose(part.run(feeds)["y"], expected, **TOLERANCE)
    part.close()


@pytest.mark.parametrize("form", ["counts", "places"])
def test_key_padding_of_one_axis(form):
    """Counts alone, and with where the rows of queries and keys begin, which onnxruntime's CPU provider doesn't take."""
    feeds = qkv(2, 5, 6, 24)
    counts = np.array([6, 2], np.int32)
    node = helper.make_node(
        "MultiHeadAttention", ["q", "k", "v", "", "n"], ["y"], domain=DOMAIN, num_heads=3
    )
    data = native.build([node], {**feeds, "n": counts}, ["y"], domains={DOMAIN: 1})
    (expected,) = native.run_native(data, {**feeds, "n": counts})
    places = np.array([0, 5, 10, 0, 6, 8], np.int32)
    feeds["n"] = counts if form == "counts" else np.concatenate([counts, places])
    data = native.build([node], feeds, ["y"], domains={DOMAIN: 1})
    with pyxnn.InferenceSession(data) as session:
        np.testing.assert_allclose(session.run(None, feeds)[0], expected, **TOLERANCE)


@pytest.mark.parametrize("causal", [0, 1])
def test_multi_head_attention_with_past(causal):
    feeds = qkv(2, 5, 5, 24)
    feeds |= {"pk": random(5, (2, 3, 4, 8)), "pv": random(6, (2, 3, 4, 8))}
    inputs = ["q", "k", "v", "", "", "", "pk", "pv"]
    outputs = ["y", "tk", "tv"]
    compare("MultiHeadAttention", inputs, outputs, feeds, num_heads=3, unidirectional=causal)


def test_multi_head_attention_over_keys_by_heads():
    feeds = {"q": random(0, (2, 5, 24)), "k": random(1, (2, 3, 6, 8)), "v": random(2, (2, 3, 6, 8))}
    compare("MultiHeadAttention", ["q", "k", "v"], ["y"], feeds, num_heads=3)


@pytest.mark.parametrize("causal", [0, 1])
@pytest.mark.parametrize("mask", ["", "padding", "cube"])
def test_attention(mask, causal):
    feeds = {"x": random(0, (2, 6, 16)), "w": random(1, (16, 72)) / 4, "b": random(2, (72,))}
    inputs = ["x", "w", "b", mask]
    if mask:
        cube = np.repeat(PADDING[:, None], 6, 1)
        feeds[mask] = PADDING if mask == "padding" else cube
    compare("Attention", inputs, ["y"], feeds, ["w", "b"], num_heads=3, unidirectional=causal)


def test_attention_with_past():
    feeds = {"x": random(0, (2, 3, 16)), "w": random(1, (16, 72)) / 4, "b": random(2, (72,))}
    feeds["past"] = random(3, (2, 2, 3, 4, 8))
    inputs = ["x", "w", "b", "", "past"]
    compare("Attention", inputs, ["y", "present"], feeds, ["w", "b"], num_heads=3, unidirectional=1)


@pytest.mark.parametrize("interleaved", [0, 1])
@pytest.mark.parametrize("by_heads", [False, True])
@pytest.mark.parametrize("each", [False, True])
@pytest.mark.parametrize("partial", [False, True])
def test_rotary_embedding(interleaved, by_heads, each, partial):
    turned = 4 if partial else 8
    feeds = {"x": random(0, (2, 3, 5, 8) if by_heads else (2, 5, 24))}
    feeds["ids"] = np.array([[0, 1, 2, 3, 4], [7, 1, 3, 9, 2]] if each else [3])
    feeds |= {"c": random(1, (16, turned // 2)), "s": random(2, (16, turned // 2))}
    attributes = {"num_heads": 3, "rotary_embedding_dim": 4} if partial else {}
    inputs = ["x", "ids", "c", "s"]
    compare(
        "RotaryEmbedding", inputs, ["y"], feeds, ["c", "s"], interleaved=interleaved, **attributes
    )


def grouped(batch, rows, past, lengths, **attributes):
    feeds = {
        "q": random(0, (batch, rows, 64)),
        "k": random(1, (batch, rows, 32)),
        "v": random(2, (batch, rows, 32)),
        "pk": random(3, (batch, 2, past, 16)),
        "pv": random(4, (batch, 2, past, 16)),
        "last": np.array(lengths, np.int32) - 1,
        "total": np.array([max(lengths)], np.int32),
        "c": random(5, (40, 8)),
        "s": random(6, (40, 8)),
    }
    inputs = list(feeds)
    outputs = ["y", "tk", "tv"]
    compare(
        "GroupQueryAttention",
        inputs,
        outputs,
        feeds,
        ["c", "s"],
        lengths=lengths,
        num_heads=4,
        kv_num_heads=2,
        **attributes,
    )


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"do_rotary": 1},
        {"do_rotary": 1, "rotary_interleaved": 1},
        {"softcap": 2.0, "scale": 0.5},
        {"local_window_size": 3},
    ],
)
@pytest.mark.parametrize(
    ("rows", "past", "lengths"), [(5, 0, [5, 5]), (1, 6, [7, 7]), (1, 6, [7, 4]), (1, 12, [9, 3])]
)
def test_group_query_attention(rows, past, lengths, attributes):
    """A prompt, then one row more: behind a cache as long as the keys, shorter ones, and a cache with room."""
    grouped(2, rows, past, lengths, **attributes)


def test_group_query_attention_packed():
    feeds = {
        "q": random(0, (1, 5, 64)),
        "last": np.array([4], np.int32),
        "total": np.array([5], np.int32),
    }
    inputs = ["q", "", "", "", "", "last", "total"]
    outputs = ["y", "tk", "tv"]
    compare("GroupQueryAttention", inputs, outputs, feeds, num_heads=4, kv_num_heads=2)
