"""MatMulNBits against native onnxruntime.

Sums of up to 150 products of floats in another order: 1e-4 of numbers up to 100. Rows that are rounded to 16 bits of the
greatest number of each piece may be off by half of that a product, so a sum of 150 by 1e-3. At accuracy level 4 native
rounds to 8 bits, by 0.3 of sums of 300 products, and so do we, to the same integers but for ties, if weights have 4 bits in
blocks of 32 at most; of longer blocks ours are rounded by pieces of 32; if weights have 8 bits, ours are exact and differ by
what native rounds.
"""

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper

from pyxnn import engine
from tests.support import native

DOMAINS = {"com.microsoft": 1}


def packed(numbers, bits):
    """The last axis of small integers in bytes, of 4 bits the lower half first."""
    if bits == 8:
        return numbers.astype(np.uint8)
    if numbers.shape[-1] % 2:
        numbers = np.concatenate([numbers, np.zeros_like(numbers[..., :1])], axis=-1)
    return (numbers[..., ::2] | numbers[..., 1::2] << 4).astype(np.uint8)


def model(random, rows, k, n, bits, size, zeros=None, bias=False, level=0, relu=False):
    blocks = -(-k // size)
    constants = {
        "w": packed(random.integers(0, 1 << bits, (n, blocks, size)), bits),
        "scales": random.uniform(0.5, 1, (n, blocks)).astype(np.float32) * 8 / (1 << bits),
        "zeros": random.uniform(0, 1 << bits, (n, blocks)).astype(np.float32),
        "bias": random.standard_normal(n).astype(np.float32),
    }
    if zeros == "packed":
        constants["zeros"] = packed(random.integers(0, 1 << bits, (n, blocks)), bits).reshape(-1)
    constants["scales"] = constants["scales"].reshape(-1)
    names = ["a", "w", "scales", "zeros" if zeros else "", "", "bias" if bias else ""]
    while not names[-1]:
        names.pop()
    attributes = {"K": k, "N": n, "bits": bits, "block_size": size, "accuracy_level": level}
    node = helper.make_node("MatMulNBits", names, ["y"], domain="com.microsoft", **attributes)
    nodes = [node]
    if relu:
        node.output[0] = "h"
        nodes.append(helper.make_node("Relu", ["h"], ["y"]))
    feeds = {"a": random.standard_normal((*rows, k)).astype(np.float32)}
    constants = {name: constants[name] for name in names if name in constants}
    return native.build(nodes, feeds, ["y"], constants, domains=DOMAINS, dynamic=True), feeds


@st.composite
def products(draw):
    random = np.random.default_rng(draw(st.integers(0, 99)))
    bits, size = draw(st.sampled_from([4, 8])), draw(st.sampled_from([16, 32, 64, 128, 256]))
    return model(
        random,
        draw(st.sampled_from([(1,), (1, 1), (2,), (3, 5), (2, 3, 4), (40,)])),
        draw(st.integers(1, 150)),
        draw(st.integers(1, 40)),
        bits,
        size,
        draw(st.sampled_from([None, "packed", "floats"] if bits == 4 else [None, "packed"])),
        draw(st.booleans()),
        draw(st.sampled_from([0, 1])),
        draw(st.booleans()),
    )


@given(products())
def test_matmul_nbits(case):
    native.compare(*case, rtol=1e-5, atol=2e-3)


@pytest.mark.parametrize("rows", [(1,), (3,), (33,)])
@pytest.mark.parametrize(("bits", "zeros"), [(4, "packed"), (4, "floats"), (8, "packed")])
@pytest.mark.parametrize("size", [32, 128])
def test_stretches_and_groups(rows, bits, zeros, size):
    """Neither the numbers nor the columns are multiples of what is gone through at once."""
    case = model(np.random.default_rng(0), rows, 2400, 150, bits, size, zeros, True)
    native.compare(*case, rtol=1e-5, atol=1e-2)


@pytest.mark.parametrize("rows", [(1,), (4,)])
def test_floats_stay_floats_at_level_1(rows):
    case = model(np.random.default_rng(0), rows, 300, 40, 4, 32, "packed", True, level=1)
    native.compare(*case, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("rows", [(1,), (3, 5)])
@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("zeros", [None, "packed"])
@pytest.mark.parametrize("size", [16, 32, 128])
def test_level_4(rows, bits, zeros, size):
    case = model(np.random.default_rng(0), rows, 300, 41, bits, size, zeros, level=4)
    native.compare(*case, atol=0.3 if bits == 4 and size <= 32 else 1.5)


@pytest.mark.parametrize("level", [0, 4])
@pytest.mark.parametrize("bits", [4, 8])
def test_numbers_that_cannot_be_rounded(bits, level):
    data, feeds = model(np.random.default_rng(0), (4,), 64, 9, bits, 32, level=level)
    feeds["a"][0], feeds["a"][1, 40], feeds["a"][2] = 0, np.nan, 1e-39
    part = native.subgraph(data)
    y = part.run(feeds)["y"]
    part.close()
    assert np.isnan(y[1]).all()
    np.testing.assert_allclose(y[[0, 2]], 0, atol=1e-30)
    assert np.isfinite(y[3]).all()


@pytest.mark.parametrize("bits", [4, 8])
def test_long_blocks(bits):
    """Sums of 16 bits would overflow."""
    random = np.random.default_rng(0)
    data, _ = model(random, (1,), 2048, 6, bits, 512)
    native.compare(data, {"a": np.full((1, 2048), 100.0, np.float32)}, rtol=1e-3, atol=1)


@pytest.mark.parametrize("level", [0, 4])
@pytest.mark.parametrize("number", [-3.0, 3.0, 3 * 10880 / 32512])
def test_greatest_sums(number, level):
    """The greatest weights by the greatest numbers, and by some whose lower byte is -128: 16 bits just hold the sums."""
    row = np.full((3, 64), number, np.float32)
    row[:, ::32] = 3
    constants = {"w": np.full((17, 2, 16), 255, np.uint8), "scales": np.ones(34, np.float32)}
    attributes = {"K": 64, "N": 17, "bits": 4, "block_size": 32, "accuracy_level": level}
    node = helper.make_node(
        "MatMulNBits", ["a", *constants], ["y"], domain="com.microsoft", **attributes
    )
    case = native.build([node], {"a": row}, ["y"], constants, domains=DOMAINS), {"a": row}
    native.compare(*case, rtol=1e-5, atol=0.02 if level == 0 else 6)


def test_blocks_of_48():
    """onnxruntime takes powers of two only."""
    data, feeds = model(np.random.default_rng(0), (1,), 100, 7, 4, 48, "packed")
    part = native.subgraph(data)
    one = part.run(feeds)["y"]
    several = part.run({"a": np.repeat(feeds["a"], 3, axis=0)})["y"]
    part.close()
    np.testing.assert_allclose(one, several[:1], atol=5e-3)


def test_memory_stays_packed():
    k, n = 512, 512
    data, feeds = model(np.random.default_rng(0), (1,), k, n, 4, 32)
    before = engine.get().memory_used()
    part = native.subgraph(data)
    part.run(feeds)
    assert engine.get().memory_used() - before < 1.1 * (k * n // 2 + k * n // 32 * 4)
    part.close()


def test_without_xnnpack():
    """The CPU provider runs the body."""
    from pyxnn import InferenceSession

    data, feeds = model(np.random.default_rng(0), (3,), 70, 9, 4, 32, "packed", True)
    session = InferenceSession(data, providers=["CPUExecutionProvider"])
    (result,) = session.run(None, feeds)
    np.testing.assert_allclose(result, native.run_native(data, feeds)[0], atol=1e-4)


def dequantized(random, op_type, dtype, zeros, size=32, users=1, **attributes):
    """A product of five rows with weights that a DequantizeLinear makes, of three blocks a column; of one scale a column for
    a size of 0."""
    k, n = 96, 20
    low, high = {"INT4": (-8, 7), "UINT4": (0, 15), "INT8": (-128, 127), "UINT8": (0, 255)}[dtype]
    transposed = attributes.get("transB", 0)

    def constant(name, *shape):
        shape = shape[::-1] if transposed else shape
        numbers = random.integers(low, high + 1, shape)
        return helper.make_tensor(
            name, getattr(onnx.TensorProto, dtype), shape, numbers.reshape(-1)
        )

    blocks = [k // size] if size else []
    scales = random.uniform(0.5, 1, (*blocks, n)).astype(np.float32) * 8 / (high - low)
    tensors = [constant("w", k, n)]
    if zeros:
        tensors.append(constant("z", *blocks, n))
    inputs = ["w", "scales", *(["z"] if zeros else [])]
    along = {"axis": transposed, "block_size": size} if size else {"axis": 1 - transposed}
    nodes = [helper.make_node("DequantizeLinear", inputs, ["d"], **along)]
    more = ["c"] if op_type == "Gemm" else []
    for user in range(users):
        nodes.append(helper.make_node(op_type, ["a", "d", *more], [f"y{user}"], **attributes))
    constants = {"scales": scales.T.copy() if transposed else scales}
    if more:
        constants["c"] = random.standard_normal(n).astype(np.float32)
    feeds = {"a": random.standard_normal((5, k)).astype(np.float32)}
    outputs = [f"y{user}" for user in range(users)]
    data = onnx.ModelProto.FromString(native.build(nodes, feeds, outputs, constants, opset=21))
    data.graph.initializer.extend(tensors)
    return data.SerializeToString(), feeds


def operators(data):
    return [node.op_type for node in native.graph_of(data).nodes]


@pytest.mark.parametrize("op_type", ["MatMul", "Gemm", "Gemm of transposed"])
@pytest.mark.parametrize("dtype", ["INT4", "UINT4", "INT8", "UINT8"])
@pytest.mark.parametrize("zeros", [False, True])
def test_dequantized_weights_stay_packed(op_type, dtype, zeros):
    attributes = {"transB": 1} if op_type.endswith("transposed") else {}
    case = dequantized(np.random.default_rng(0), op_type.split()[0], dtype, zeros, **attributes)
    native.compare(*case, rtol=1e-5, atol=2e-3)
    assert operators(case[0]) == ["MatMulNBits"]


@pytest.mark.parametrize("transposed", [0, 1])
@pytest.mark.parametrize("dtype", ["INT4", "UINT4"])
@pytest.mark.parametrize("zeros", [False, True])
def test_columns_of_one_scale_stay_packed(transposed, dtype, zeros):
    """Rounded by pieces of a column."""
    case = dequantized(np.random.default_rng(0), "Gemm", dtype, zeros, 0, transB=transposed)
    native.compare(*case, rtol=1e-5, atol=4e-3)
    assert operators(case[0]) == ["MatMulNBits"]


def test_columns_of_8_bits_become_floats():
    case = dequantized(np.random.default_rng(0), "MatMul", "INT8", False, 0)
    native.compare(*case, rtol=1e-5, atol=1e-3)
    assert "MatMulNBits" not in operators(case[0])


@pytest.mark.parametrize(
    "how", [{"users": 2}, {"size": 24}, {"alpha": 0.5}, {"size": 96, "beta": 2.0}]
)
def test_dequantized_weights_that_become_floats(how):
    case = dequantized(np.random.default_rng(0), "Gemm", "INT4", True, **how)
    native.compare(*case, rtol=1e-5, atol=1e-3)
    assert "MatMulNBits" not in operators(case[0])


def test_refusals():
    random = np.random.default_rng(0)
    feeds = {"a": np.ones((2, 32), np.float32)}
    constants = {
        "w": random.integers(0, 255, (4, 1, 16)).astype(np.uint8),
        "scales": np.ones(4, np.float32),
        "order": np.zeros(32, np.int32),
    }
    attributes = {"K": 32, "N": 4, "block_size": 32}

    def refusal(names, **others):
        node = helper.make_node(
            "MatMulNBits", names, ["y"], domain="com.microsoft", **{**attributes, **others}
        )
        used = {name: constants[name] for name in names if name in constants}
        return native.refusal(native.build([node], feeds, ["y"], used, domains=DOMAINS))

    reason = refusal(["a", "w", "scales", "", "order"])
    assert reason == "the rows of its weights are in the order of 'order' (g_idx)"
    assert refusal(["a", "w", "scales"]) is None
    reason = refusal(["a", "w", "scales"], bits=2)
    assert reason == "its weights are of 2 bits in blocks of 32, or packed in another way"
