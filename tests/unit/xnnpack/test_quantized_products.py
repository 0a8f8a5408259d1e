"""Conv, ConvTranspose, Gemm and MatMul between DequantizeLinear and QuantizeLinear, as native onnxruntime runs them: on one
integer kernel."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper

from tests.support import native

Arrays = dict[str, np.ndarray]
DTYPES = [np.int8, np.uint8]


def any_integers(random: np.random.Generator, dtype: type, *shape: int) -> np.ndarray:
    limits = np.iinfo(dtype)
    return random.integers(limits.min, limits.max + 1, shape, dtype)


def any_point(random: np.random.Generator, dtype: type) -> np.ndarray:
    return any_integers(random, dtype)


def model(op_type: str, x: np.ndarray, w: np.ndarray, axis: int, zeros: str, **attributes: object):
    """A product of `x` with weights whose zero points are 0, one for all, or one for each column."""
    random = np.random.default_rng(x.size)
    columns, depth = w.shape[axis], w.size // w.shape[axis]
    per_channel = zeros != "one"
    scale = random.uniform(0.001, 0.02, columns if per_channel else ()).astype(np.float32)
    zero = np.zeros(scale.shape, w.dtype)
    if zeros == "one":
        zero = any_point(random, w.dtype)
    elif zeros == "many":
        zero = any_integers(random, w.dtype, columns)
    constants: Arrays = {
        "w": w,
        "w_scale": scale,
        "w_zero": zero,
        "x_scale": np.float32(0.031),
        "x_zero": any_point(random, x.dtype),
        "y_scale": np.float32(0.031 * 0.01 * 73 * depth**0.5 * 2),
        "y_zero": any_point(random, x.dtype),
        "b": random.integers(-5000, 5000, columns, np.int32),
        "b_scale": np.float32(0.031) * scale,
    }
    operands = ["x_d", "w_d"] if op_type == "MatMul" else ["x_d", "w_d", "b_d"]
    nodes = [
        helper.make_node("DequantizeLinear", ["x", "x_scale", "x_zero"], ["x_d"]),
        helper.make_node("DequantizeLinear", ["w", "w_scale", "w_zero"], ["w_d"], axis=axis),
        helper.make_node("DequantizeLinear", ["b", "b_scale"], ["b_d"], axis=0),
        helper.make_node(op_type, operands, ["y_d"], **attributes),
        helper.make_node("QuantizeLinear", ["y_d", "y_scale", "y_zero"], ["y"]),
    ]
    return native.build(nodes, {"x": x}, ["y"], constants, dtype=x.dtype, opset=21)


def compare(data: bytes, x: np.ndarray, operator: str) -> None:
    part = native.subgraph(data)
    found = {task.split()[0] for task in native.tasks(part, {"x": x})}
    part.close()
    moves = {
        "Transpose",
        "DequantizeLinear+QuantizeLinear",
    }  # uint8 is flipped where it comes and leaves
    assert found - moves == {f"{operator}+QuantizeLinear"}
    native.compare_integers(data, {"x": x})


products = {
    "dtypes": st.tuples(st.sampled_from(DTYPES), st.sampled_from(DTYPES)),
    "zeros": st.sampled_from(["none", "one", "many"]),
    "seed": st.integers(0, 1 << 16),
}


@settings(max_examples=20)
@given(**products, kernel=st.integers(1, 4), depthwise=st.booleans())
def test_conv(dtypes, zeros, seed, kernel, depthwise):
    random = np.random.default_rng(seed)
    zeros = "one" if dtypes[1] is np.uint8 and zeros == "none" else zeros
    channels = int(random.integers(1, 20))
    x = any_integers(random, dtypes[0], 2, channels, 7, 9)
    shape = (channels, 1) if depthwise else (int(random.integers(1, 20)), channels)
    w = any_integers(random, dtypes[1], *shape, kernel, kernel)
    group = channels if depthwise else 1
    data = model("Conv", x, w, 0, zeros, group=group, pads=[1, 0, 1, 1], strides=[1, 2])
    compare(data, x, "Conv")


@settings(max_examples=10)
@given(**products, eights=st.integers(2, 5), outputs=st.integers(16, 40))
def test_conv_by_minimal_filtering(dtypes, zeros, seed, eights, outputs):
    random = np.random.default_rng(seed)
    x = any_integers(random, dtypes[0], 2, 8 * eights, 7, 10)
    w = any_integers(random, dtypes[1], outputs, 8 * eights, 3, 3)
    zeros = "one" if dtypes[1] is np.uint8 and zeros == "none" else zeros
    data = model("Conv", x, w, 0, zeros, pads=[1, 0, 1, 1])
    part = native.subgraph(data)
    _, times = part.profile({"x": x})
    part.close()
    assert "winograd_qs8" in {time.kernel for time in times}
    compare(data, x, "Conv")


@settings(max_examples=15)
@given(**products, kernel=st.integers(1, 3), groups=st.integers(1, 2))
def test_conv_over_volumes(dtypes, zeros, seed, kernel, groups):
    """Sums become floats before they are rounded."""
    random = np.random.default_rng(seed)
    zeros = "one" if dtypes[1] is np.uint8 and zeros == "none" else zeros
    channels, outputs = random.integers(1, 9, 2).tolist()
    x = any_integers(random, dtypes[0], 2, groups * channels, 4, 5, 6)
    w = any_integers(random, dtypes[1], groups * outputs, channels, *[kernel] * 3)
    pads, strides = [1, 0, 0, 0, 1, 1], [1, 2, 1]
    data = model("Conv", x, w, 0, zeros, group=groups, pads=pads, strides=strides)
    compare(data, x, "Conv")


@pytest.mark.parametrize("zeros", ["none", "one", "many"])
@pytest.mark.parametrize("alpha", [1.3, -0.7, 0.0])
@pytest.mark.parametrize("beta", [0.37, -1.6, 0.0])
def test_factors_of_gemm(zeros, alpha, beta):
    random = np.random.default_rng(0)
    x, w = any_integers(random, np.uint8, 9, 31), any_integers(random, np.int8, 17, 31)
    w[0, 0] = -128
    compare(model("Gemm", x, w, 0, zeros, transB=1, beta=beta, alpha=alpha), x, "Gemm")


@settings(max_examples=40)
@given(
    **products,
    rank=st.integers(1, 3),
    kernel=st.integers(1, 5),
    strides=st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(1, 2)),
    dilations=st.tuples(st.integers(1, 3), st.integers(1, 2), st.integers(1, 2)),
    pads=st.tuples(*[st.integers(0, 3)] * 6),
    padding=st.integers(0, 2),
)
def test_conv_transpose(dtypes, zeros, seed, rank, kernel, strides, dilations, pads, padding):
    random = np.random.default_rng(seed)
    zeros = "one" if dtypes[1] is np.uint8 and zeros == "none" else zeros
    kernel = min(kernel, 3) if rank == 3 else kernel
    channels, outputs = random.integers(1, 20, 2).tolist()
    x = any_integers(random, dtypes[0], 2, channels, *(5, 6, 4)[:rank])
    w = any_integers(random, dtypes[1], channels, outputs, *[kernel] * rank)
    cropped = [min(pad, kernel + 1) for pad in (*pads[:rank], *pads[3 : 3 + rank])]
    more = [min(padding, stride - 1) for stride in strides[:rank]]
    attributes = {
        "strides": strides[:rank],
        "dilations": dilations[:rank],
        "pads": cropped,
        "output_padding": more,
    }
    compare(model("ConvTranspose", x, w, 1, zeros, **attributes), x, "ConvTranspose")


def transposed_in_groups(zero: np.ndarray, high: int) -> tuple[bytes, np.ndarray]:
    """A ConvTranspose in two groups, weights from 0 to `high`, with a scale for each channel of a group."""
    random = np.random.default_rng(high)
    x = any_integers(random, np.uint8, 1, 6, 5, 4)
    constants: Arrays = {
        "w": random.integers(0, high + 1, (6, 3, 2, 3)).astype(np.uint8),
        "w_scale": np.float32([0.011, 0.003, 0.007]),
        "w_zero": zero,
        "x_scale": np.float32(0.031),
        "x_zero": np.uint8(131),
        "y_scale": np.float32(0.173),
        "y_zero": np.uint8(77),
    }
    nodes = [
        helper.make_node("DequantizeLinear", ["x", "x_scale", "x_zero"], ["x_d"]),
        helper.make_node("DequantizeLinear", ["w", "w_scale", "w_zero"], ["w_d"], axis=1),
        helper.make_node("ConvTranspose", ["x_d", "w_d"], ["y_d"], group=2, strides=[2, 2]),
        helper.make_node("QuantizeLinear", ["y_d", "y_scale", "y_zero"], ["y"]),
    ]
    return native.build(nodes, {"x": x}, ["y"], constants, dtype=np.uint8, opset=21), x


def test_conv_transpose_in_groups():
    data, x = transposed_in_groups(np.uint8([80, 100, 127]), 200)
    compare(data, x, "ConvTranspose")


def test_conv_transpose_of_weights_far_from_zero():
    data, x = transposed_in_groups(np.uint8([80, 255, 3]), 255)
    compare(data, x, "ConvTranspose")


@pytest.mark.parametrize("op_type", ["Gemm", "MatMul"])
@settings(max_examples=10)
@given(**products)
def test_matmul(op_type, dtypes, zeros, seed):
    random = np.random.default_rng(seed)
    zeros = "one" if dtypes[1] is np.uint8 and zeros == "none" else zeros
    rows, depth, columns = random.integers(1, 40, 3).tolist()
    x = any_integers(random, dtypes[0], rows, depth)
    w = any_integers(random, dtypes[1], depth, columns)
    compare(model(op_type, x, w, 1, zeros), x, op_type)


def computed_model(a: np.ndarray, b: np.ndarray, a_order: list[int], b_order: list[int]) -> bytes:
    """A product of two tensors that are fed, transposed before it, and the result after it as `a` was."""
    random = np.random.default_rng(a.size)
    depth = a.transpose(a_order).shape[-1]
    constants: Arrays = {
        "a_scale": np.float32(0.031),
        "a_zero": any_point(random, a.dtype),
        "b_scale": np.float32(0.012),
        "b_zero": any_point(random, b.dtype),
        "y_scale": np.float32(0.031 * 0.012 * 73 * 73 * depth**0.5 * 2),
        "y_zero": any_point(random, a.dtype),
    }
    nodes = [
        helper.make_node("Transpose", ["a"], ["a_t"], perm=a_order),
        helper.make_node("Transpose", ["b"], ["b_t"], perm=b_order),
        helper.make_node("DequantizeLinear", ["a_t", "a_scale", "a_zero"], ["a_d"]),
        helper.make_node("DequantizeLinear", ["b_t", "b_scale", "b_zero"], ["b_d"]),
        helper.make_node("MatMul", ["a_d", "b_d"], ["y_d"]),
        helper.make_node("QuantizeLinear", ["y_d", "y_scale", "y_zero"], ["y_t"]),
        helper.make_node("Transpose", ["y_t"], ["y"], perm=np.argsort(a_order).tolist()),
    ]
    feeds = {"a": a, "b": b}
    return native.build(nodes, feeds, ["y"], constants, dtype=a.dtype, opset=21)


BATCHES = [
    ((), ()),
    ((3,), (3,)),
    ((2, 3), (2, 3)),
    ((2, 1), (1, 3)),
    ((2, 3), (1, 1)),
    ((2, 1, 2), (1, 3, 1)),
]


@settings(max_examples=25)
@given(
    dtypes=products["dtypes"],
    seed=products["seed"],
    batches=st.sampled_from(BATCHES),
    swapped=st.booleans(),
)
def test_computed_matmul(dtypes, seed, batches, swapped):
    random = np.random.default_rng(seed)
    rows, depth, columns = random.integers(1, 40, 3).tolist()
    a = any_integers(random, dtypes[0], *batches[0], rows, depth)
    last = [columns, depth] if swapped else [depth, columns]
    b = any_integers(random, dtypes[1], *batches[1], *last)
    rank = a.ndim
    order = list(range(rank))
    b_order = [*order[:-2], rank - 1, rank - 2] if swapped else order
    native.compare_integers(computed_model(a, b, order, b_order), {"a": a, "b": b})


@pytest.mark.parametrize("b_order", [[0, 2, 3, 1], [0, 2, 1, 3]])
def test_heads_within_rows(b_order):
    """Attention's products move no bytes."""
    random = np.random.default_rng(5)
    a = any_integers(random, np.int8, 2, 7, 3, 8)
    b = any_integers(random, np.int8, 2, 9 if b_order[-1] == 1 else 8, 3, 8)
    data = computed_model(a, b, [0, 2, 1, 3], b_order)
    native.compare_integers(data, {"a": a, "b": b})
    part = native.subgraph(data)
    assert [task.split()[0] for task in native.tasks(part, {"a": a, "b": b})] == [
        "MatMul+QuantizeLinear"
    ]
    part.close()


