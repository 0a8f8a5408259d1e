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


ENDS = np.array([6, 2], np.int32)
"""Of the keys that count, in a batch of two with six keys."""


@pytest.mark.parametrize("causal", [0, 1])
@pytest.mark.parametrize("dynamic", [False, True])
def test_key_padding_by_ends(causal, dynamic):
    """As many queries as keys, since native onnxruntime lets the last query see all keys."""
    feeds = qkv(2, 6, 6, 24) | {"n": np.array([6, 0], np.int32)}
    inputs = ["q", "k", "v", "", "n"]
    attributes = {"num_heads": 3, "unidirectional": causal}
    compare("MultiHeadAttention", inputs, ["y"], feeds, (), dynamic, **attributes)


def test_key_padding_by_ends_and_places():
    """Behind the ends, where the rows of queries and keys begin."""
    feeds = qkv(2, 5, 6, 24)
    feeds["n"] = np.concatenate([ENDS, np.array([0, 5, 10, 0, 6, 8], np.int32)])
    compare("MultiHeadAttention", ["q", "k", "v", "", "n"], ["y"], feeds, num_heads=3)


@pytest.mark.parametrize("mask", ["ends", "rows", "cube"])
def test_key_padding_with_past(mask):
    feeds = qkv(2, 5, 5, 24)
    seen = np.arange(9) < np.array([9, 3])[:, None]
    feeds["mask"] = {
        "ends": np.array([9, 3], np.int32),
        "rows": seen.astype(np.int32),
        "cube": np.repeat(seen[:, None], 5, 1).astype(np.int32),
    }[mask]
    feeds |= {"pk": random(5, (2, 3, 4, 8)), "pv": random(6, (2, 3, 4, 8))}
    inputs = ["q", "k", "v", "", "mask", "", "pk", "pv"]
    compare("MultiHeadAttention", inputs, ["y", "tk", "tv"], feeds, num_heads=3)


@pytest.mark.parametrize("causal", [0, 1])
def test_multi_head_attention_with_past(causal):
    feeds = qkv(2, 5, 5, 24)
    feeds |= {"pk": random(5, (2, 3, 4, 8)), "pv": random(6, (2, 3, 4, 8))}
    inputs = ["q", "k", "v", "", "", "", "pk", "pv"]
    outputs = ["y", "tk", "tv"]
    compare("MultiHeadAttention", inputs, outputs, feeds, num_heads=3, unidirectional=causal)


@pytest.mark.parametrize("biased", [False, True])
def test_multi_head_attention_over_keys_by_heads(biased):
    """The biases of keys and values are theirs already."""
    feeds = {"q": random(0, (2, 5, 24)), "k": random(1, (2, 3, 6, 8)), "v": random(2, (2, 3, 6, 8))}
    feeds |= {"b": random(3, (72,))} if biased else {}
    compare("MultiHeadAttention", list(feeds), ["y"], feeds, num_heads=3)


@pytest.mark.parametrize("past", [0, 4])
def test_multi_head_attention_that_gives_its_scores(past):
    feeds = qkv(2, 5, 5, 24)
    feeds["mask"] = (np.arange(5 + past) < np.array([5 + past, 2])[:, None]).astype(np.int32)
    inputs = ["q", "k", "v", "", "mask", ""]
    if past:
        feeds |= {"pk": random(5, (2, 3, past, 8)), "pv": random(6, (2, 3, past, 8))}
        inputs += ["pk", "pv"]
    compare("MultiHeadAttention", inputs, ["y", "tk", "tv", "scores"], feeds, num_heads=3)


def projected(batch, rows):
    shapes = {"x": (batch, rows, 16), "w": (16, 72), "b": (72,)}
    return {name: random(seed, shape) / 4 for seed, (name, shape) in enumerate(shapes.items())}


MASKS = {
    "padding": PADDING,
    "cube": np.repeat(PADDING[:, None], 6, 1),
    "ends": ENDS,
    "ends and starts": np.array([6, 5, 0, 3], np.int32),
    "ends and places": np.array([6, 2, 0, 6, 12, 0, 6, 12], np.int32),
}


@pytest.mark.parametrize("causal", [0, 1])
@pytest.mark.parametrize("mask", ["", *MASKS])
def test_attention(mask, causal):
    feeds = projected(2, 6)
    if mask:
        feeds["mask"] = MASKS[mask]
    inputs = ["x", "w", "b", "mask" if mask else ""]
    compare("Attention", inputs, ["y"], feeds, ["w", "b"], num_heads=3, unidirectional=causal)


