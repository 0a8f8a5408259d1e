"""LinearAttention against onnx.reference, as onnxruntime has none.

Tolerance: sums of 64 products, in another sequence, over as many steps.
"""

import ml_dtypes
import numpy as np
import pytest
from onnx import helper

from pyxnn import errors
from tests.support import native

OPSET = 27
RULES = {"linear": (), "gated": ("g",), "delta": ("b",), "gated_delta": ("g", "b")}


def feeds_of(rule, sizes, *, by_row=False, one_beta=False, past=True, dtype=np.float32):
    batch, steps, queries, heads, key_size, value_size = sizes
    random = np.random.default_rng(0)

    def normal(*shape):
        return random.standard_normal(shape, np.float32)

    key = normal(batch, steps, heads, key_size)
    key /= np.linalg.norm(key, axis=3, keepdims=True)
    decays = heads * key_size if by_row else heads
    feeds = {
        "q": normal(batch, steps, queries * key_size),
        "k": key.reshape(batch, steps, -1),
        "v": normal(batch, steps, heads * value_size),
    }
    if past:
        feeds["s"] = normal(batch, heads, key_size, value_size)
    if "g" in RULES[rule]:
        feeds["g"] = -np.abs(normal(batch, steps, decays)) / 4
    if "b" in RULES[rule]:
        feeds["b"] = random.uniform(0, 1, (batch, steps, 1 if one_beta else heads))
    return {name: array.astype(dtype) for name, array in feeds.items()}


def model(rule, sizes, feeds, dynamic=False, **attributes):
    _, _, queries, heads, _, _ = sizes
    inputs = [name if name in feeds else "" for name in "qkvsgb"]
    node = helper.make_node(
        "LinearAttention",
        inputs,
        ["y", "t"],
        update_rule=rule,
        q_num_heads=queries,
        kv_num_heads=heads,
        **attributes,
    )
    dtype = feeds["q"].dtype.type
    return native.build([node], feeds, ["y", "t"], opset=OPSET, dtype=dtype, dynamic=dynamic)


@pytest.mark.parametrize("by_row", [False, True])
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(
    "sizes",
    [
        (1, 1, 1, 1, 4, 4),
        (2, 5, 4, 2, 8, 12),
        (1, 64, 4, 4, 64, 64),
        (2, 9, 3, 1, 5, 39),
        (1, 3, 2, 2, 1, 33),
    ],
)
def test_rules(sizes, rule, by_row):
    feeds = feeds_of(rule, sizes, by_row=by_row, past=sizes[0] > 1, one_beta=by_row)
    native.compare(model(rule, sizes, feeds), feeds, rtol=1e-4, atol=1e-4, reference=True)


def test_scale():
    sizes = (1, 4, 2, 2, 8, 8)
    feeds = feeds_of("linear", sizes)
    data = model("linear", sizes, feeds, scale=0.75)
    native.compare(data, feeds, rtol=1e-4, atol=1e-4, reference=True)


def test_halves():
    sizes = (1, 4, 2, 2, 8, 8)
    feeds = feeds_of("gated_delta", sizes, dtype=ml_dtypes.bfloat16)
    data = model("gated_delta", sizes, feeds)
    expected = native.run_reference(data, feeds)
    part = native.subgraph(data)
    results = part.run(feeds)
    part.close()
    for name, want in zip("yt", expected, strict=True):
        assert results[name].dtype == want.dtype
        got, want = results[name].astype(np.float32), want.astype(np.float32)
        np.testing.assert_allclose(got, want, rtol=2**-7, atol=2**-7)


def test_shapes_that_do_not_fit():
    sizes = (1, 4, 2, 2, 8, 8)
    feeds = feeds_of("linear", sizes)
    part = native.subgraph(model("linear", sizes, feeds, dynamic=True))
    with pytest.raises(errors.InvalidArgument, match="heads"):
        part.run({**feeds, "k": feeds["k"][..., :-1].copy()})
    part.close()
