"""Conv against native onnxruntime.

Tolerance: both sum up to 9 * 5 * 5 products in float32, in different orders, of values around 1: an error of
225 * 2**-24 of the sum of magnitudes, below 1e-4 absolute; most are 100 times smaller.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper

from pyxnn import errors
from tests.support import native

TOLERANCE = {"rtol": 1e-5, "atol": 1e-4}


@st.composite
def convolutions(draw, rank, computed=()):
    """A model with one Conv over `rank` spatial axes, and its feeds."""
    groups = draw(st.sampled_from([1, 1, 2, 3]))
    depthwise = draw(st.booleans())
    group_in = 1 if depthwise else draw(st.integers(1, 9))
    group_out = draw(st.integers(1, 3 if depthwise else 9))
    groups = draw(st.integers(1, 9)) if depthwise else groups

    def extents(low, high):
        return draw(st.lists(st.integers(low, high), min_size=rank, max_size=rank))

    kernel, strides, dilations = extents(1, 5), extents(1, 3), extents(1, 3)
    auto_pad = draw(st.sampled_from(["NOTSET", "NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"]))
    attributes = {"group": groups, "strides": strides, "dilations": dilations}
    if auto_pad.startswith("SAME"):
        attributes["dilations"] = dilations = [1] * rank  # onnxruntime refuses others
    pads = [0] * 2 * rank
    if auto_pad == "NOTSET":
        attributes["pads"] = pads = draw(
            st.lists(st.integers(0, 4), min_size=2 * rank, max_size=2 * rank)
        )
    else:
        attributes["auto_pad"] = auto_pad
    image = [
        max(draw(st.integers(1, 12)), d * (k - 1) + 1 - before - after)
        for k, d, before, after in zip(kernel, dilations, pads[:rank], pads[rank:], strict=True)
    ]
    random = np.random.default_rng(draw(st.integers(0, 9)))
    x = random.standard_normal((draw(st.integers(1, 2)), groups * group_in, *image), np.float32)
    constants = {
        "w": random.standard_normal((groups * group_out, group_in, *kernel), np.float32),
    }
    if draw(st.booleans()):
        constants["b"] = random.standard_normal(groups * group_out, np.float32)
    node = helper.make_node("Conv", ["x", *constants], ["y"], **attributes)
    dynamic = draw(st.booleans())
    feeds = {"x": x} | {name: constants.pop(name) for name in computed if name in constants}
    return native.build([node], feeds, ["y"], constants, dynamic=dynamic), feeds


@given(convolutions(rank=2))
def test_images(case):
    native.compare(*case, **TOLERANCE)


@given(convolutions(rank=1))
def test_signals(case):
    native.compare(*case, **TOLERANCE)


@given(convolutions(rank=3))
def test_volumes(case):
    native.compare(*case, **TOLERANCE)


@given(st.sampled_from(["w", "b", "wb"]).flatmap(lambda names: convolutions(2, names)))
def test_computed_weights(case):
    native.compare(*case, **TOLERANCE)


def test_computed_weights_and_activation():
    random = np.random.default_rng(0)
    feeds = {
        "x": random.standard_normal((2, 3, 9, 9), np.float32),
        "w": random.standard_normal((5, 3, 3, 3), np.float32),
    }
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["h"]),
        helper.make_node("Relu", ["h"], ["y"]),
    ]
    native.compare(native.build(nodes, feeds, ["y"]), feeds, **TOLERANCE)


def kernels_of(data, feeds):
    """The kinds that the convolutions of a model run on."""
    part = native.subgraph(data)
    _, times = part.profile(feeds)
    part.close()
    return [time.kernel for time in times if "Conv" in time.kind]


@given(
    pads=st.lists(st.integers(0, 3), min_size=4, max_size=4),
    groups=st.sampled_from([1, 1, 2]),
    channels=st.tuples(st.integers(16, 40), st.integers(16, 40)),
    image=st.tuples(st.integers(8, 17), st.integers(8, 17)),
    batch=st.integers(1, 3),
    activation=st.sampled_from([None, "Relu"]),
)
def test_minimal_filtering(pads, groups, channels, image, batch, activation):
    """Two of them into parts of one tensor, whose pixels lie apart."""
    ins, outs = channels
    random = np.random.default_rng(ins)
    feeds = {"x": random.standard_normal((batch, groups * ins, *image), np.float32)}
    constants = {
        "v": random.standard_normal((groups * outs, ins, 3, 3), np.float32),
        "w": random.standard_normal((groups * 16, ins, 3, 3), np.float32),
        "b": random.standard_normal(groups * outs, np.float32),
    }
    attributes = {"group": groups, "pads": pads}
    nodes = [
        helper.make_node("Conv", ["x", "v", "b"], ["v_out"], **attributes),
        helper.make_node("Conv", ["x", "w"], ["w_out"], **attributes),
        helper.make_node("Concat", ["v_out", "w_out"], ["y"], axis=1),
    ]
    if activation:
        nodes[1:1] = [helper.make_node(activation, ["v_out"], ["a"])]
        nodes[-1].input[0] = "a"
    data = native.build(nodes, feeds, ["y"], constants)
    native.compare(data, feeds, rtol=1e-5, atol=2e-4)
    assert all(kernel == "winograd" for kernel in kernels_of(data, feeds))


@pytest.mark.parametrize("channels", [384, 512, 800, 1536])
def test_minimal_filtering_of_many_channels(channels):
    """Scratch memory has room for few tiles; in the browser, threads share the image."""
    random = np.random.default_rng(channels)
    feeds = {"x": random.standard_normal((1, channels, 17, 15), np.float32)}
    w = random.standard_normal((16, channels, 3, 3), np.float32)
    node = helper.make_node("Conv", ["x", "w"], ["y"], pads=[1] * 4)
    data = native.build([node], feeds, ["y"], {"w": w})
    native.compare(data, feeds, rtol=1e-5, atol=3e-5 * channels**0.5)
    assert kernels_of(data, feeds) == ["winograd"]


def test_minimal_filtering_is_chosen_for_all_plans():
    """As the node alone says, or shapes that the model fixes: weights are packed in one form."""
    w = np.random.default_rng(0).standard_normal((16, 16, 3, 3), np.float32)
    node = helper.make_node("Conv", ["x", "w"], ["y"], pads=[1] * 4)
    feeds = [{"x": np.full((1, 16, size, size), size, np.float32)} for size in (3, 20)]
    data = native.build([node], feeds[0], ["y"], {"w": w}, dynamic=True)
    part = native.subgraph(data)
    for each in (*feeds, *feeds):
        _, times = part.profile(each)
        assert "winograd" in {time.kernel for time in times}
    part.close()
    kernels = [kernels_of(native.build([node], each, ["y"], {"w": w}), each) for each in feeds]
    assert kernels == [["convolution"], ["winograd"]]


@pytest.mark.parametrize(
    ("shape", "attributes"),
    [
        ((16, 8, 3, 3), {}),
        ((8, 16, 3, 3), {}),
        ((16, 16, 3, 1), {}),
        ((16, 16, 3, 3), {"strides": [1, 2]}),
        ((16, 16, 3, 3), {"dilations": [2, 1]}),
    ],
)
def test_direct_sums_stay(shape, attributes):
    feeds = {"x": np.ones((1, shape[1], 20, 20), np.float32)}
    node = helper.make_node("Conv", ["x", "w"], ["y"], **attributes)
    data = native.build([node], feeds, ["y"], {"w": np.ones(shape, np.float32)})
    assert kernels_of(data, feeds) == ["convolution"]


@pytest.mark.parametrize("opset", [7, 11, 22, 25])
def test_every_opset(opset):
    x, w = np.ones((1, 2, 5, 5), np.float32), np.ones((3, 2, 3, 3), np.float32)
    node = helper.make_node("Conv", ["x", "w"], ["y"])
    data = native.build([node], {"x": x}, ["y"], {"w": w}, opset=opset)
    native.compare(data, {"x": x})


def test_weights_of_two_nodes_are_packed_once():
    x, w = np.ones((1, 64, 9, 9), np.float32), np.ones((64, 64, 3, 3), np.float32)
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["h"], pads=[1] * 4),
        helper.make_node("Conv", ["h", "w"], ["y"], pads=[1] * 4),
    ]
    part = native.subgraph(native.build(nodes, {"x": x}, ["y"], {"w": w}))
    assert len(part.resources.operators) == 2  # the other is the Transpose at both borders
    part.close()


def test_no_images():
    x, w = np.ones((0, 2, 5, 5), np.float32), np.ones((3, 2, 3, 3), np.float32)
    node = helper.make_node("Conv", ["x", "w"], ["y"])
    part = native.subgraph(native.build([node], {"x": x}, ["y"], {"w": w}, dynamic=True))
    assert part.run({"x": x})["y"].shape == (0, 3, 3, 3)
    part.close()


def test_window_larger_than_image():
    x, w = np.ones((1, 2, 2, 5), np.float32), np.ones((3, 2, 3, 3), np.float32)
    node = helper.make_node("Conv", ["x", "w"], ["y"])
    part = native.subgraph(native.build([node], {"x": x}, ["y"], {"w": w}, dynamic=True))
    with pytest.raises(errors.InvalidArgument, match="reaches over 3 pixels"):
        part.run({"x": x})
    part.close()


def test_refusals():
    def reason(x, w, **attributes):
        inputs = {"x": np.ones(x, np.float32), "w": np.ones(w, np.float32)}
        constant = attributes.pop("constant", True)
        node = helper.make_node("Conv", ["x", "w"], ["y"], **attributes)
        constants = {"w": inputs.pop("w")} if constant else {}
        return native.refusal(native.build([node], inputs, ["y"], constants))

    image, weights = (1, 2, 5, 5), (3, 2, 3, 3)
    assert reason(image, weights) is None
    assert reason(image, weights, constant=False) is None
    assert reason((1, 2, 5, 5, 5), (3, 2, 3, 3, 3)) is None
    assert reason((1, 2, *[3] * 4), (3, 2, *[3] * 4)) == "input 'w' has rank 6, not 3 or 4 or 5"