def results(op_type, inputs, outputs, feeds, **attributes):
    """What pyxnn gives where onnxruntime's CPU provider refuses a form."""
    node = helper.make_node(op_type, inputs, outputs, domain=DOMAIN, **attributes)
    data = native.build([node], feeds, outputs, domains={DOMAIN: 1})
    with pyxnn.InferenceSession(data) as session:
        assert not any(
            node.reason and node.op_type == "Attention" for node in session.placement.nodes
        )
        return session.run(None, feeds)


@pytest.mark.parametrize("past", [0, 4])
def test_attention_with_a_mask_of_the_whole_sequence(past):
    """Only GPUs have it in onnxruntime: the part of it that counts must do the same."""
    mask = np.random.default_rng(5).integers(0, 2, (2, 1, 12, 12)).astype(np.int32)
    mask[..., 0] = 1
    feeds = projected(2, 6) | {"mask": mask}
    inputs, outputs = ["x", "w", "b", "mask"], ["y"]
    if past:
        feeds["past"] = random(3, (2, 2, 3, past, 8))
        inputs, outputs = [*inputs, "past"], ["y", "present"]
    got = results("Attention", inputs, outputs, feeds, num_heads=3)
    feeds["mask"] = mask[:, 0, past : past + 6, : past + 6]
    node = helper.make_node("Attention", inputs, outputs, domain=DOMAIN, num_heads=3)
    expected = native.run_native(native.build([node], feeds, outputs, domains={DOMAIN: 1}), feeds)
    np.testing.assert_allclose(got[0], expected[0], **TOLERANCE)


@pytest.mark.parametrize("past", [0, 4])
@pytest.mark.parametrize("turned", [0, 4])
def test_attention_that_rotates(past, turned):
    """onnxruntime's CPU provider refuses it: queries and keys that are turned before must do the same."""
    feeds = projected(2, 6)
    inputs, outputs = ["x", "w", "b"], ["y"]
    if past:
        feeds["past"] = random(3, (2, 2, 3, past, 8))
        inputs, outputs = [*inputs, "", "past"], ["y", "present"]
    got = results(
        "Attention", inputs, outputs, feeds, num_heads=3, do_rotary=1, rotary_embedding_dim=turned
    )
    pairs = (turned or 8) // 2
    angles = np.arange(past, past + 6)[:, None] * 10000.0 ** (-np.arange(pairs) / pairs)
    turn = np.exp(1j * angles)[:, None]
    q, k, v = np.split(feeds["x"] @ feeds["w"] + feeds["b"], 3, axis=2)
    for part in (q, k):
        heads = part.reshape(2, 6, 3, 8)
        numbers = (heads[..., :pairs] + 1j * heads[..., pairs : 2 * pairs]) * turn
        heads[..., :pairs], heads[..., pairs : 2 * pairs] = numbers.real, numbers.imag
        part[:] = heads.reshape(part.shape)
    parts = {"q": q, "k": k, "v": v}
    names, outputs = ["q", "k", "v"], ["y"]
    if past:
        parts |= {"pk": feeds["past"][0], "pv": feeds["past"][1]}
        names, outputs = [*names, "", "", "", "pk", "pv"], ["y", "tk", "tv"]
    node = helper.make_node("MultiHeadAttention", names, outputs, domain=DOMAIN, num_heads=3)
    data = native.build([node], parts, outputs, domains={DOMAIN: 1})
    expected = native.run_native(data, parts)
    np.testing.assert_allclose(got[0], expected[0], **TOLERANCE)
    if past:
        np.testing.assert_allclose(got[1], np.stack(expected[1:]), **TOLERANCE)


def grouped(batch, rows, past, lengths, more=None, **attributes):
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
    for place, (name, array) in (more or {}).items():
        inputs += [""] * (place - len(inputs))
        inputs.append(name)
        feeds[name] = array
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
        {"smooth_softmax": 1},
        {"smooth_softmax": 1, "softcap": 2.0, "local_window_size": 3, "do_rotary": 1},
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


@pytest.mark.parametrize(
    "attributes", [{}, {"softcap": 1.5}, {"local_window_size": 3}, {"causal": 0}]
)
@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize(
    ("rows", "past", "lengths"), [(5, 0, [5, 5]), (1, 6, [7, 4]), (1, 12, [9, 3])]
)
def test_group_query_attention_with_sinks(rows, past, lengths, biased, attributes):
    more = {10: ("bias", random(8, (1, 4, rows, max(lengths))))} if biased else {}
    more[11] = ("sinks", random(7, (4,)))
    grouped(2, rows, past, lengths, more, **attributes)