def test_computed_matmul_of_no_depth():
    a, b = np.zeros((2, 0), np.int8), np.zeros((0, 3), np.int8)
    native.compare_integers(computed_model(a, b, [0, 1], [0, 1]), {"a": a, "b": b})


@pytest.mark.parametrize(
    "shapes", [((35,), (35, 4)), ((35,), (2, 35, 4)), ((3, 35), (35,)), ((35,), (35,))]
)
@pytest.mark.parametrize("dtype", DTYPES)
def test_vectors(shapes, dtype):
    random = np.random.default_rng(1)
    a, b = (any_integers(random, dtype, *shape) for shape in shapes)
    computed = [
        helper.make_node("DequantizeLinear", [name, "s", f"{name}_zero"], [f"{name}_d"])
        for name in "ab"
    ]
    nodes = [
        *computed,
        helper.make_node("MatMul", ["a_d", "b_d"], ["y_d"]),
        helper.make_node("QuantizeLinear", ["y_d", "t", "a_zero"], ["y"]),
    ]
    constants: Arrays = {
        "s": np.float32(0.0317),
        "t": np.float32(0.0317**2 * 2000),
        "a_zero": any_point(random, dtype),
        "b_zero": any_point(random, dtype),
    }
    for feeds in ({"a": a, "b": b}, {"a": a}):
        known = {"b": b} if "b" not in feeds else {}
        data = native.build(nodes, feeds, ["y"], {**constants, **known}, dtype=dtype, opset=21)
        native.compare_integers(data, feeds)
        part = native.subgraph(data)
        kinds = {task.split()[0] for task in native.tasks(part, feeds)}
        part.close()
        assert kinds <= {"MatMul+QuantizeLinear", "DequantizeLinear+QuantizeLinear"}
