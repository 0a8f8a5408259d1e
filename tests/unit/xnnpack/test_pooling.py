"""MaxPool, AveragePool, GlobalMaxPool and GlobalAveragePool against native onnxruntime.

Tolerance: a maximum is exact. A mean of at most 25 (windows) or 144 (images) values around 1, summed in another order and
multiplied by a rounded reciprocal, is within 1e-5.
"""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper

from tests.support import native

MEAN = {"rtol": 1e-5, "atol": 1e-5}


@st.composite
def pools(draw, op_type, rank, opset):
    """A model with one pool over `rank` spatial axes, and its feeds."""

    def extents(low, high):
        return draw(st.lists(st.integers(low, high), min_size=rank, max_size=rank))

    kernel = extents(1, 5)
    strides = extents(1, 4)
    attributes = {"kernel_shape": kernel, "strides": strides}
    dilations = [1] * rank
    auto_pad = draw(st.sampled_from(["NOTSET", "NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"]))
    pads = [0] * 2 * rank
    if auto_pad == "NOTSET":
        pads = [draw(st.integers(0, k - 1)) for k in kernel * 2]
        attributes["pads"] = pads
        attributes["ceil_mode"] = draw(st.integers(0, 1))
    else:
        attributes["auto_pad"] = auto_pad
        if auto_pad != "VALID":  # onnxruntime refuses the negative pads that it finds for gaps
            attributes["strides"] = [min(pair) for pair in zip(strides, kernel, strict=True)]
    if auto_pad in ("NOTSET", "VALID") and (op_type == "MaxPool" or opset >= 19):
        attributes["dilations"] = dilations = extents(1, 3)
    if op_type == "AveragePool":
        attributes["count_include_pad"] = draw(st.integers(0, 1))
    image = [
        max(draw(st.integers(1, 12)), d * (k - 1) + 1 - before - after)
        for k, d, before, after in zip(kernel, dilations, pads[:rank], pads[rank:], strict=True)
    ]
    random = np.random.default_rng(draw(st.integers(0, 9)))
    shape = draw(st.integers(1, 2)), draw(st.integers(1, 9)), *image
    x = random.standard_normal(shape, np.float32)
    node = helper.make_node(op_type, ["x"], ["y"], **attributes)
    return native.build([node], {"x": x}, ["y"], opset=opset, dynamic=draw(st.booleans())), {"x": x}


@given(pools("MaxPool", 2, 12))
def test_max_of_images(case):
    native.compare(*case)


@given(pools("MaxPool", 1, 22))
def test_max_of_signals(case):
    native.compare(*case)


@given(pools("AveragePool", 2, 11))
def test_mean_of_images(case):
    native.compare(*case, **MEAN)


@given(pools("AveragePool", 2, 22))
def test_mean_of_images_dilated(case):
    native.compare(*case, **MEAN)


@given(pools("AveragePool", 1, 22))
def test_mean_of_signals(case):
    native.compare(*case, **MEAN)


@given(
    st.sampled_from([(2, 3, 1), (1, 5, 7), (2, 9, 12, 12), (1, 3, 2, 3, 4)]),
    st.sampled_from([7, 22]),
)
def test_global_mean(shape, opset):
    x = np.random.default_rng(0).standard_normal(shape, np.float32)
    node = helper.make_node("GlobalAveragePool", ["x"], ["y"])
    native.compare(native.build([node], {"x": x}, ["y"], opset=opset), {"x": x}, **MEAN)


@given(
    st.sampled_from([(2, 3, 7), (2, 3, 1), (1, 5, 6, 4), (2, 3, 1, 1), (1, 2, 3, 4, 5)]),
    st.sampled_from([7, 22]),
)
def test_global_maximum(shape, opset):
    x = np.random.default_rng(0).standard_normal(shape, np.float32)
    node = helper.make_node("GlobalMaxPool", ["x"], ["y"])
    native.compare(native.build([node], {"x": x}, ["y"], opset=opset), {"x": x})


def test_mean_where_all_windows_hang_over_an_edge():
    """XNNPACK's own average pool mixes up rows here, with `ceil_mode` making the last one."""
    x = np.array([1, 10], np.float32).reshape(1, 1, 2, 1)
    attributes = {"kernel_shape": [4, 1], "pads": [1, 0, 2, 0], "strides": [2, 1], "ceil_mode": 1}
    node = helper.make_node("AveragePool", ["x"], ["y"], **attributes)
    native.compare(native.build([node], {"x": x}, ["y"]), {"x": x}, **MEAN)


def test_maximum_of_a_window_that_holds_padding_only():
    """Its taps are left and right of the only pixel."""
    x = np.ones((1, 1, 1), np.float32)
    node = helper.make_node("MaxPool", ["x"], ["y"], kernel_shape=[2], dilations=[2], pads=[1, 1])
    native.compare(native.build([node], {"x": x}, ["y"]), {"x": x})


def test_pool_of_one_pixel_is_no_step():
    x = np.ones((1, 3, 4, 4), np.float32)
    node = helper.make_node("MaxPool", ["x"], ["y"], kernel_shape=[1, 1])
    part = native.subgraph(native.build([node], {"x": x}, ["y"]))
    assert native.tasks(part, {"x": x}) == []
    part.close()


def test_refusals():
    def reason(shape, outputs=("y",), **attributes):
        x = np.ones(shape, np.float32)
        node = helper.make_node("MaxPool", ["x"], outputs, **attributes)
        return native.refusal(native.build([node], {"x": x}, outputs[:1]))

    image = (1, 2, 5, 5)
    assert reason(image, kernel_shape=[2, 2]) is None
    assert reason(image, ("y", "i"), kernel_shape=[2, 2]) == "its output Indices is used"
    assert (
        reason(image, kernel_shape=[2, 2], pads=[0, 0, 2, 0])
        == "a pad is not smaller than the kernel"
    )
    assert reason((1, 2, 5, 5, 5), kernel_shape=[2] * 3) == "input 'x' has rank 5, not 3 or 4"
