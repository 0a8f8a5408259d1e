"""Attention against onnx.reference, which alone knows all of its opsets.

Tolerance: scores are sums of at most 40 products, so good to 1e-6; e to the power of them, and sums over at most 70 of these.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper

from pyxnn import errors
from tests.support import native

TOLERANCE = {"rtol": 1e-4, "atol": 2e-5}


def random(seed, shape):
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


def model(feeds, outputs=("y",), opset=25, constants=None, dynamic=False, **attributes):
    names = ["q", "k", "v", "mask", "past_k", "past_v", "lengths"]
    given = {**feeds, **(constants or {})}
    inputs = [name if name in given else "" for name in names]
    while not inputs[-1]:
        inputs.pop()
    node = helper.make_node("Attention", inputs, list(outputs), **attributes)
    kept = [name for name in outputs if name]
    return native.build([node], feeds, kept, constants, opset=opset, dynamic=dynamic)


@st.composite
def cases(draw):
    batch, kv_heads, group = (draw(st.integers(1, 3)) for _ in range(3))
    queries, keys = draw(st.integers(1, 20)), draw(st.integers(1, 70))
    size, value_size = draw(st.integers(1, 20)), draw(st.integers(1, 20))
    heads = kv_heads * group
    opset = draw(st.sampled_from([23, 24, 25]))
    shapes = {
        "q": (batch, heads, queries, size),
        "k": (batch, kv_heads, keys, size),
        "v": (batch, kv_heads, keys, value_size),
    }
    attributes = {}
    if draw(st.booleans()):
        attributes |= {"q_num_heads": heads, "kv_num_heads": kv_heads}
        shapes = {name: (n, rows, h * d) for name, (n, h, rows, d) in shapes.items()}
    feeds = {name: random(seed, shape) for seed, (name, shape) in enumerate(shapes.items())}
    total = keys
    cache = draw(st.sampled_from(["none", "past", "lengths"][: 3 if opset > 23 else 2]))
    if cache == "past":
        past = draw(st.integers(0, 9))
        total += past
        feeds["past_k"] = random(3, (batch, kv_heads, past, size))
        feeds["past_v"] = random(4, (batch, kv_heads, past, value_size))
    if cache == "lengths":
        lengths = draw(st.lists(st.integers(0, keys), min_size=batch, max_size=batch))
        feeds["lengths"] = np.array(lengths, np.int64)
    if draw(st.booleans()):
        masked = draw(st.integers(2, total)) if opset > 23 and total > 2 else total
        whole = (batch, heads, queries, masked)
        rank = draw(st.integers(2, 4))
        shape = [extent if draw(st.booleans()) else 1 for extent in whole[:-2]]
        shape = (*shape, queries, masked)[-rank:]
        mask = random(5, shape)
        feeds["mask"] = mask if draw(st.booleans()) else mask > -0.5
    attributes["is_causal"] = draw(st.integers(0, 1))
    if draw(st.booleans()):
        attributes["scale"] = draw(st.sampled_from([0.3, 1.0]))
    if draw(st.booleans()):
        attributes["softcap"] = 2.0
    if opset > 24 and draw(st.booleans()):
        attributes["left_window_size"] = draw(st.integers(-1, 9))
        attributes["right_window_size"] = draw(st.integers(-1, 9))
    constants = {"k": feeds.pop("k")} if draw(st.booleans()) and cache == "none" else {}
    return feeds, constants, opset, attributes


@given(cases(), st.booleans())
def test_attention(case, dynamic):
    feeds, constants, opset, attributes = case
    outputs = ["y", "present_k", "present_v"] if "past_k" in feeds else ["y"]
    data = model(feeds, outputs, opset, constants, dynamic, **attributes)
    native.compare(data, feeds, **TOLERANCE, reference=True)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("shape", [(1, 12, 128, 32), (1, 2, 1, 64), (2, 2, 3, 64)])
def test_published_sizes(shape, masked):
    """MiniLM's, and a decoder's that makes one token or few."""
    batch, heads, rows, size = shape
    feeds = {name: random(seed, (batch, rows, heads * size)) for seed, name in enumerate("qkv")}
    feeds |= {
        "past_k": random(3, (batch, heads, 200, size)),
        "past_v": random(4, (batch, heads, 200, size)),
    }
    if masked:
        feeds["mask"] = random(5, (batch, 1, rows, 200 + rows)) > 0
    outputs = ["y", "present_k", "present_v"]
    data = model(feeds, outputs, 23, q_num_heads=heads, kv_num_heads=heads, is_causal=1)
    native.compare(data, feeds, **TOLERANCE, reference=True)


@pytest.mark.parametrize("size", [5, 16, 70])
@pytest.mark.parametrize("group", [1, 2, 3, 4])
@pytest.mark.parametrize("window", [-1, 90])
def test_few_rows_by_many_keys(group, window, size):
    """Keys and values that are used as they lie, some keys at a time; a window begins between two blocks of these."""
    feeds = {"q": random(0, (1, 2 * group, 1, size)), "k": random(1, (1, 2, 1, size))}
    feeds |= {"v": random(2, (1, 2, 1, 40)), "past_k": random(3, (1, 2, 202, size))}
    feeds["past_v"] = random(4, (1, 2, 202, 40))
    data = model(feeds, is_causal=1, left_window_size=window)
    native.compare(data, feeds, reference=True, **TOLERANCE)


def test_layout_of_heads_costs_nothing():
    """Rows of all heads, as projections give and take them, are used as they lie."""
    shape = np.array([1, 16, 4, 8])
    feeds = {name: random(seed, (1, 16, 32)) for seed, name in enumerate("qkv")}
    nodes = []
    for name in "qkv":
        nodes.append(helper.make_node("Reshape", [name, "shape"], [f"{name}r"]))
        nodes.append(helper.make_node("Transpose", [f"{name}r"], [f"{name}t"], perm=[0, 2, 1, 3]))
    nodes.append(helper.make_node("Attention", ["qt", "kt", "vt"], ["a"]))
    nodes.append(helper.make_node("Transpose", ["a"], ["at"], perm=[0, 2, 1, 3]))
    nodes.append(helper.make_node("Reshape", ["at", "flat"], ["y"]))
    constants = {"shape": shape, "flat": np.array([1, 16, 32])}
    data = native.build(nodes, feeds, ["y"], constants, opset=23)
    native.compare(data, feeds, **TOLERANCE, reference=True)
    part = native.subgraph(data)
    assert len(native.tasks(part, feeds)) == 1
    part.close()


def test_from_primitives_with_symbolic_extents():
    """A mask whose extents aren't known is brought to all keys when they are."""
    shapes = {"q": (2, 3, 5, 8), "k": (2, 3, 8, 6), "v": (2, 3, 6, 4), "mask": (2, 1, 1, 6)}
    feeds = {name: random(seed, shape) for seed, (name, shape) in enumerate(shapes.items())}
    nodes = [
        helper.make_node("MatMul", ["q", "k"], ["p"]),
        helper.make_node("Div", ["p", "root"], ["d"]),
        helper.make_node("Add", ["d", "mask"], ["s"]),
        helper.make_node("Softmax", ["s"], ["w"], axis=-1),
        helper.make_node("MatMul", ["w", "v"], ["y"]),
    ]
    root = {"root": np.array(8**0.5, np.float32)}
    data = native.build(nodes, feeds, ["y"], root, dynamic=True)
    native.compare(data, feeds, **TOLERANCE)
    part = native.subgraph(data)
    assert [step.kind for step in part.profile(feeds)[1]] == ["Transpose", "Attention"]
    part.close()


