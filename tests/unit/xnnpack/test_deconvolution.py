"""ConvTranspose against native onnxruntime.

Tolerance: both sum up to 9 * 5 * 5 products in float32, in different orders, of values around 1: as for Conv, 1e-4 absolute.
"""

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st
from onnx import helper

from tests.support import native

TOLERANCE = {"rtol": 1e-5, "atol": 1e-4}


@st.composite
def deconvolutions(draw, rank, computed=()):
    """A model with one ConvTranspose over `rank` spatial axes, and its feeds."""
    groups = draw(st.sampled_from([1, 1, 2, 3]))
    group_in, group_out = draw(st.integers(1, 9)), draw(st.integers(1, 9))

    def extents(low, high):
        return draw(st.lists(st.integers(low, high), min_size=rank, max_size=rank))

    image, kernel, strides, dilations = extents(1, 6), extents(1, 5), extents(1, 3), extents(1, 3)
    padding = [draw(st.integers(0, stride - 1)) for stride in strides]
    attributes = {"group": groups, "strides": strides, "dilations": dilations}
    attributes["output_padding"] = padding
    full = [
        s * (i - 1) + d * (k - 1) + 1 + p
        for s, i, d, k, p in zip(strides, image, dilations, kernel, padding, strict=True)
    ]
    auto_pad = draw(st.sampled_from(["NOTSET", "NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"]))
    if auto_pad != "NOTSET":
        attributes["auto_pad"] = auto_pad
    if draw(st.booleans()):
        wanted = [draw(st.integers(1, extent)) for extent in full]
        attributes["output_shape"] = wanted
    elif auto_pad == "NOTSET":
        pads = draw(st.lists(st.integers(0, 3), min_size=2 * rank, max_size=2 * rank))
        attributes["pads"] = pads
        assume(all(f > b + a for f, b, a in zip(full, pads[:rank], pads[rank:], strict=True)))
    random = np.random.default_rng(draw(st.integers(0, 9)))
    x = random.standard_normal((draw(st.integers(1, 2)), groups * group_in, *image), np.float32)
    weights = random.standard_normal((groups * group_in, group_out, *kernel), np.float32)
    constants = {"w": weights}
    if draw(st.booleans()):
        constants["b"] = random.standard_normal(groups * group_out, np.float32)
    node = helper.make_node("ConvTranspose", ["x", *constants], ["y"], **attributes)
    opset = draw(st.sampled_from([7, 11, 22]))
    dynamic = draw(st.booleans())
    feeds = {"x": x} | {name: constants.pop(name) for name in computed if name in constants}
    return native.build([node], feeds, ["y"], constants, opset=opset, dynamic=dynamic), feeds


@given(deconvolutions(rank=2))
def test_images(case):
    native.compare(*case, **TOLERANCE)


@given(deconvolutions(rank=1))
def test_signals(case):
    native.compare(*case, **TOLERANCE)


@given(deconvolutions(rank=3))
def test_volumes(case):
    native.compare(*case, **TOLERANCE)


@given(st.sampled_from(["w", "b", "wb"]).flatmap(lambda names: deconvolutions(2, names)))
def test_computed_weights(case):
    native.compare(*case, **TOLERANCE)


def test_more_output_than_the_window_makes():
    random = np.random.default_rng(0)
    x = random.standard_normal((1, 2, 3, 3), np.float32)
    constants = {
        "w": random.standard_normal((2, 3, 2, 2), np.float32),
        "b": random.standard_normal(3, np.float32),
    }
    names = ["x", *constants]
    node = helper.make_node(
        "ConvTranspose", names, ["y"], strides=[3, 2], output_shape=[9, 6], output_padding=[1, 0]
    )
    native.compare(native.build([node], {"x": x}, ["y"], constants), {"x": x}, **TOLERANCE)


def test_plans_of_two_shapes_share_weights():
    """XNNPACK writes to what it keeps of each phase of the stride: each shape must have its own."""
    random = np.random.default_rng(0)
    w = random.standard_normal((3, 4, 4, 4), np.float32)
    small, large = (random.standard_normal((1, 3, s, s), np.float32) for s in (3, 7))
    attributes = {"strides": [2, 2], "pads": [1, 1, 1, 1]}
    node = helper.make_node("ConvTranspose", ["x", "w"], ["y"], **attributes)
    data = native.build([node], {"x": small}, ["y"], {"w": w}, dynamic=True)
    part = native.subgraph(data)
    for x in (small, large, small, large):
        (want,) = native.run_native(data, {"x": x})
        np.testing.assert_allclose(part.run({"x": x})["y"], want, **TOLERANCE)
    part.close()


def test_with_its_activation_and_normalization():
    random = np.random.default_rng(0)
    x = random.standard_normal((1, 4, 5, 5), np.float32)
    constants = {"w": random.standard_normal((4, 3, 2, 2), np.float32)}
    constants |= {n: np.abs(random.standard_normal(6, np.float32)) + 0.5 for n in "sbmv"}
    nodes = [
        helper.make_node("ConvTranspose", ["x", "w"], ["h"], strides=[2, 2], group=2),
        helper.make_node("BatchNormalization", ["h", *"sbmv"], ["n"]),
        helper.make_node("Relu", ["n"], ["y"]),
    ]
    data = native.build(nodes, {"x": x}, ["y"], constants)
    native.compare(data, {"x": x}, **TOLERANCE)
    part = native.subgraph(data)
    steps = native.tasks(part, {"x": x})
    part.close()
    assert [step for step in steps if not step.startswith("Transpose")] == ["ConvTranspose+Relu y"]


def test_refusals():
    feeds = {"x": np.ones((1, 2, *[2] * 4), np.float32)}
    constants = {"w": np.ones((2, 1, *[2] * 4), np.float32)}
    node = helper.make_node("ConvTranspose", ["x", "w"], ["y"])
    reason = native.refusal(native.build([node], feeds, ["y"], constants))
    assert reason == "input 'w' has rank 6, not 3 or 4 or 5"