@pytest.mark.parametrize("rotates", [0, 1])
def test_group_query_attention_with_rows_that_do_not_count(rotates):
    """Of the third batch no row is new."""
    valid, counts = np.array([4, 2, 0]), np.array([9, 6, 4])
    feeds = {
        "q": random(0, (3, 4, 64)),
        "k": random(1, (3, 4, 32)),
        "v": random(2, (3, 4, 32)),
        "pk": random(3, (3, 2, 12, 16)),
        "pv": random(4, (3, 2, 12, 16)),
        "last": (counts - 1).astype(np.int32),
        "total": np.array([12], np.int32),
        "c": random(5, (40, 8)),
        "s": random(6, (40, 8)),
        "valid": valid.astype(np.int32),
    }
    inputs = [*list(feeds)[:-1], *[""] * 7, "valid"]
    attributes = {"num_heads": 4, "kv_num_heads": 2, "do_rotary": rotates}
    outputs = ["y", "tk", "tv"]
    node = helper.make_node("GroupQueryAttention", inputs, outputs, domain=DOMAIN, **attributes)
    data = native.build([node], feeds, outputs, domains={DOMAIN: 1})
    expected = native.run_native(data, feeds)
    got = results("GroupQueryAttention", inputs, outputs, feeds, **attributes)
    for batch in range(3):
        count = valid[batch]
        np.testing.assert_allclose(got[0][batch, :count], expected[0][batch, :count], **TOLERANCE)
        for ours, theirs in zip(got[1:], expected[1:], strict=True):
            rows_of = slice(counts[batch])
            np.testing.assert_allclose(
                ours[batch, :, rows_of], theirs[batch, :, rows_of], **TOLERANCE
            )


def test_group_query_attention_with_norms():
    """Only GPUs have it in onnxruntime: queries and keys that are normalized before must do the same."""
    feeds = {
        "q": random(0, (1, 5, 64)),
        "k": random(1, (1, 5, 32)),
        "v": random(2, (1, 5, 32)),
        "last": np.array([4], np.int32),
        "total": np.array([5], np.int32),
    }
    weights = {"qn": random(3, (16,)), "kn": random(4, (16,))}
    inputs = ["q", "k", "v", "", "", "last", "total"]
    attributes = {"num_heads": 4, "kv_num_heads": 2}
    (got,) = results(
        "GroupQueryAttention",
        [*inputs, *[""] * 7, "qn", "kn"],
        ["y"],
        feeds | weights,
        qk_norm_epsilon=1e-3,
        k_norm_epsilon=1e-2,
        **attributes,
    )
    for name, epsilon in (("q", 1e-3), ("k", 1e-2)):
        parts = feeds[name].reshape(1, 5, -1, 16)
        parts = parts / np.sqrt((parts**2).mean(-1, keepdims=True) + epsilon) * weights[f"{name}n"]
        feeds[name] = parts.reshape(feeds[name].shape)
    node = helper.make_node("GroupQueryAttention", inputs, ["y"], domain=DOMAIN, **attributes)
    data = native.build([node], feeds, ["y"], domains={DOMAIN: 1})
    np.testing.assert_allclose(got, native.run_native(data, feeds)[0], **TOLERANCE)


@pytest.mark.parametrize(
    ("rows", "past", "lengths", "ids"),
    [
        (5, 0, [5, 5], [[0, 1, 2, 3, 4]] * 2),
        (1, 6, [7, 7], [[6], [6]]),
        (1, 12, [9, 3], [[9], [1]]),
    ],
)
def test_group_query_attention_with_places(rows, past, lengths, ids):
    grouped(2, rows, past, lengths, {9: ("ids", np.array(ids))}, do_rotary=1)


@pytest.mark.parametrize("rows", [1, 3])
def test_group_query_attention_with_a_bias_of_any_place(rows):
    """A prompt that goes on, of one batch."""
    feeds = {
        "q": random(0, (1, rows, 64)),
        "k": random(1, (1, rows, 32)),
        "v": random(2, (1, rows, 32)),
        "pk": random(3, (1, 2, 6, 16)),
        "pv": random(4, (1, 2, 6, 16)),
        "last": np.array([5 + rows], np.int32),
        "total": np.array([6 + rows], np.int32),
        "bias": random(5, (1, 4, rows, 6 + rows)),
    }
    inputs = [*list(feeds)[:-1], "", "", "", "bias"]
    outputs = ["y", "tk", "tv"]
    compare("GroupQueryAttention", inputs, outputs, feeds, num_heads=4, kv_num_heads=2)
