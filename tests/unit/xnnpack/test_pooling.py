"""Pools against native onnxruntime.

Tolerance: a maximum is exact. A mean of at most 25 (windows) or 144 (images) values around 1, summed in another order and
multiplied by a rounded reciprocal, is within 1e-5.
"""

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper

import pyxnn
from tests.support import native

MEAN = {"rtol": 1e-5, "atol": 1e-5}


@st.composite
def pools(draw, op_type, rank, opset, dtype=np.float32):
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
    shape = draw(st.integers(1, 2)), draw(st.sampled_from([1, 2, 3, 4, 5, 9, 17, 70])), *image
    x = random.standard_normal(shape, np.float32)
    node = helper.make_node(op_type, ["x"], ["y"], **attributes)
    x = (x * 40).astype(dtype) if dtype != np.float32 else x
    model = native.build(
        [node], {"x": x}, ["y"], opset=opset, dynamic=draw(st.booleans()), dtype=dtype
    )
    return model, {"x": x}


@given(pools("MaxPool", 2, 12))
def test_max_of_images(case):
    native.compare(*case)


@given(pools("MaxPool", 1, 22))
def test_max_of_signals(case):
    native.compare(*case)


@given(
    st.tuples(st.sampled_from([1, 2]), st.sampled_from([np.int8, np.uint8])).flatmap(
        lambda pair: pools("MaxPool", pair[0], 22, pair[1])
    )
)
def test_max_of_bytes(case):
    native.compare(*case)


def test_max_of_bytes_with_bounds_and_indices():
    x = np.random.default_rng(0).integers(-128, 128, (2, 3, 7, 9), np.int8)
    nodes = [
        helper.make_node("MaxPool", ["x"], ["h", "i"], kernel_shape=[3, 3], dilations=[1, 2]),
        helper.make_node("Relu", ["h"], ["y"]),
    ]
    data = native.build(nodes, {"x": x}, ["y", "i"], opset=14, dtype=np.int8)
    model = onnx.load_from_string(data)
    model.graph.output[1].type.tensor_type.elem_type = onnx.TensorProto.INT64
    native.compare(model.SerializeToString(), {"x": x})


@pytest.mark.parametrize(
    ("shape", "kernel"),
    [
        ((1, 64, 20, 300), [3, 3]),
        ((1, 3, 40, 3000), [2, 5]),
        ((1, 130, 9, 70), [1, 40]),
        ((2, 518, 9, 13), [2, 2]),
        ((1, 301, 7, 12), [3, 3]),
    ],
)
def test_rows_in_parts(shape, kernel):
    """Of many pixels, of many channels, and of both."""
    x = np.random.default_rng(0).standard_normal(shape, np.float32)
    attributes = {"kernel_shape": kernel, "strides": [2, 2], "pads": [0, 1, 0, 1]}
    for op_type in ("MaxPool", "AveragePool"):
        node = helper.make_node(op_type, ["x"], ["y"], **attributes)
        native.compare(native.build([node], {"x": x}, ["y"]), {"x": x}, **MEAN)


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


@st.composite
def indices(draw, rank):
    """A model with one MaxPool that tells where its results are, and its feeds."""
    data, feeds = draw(pools("MaxPool", rank, 12))
    model = onnx.load_from_string(data)
    (node,) = model.graph.node
    node.output.append("i")
    node.attribute.append(helper.make_attribute("storage_order", draw(st.integers(0, 1))))
    model.graph.output.add(name="i").type.tensor_type.elem_type = onnx.TensorProto.INT64
    return model.SerializeToString(), feeds


@given(st.integers(1, 3).flatmap(indices))
def test_indices(case):
    native.compare(*case)


def test_indices_beside_an_activation():
    x = np.random.default_rng(0).standard_normal((1, 3, 6, 6), np.float32)
    nodes = [
        helper.make_node("MaxPool", ["x"], ["h", "i"], kernel_shape=[2, 2]),
        helper.make_node("Relu", ["h"], ["y"]),
        helper.make_node("Cast", ["i"], ["f"], to=onnx.TensorProto.FLOAT),
    ]
    data = native.build(nodes, {"x": x}, ["y", "f"])
    session = pyxnn.InferenceSession(data, providers=["XnnpackExecutionProvider"])
    for got, want in zip(
        session.run(None, {"x": x}), native.run_native(data, {"x": x}), strict=True
    ):
        np.testing.assert_array_equal(got, want)
    session.close()


@given(pools("MaxPool", 3, 22))
def test_max_of_volumes(case):
    native.compare(*case)


@given(pools("AveragePool", 3, 22))
def test_mean_of_volumes(case):
    native.compare(*case, **MEAN)


@given(
    st.integers(1, 3).flatmap(lambda rank: pools("LpPool", rank, 18)), st.sampled_from([1, 2, 3])
)
def test_norm(case, power):
    """onnxruntime counts padding as zeros too, which change nothing."""
    data, feeds = case
    model = onnx.load_from_string(data)
    model.graph.node[0].attribute.append(helper.make_attribute("p", power))
    native.compare(model.SerializeToString(), feeds, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", [(2, 3, 7), (1, 5, 6, 4), (1, 2, 3, 4, 5)])
@pytest.mark.parametrize("power", [1, 2, 3])
def test_global_norm(shape, power):
    x = np.random.default_rng(0).standard_normal(shape, np.float32)
    node = helper.make_node("GlobalLpPool", ["x"], ["y"], p=power)
    native.compare(native.build([node], {"x": x}, ["y"]), {"x": x}, rtol=1e-4)


def test_pads_of_the_window_and_more():
    """Which onnxruntime refuses."""
    x = np.arange(4, dtype=np.float32).reshape(1, 1, 4)
    attributes = {"kernel_shape": [2], "pads": [0, 3], "count_include_pad": 1}
    node = helper.make_node("AveragePool", ["x"], ["y"], **attributes)
    part = native.subgraph(native.build([node], {"x": x}, ["y"]))
    np.testing.assert_allclose(part.run({"x": x})["y"], [[[0.5, 1.5, 2.5, 1.5, 0, 0]]])
    part.close()


def test_refusals():
    def reason(shape, dtype=np.float32, **attributes):
        x = np.ones(shape, dtype)
        node = helper.make_node("MaxPool", ["x"], ["y"], **attributes)
        return native.refusal(native.build([node], {"x": x}, ["y"], dtype=dtype))

    image = (1, 2, 5, 5)
    assert reason(image, kernel_shape=[2, 2]) is None
    assert (
        reason(image, np.float64, kernel_shape=[2, 2])
        == "input 'x' is float64, not a float or an integer of 8 bits"
    )
    ranks = "input 'x' has rank 6, not 3 or 4 or 5"
    assert reason((1, 2, 5, 5, 5, 5), kernel_shape=[2] * 4) == ranks