def test_memory_is_linear_in_the_rows():
    """The workspace holds keys, values and a few rows of scores, not all of them."""
    sizes = []
    for rows in (512, 1024):
        feeds = {name: random(seed, (1, 4, rows, 16)) for seed, name in enumerate("qkv")}
        part = native.subgraph(model(feeds))
        part.run(feeds)
        sizes.append(part.resources.engine.memory_used())
        part.close()
    assert sizes[1] < 2.2 * sizes[0]


def test_wrong_shapes():
    feeds = {name: random(seed, (1, 3, 4, 8)) for seed, name in enumerate("qkv")}
    part = native.subgraph(model(feeds, dynamic=True))
    with pytest.raises(Exception, match="heads can't share"):
        part.run(feeds | {"k": random(1, (1, 2, 4, 8)), "v": random(2, (1, 2, 4, 8))})
    with pytest.raises(Exception, match="don't fit"):
        part.run(feeds | {"k": random(1, (1, 3, 4, 7))})
    part.close()


def test_refusals():
    """What gives its scores away is left to its body; so is what isn't float32."""
    feeds = {name: random(seed, (1, 3, 4, 8)) for seed, name in enumerate("qkv")}
    outputs = ["y", "", "", "scores"]
    assert native.refusal(model(feeds | {"mask": random(3, (4, 4)) > 0}, outputs, 23)) is not None


@pytest.mark.parametrize("mode", ["linear", "circular"])
@pytest.mark.parametrize("axis", [-2, 1])
@pytest.mark.parametrize("dtype", [np.float32, np.int64])
def test_tensor_scatter(mode, axis, dtype):
    feeds = {"past": (random(0, (2, 5, 4, 3)) * 9).astype(dtype)}
    shape = (2, 2, 4, 3) if axis == 1 else (2, 5, 2, 3)
    feeds |= {"new": (random(1, shape) * 9).astype(dtype), "places": np.array([0, 2])}
    if mode == "circular":
        feeds["places"][1] = 3
    node = helper.make_node("TensorScatter", ["past", "new", "places"], ["y"], axis=axis, mode=mode)
    data = native.build([node], feeds, ["y"], opset=24, dtype=dtype)
    native.compare(data, feeds, reference=True)


def test_tensor_scatter_from_the_first_row():
    feeds = {"past": random(0, (2, 3, 4, 5)), "new": random(1, (2, 3, 2, 5))}
    node = helper.make_node("TensorScatter", ["past", "new"], ["y"])
    native.compare(native.build([node], feeds, ["y"], opset=24), feeds, reference=True)


@pytest.mark.parametrize("place", [-1, 3])
def test_tensor_scatter_outside(place):
    feeds = {"past": random(0, (1, 4, 3)), "new": random(1, (1, 2, 3)), "places": np.array([place])}
    node = helper.make_node("TensorScatter", ["past", "new", "places"], ["y"])
    part = native.subgraph(native.build([node], feeds, ["y"], opset=24))
    with pytest.raises(errors.InvalidArgument, match="write_indices element out of bounds"):
        part.run(feeds)
    part.close()


@pytest.mark.parametrize("interleaved", [0, 1])
@pytest.mark.parametrize("size", [2, 6, 8, 14, 64])
@pytest.mark.parametrize("form", ["flat", "heads", "rows", "partial", "tables"])
def test_rotary_embedding(interleaved, size, form):
    """Of rank 3 and 4, as it lies behind a Transpose, in part, and with the tables' rows in sequence."""
    shape = {"heads": (2, 3, 5, size), "rows": (2, 5, 3, size)}.get(form, (2, 5, 3 * size))
    feeds = {"x": random(0, shape), "ids": np.array([[0, 1, 2, 3, 4], [7, 1, 3, 9, 2]])}
    turned = 2 if form == "partial" else size
    places = (2, 5) if form == "tables" else (16,)
    tables = {"c": random(1, (*places, turned // 2)), "s": random(2, (*places, turned // 2))}
    attributes = {"interleaved": interleaved}
    if len(shape) == 3:
        attributes["num_heads"] = 3
    if turned != size:
        attributes["rotary_embedding_dim"] = turned
    inputs = ["t" if form == "rows" else "x", "c", "s", "ids"]
    if form == "tables":
        inputs.pop()
        del feeds["ids"]
    nodes = [helper.make_node("RotaryEmbedding", inputs, ["y"], **attributes)]
    if form == "rows":
        nodes.insert(0, helper.make_node("Transpose", ["x"], ["t"], perm=[0, 2, 1, 3]))
    for dynamic in (False, True):
        data = native.build(nodes, feeds, ["y"], tables, opset=23, dynamic=dynamic)
        native.compare(data, feeds, **TOLERANCE, reference=True)
    part = native.subgraph(data)
    assert [step.kernel for step in part.profile(feeds)[1]].count("rotary") == 1
    part.close()


def test_tables_that_do_not_fit():
    feeds = {"x": random(0, (2, 5, 24)), "c": random(1, (2, 5, 3)), "s": random(2, (2, 5, 3))}
    node = helper.make_node("RotaryEmbedding", list(feeds), ["y"], num_heads=3)
    part = native.subgraph(native.build([node], feeds, ["y"], opset=23, dynamic=True))
    with pytest.raises(errors.InvalidArgument, match="3 angles can't turn 8 elements"):
        part.run(feeds)
    part.close()
