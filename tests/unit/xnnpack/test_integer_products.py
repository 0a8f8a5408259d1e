"""DynamicQuantizeLinear, MatMulInteger and ConvInteger, and what onnxruntime's dynamic quantization makes of them.

Integers, scales and zero points are equal to native onnxruntime's. Products scaled to floats are rounded once less: 1e-6.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper

from tests.support import native

QUANTIZED = (np.uint8, np.float32, np.uint8)
TYPES = st.sampled_from([np.uint8, np.int8])


def integers(random, dtype, shape):
    info = np.iinfo(dtype)
    return random.integers(info.min, info.max + 1, shape).astype(dtype)


@given(
    st.lists(st.integers(1, 40), max_size=3),
    st.integers(0, 99),
    st.sampled_from([1e-30, 0.02, 1.0, 300.0]),
    st.sampled_from([-1.0, 0.0, 0.3, 1.0]),
)
def test_dynamic_quantize(shape, seed, scale, shift):
    random = np.random.default_rng(seed)
    x = np.asarray((random.uniform(-1, 1, shape) + shift) * scale, np.float32)
    data = quantize_model(x)
    native.compare(data, {"x": x})


@pytest.mark.parametrize("count", [16383, 50001])
def test_dynamic_quantize_in_parts(count):
    x = np.random.default_rng(count).standard_normal(count, np.float32)
    native.compare(quantize_model(x), {"x": x})


def test_dynamic_quantize_halfway():
    x = np.array([-127.5, 127.5, *np.arange(-20, 20) + 0.5], np.float32)
    native.compare(quantize_model(x), {"x": x})


@pytest.mark.parametrize("x", [np.zeros(7), np.full(3, 4.0), np.full(3, -4.0)])
def test_dynamic_quantize_of_constants(x):
    native.compare(quantize_model(x.astype(np.float32)), {"x": x.astype(np.float32)})


def quantize_model(x):
    node = helper.make_node("DynamicQuantizeLinear", ["x"], ["y", "scale", "zero"])
    return native.build([node], {"x": x}, ["y", "scale", "zero"], dtype=QUANTIZED)


@st.composite
def matmuls(draw):
    a_type, b_type = draw(TYPES), draw(TYPES)
    m, n = draw(st.integers(1, 20)), draw(st.integers(1, 40))
    k = draw(st.integers(1, 70))
    a_batch, b_batch = draw(
        st.sampled_from([((), ()), ((2, 3), ()), ((2, 1), (1, 3)), ((2,), (2,)), ((), (2, 2))])
    )
    random = np.random.default_rng(draw(st.integers(0, 99)))
    feeds = {
        "a": integers(random, a_type, (*a_batch, m, k)),
        "b": integers(random, b_type, (*b_batch, k, n)),
    }
    zeros = draw(st.sampled_from([None, (), "columns"]))
    names = ["a", "b"]
    if zeros is not None:
        feeds["a_zero"] = integers(random, a_type, ())
        shape = () if zeros == () else (*b_batch, 1, n) if b_batch else (n,)
        feeds["b_zero"] = integers(random, b_type, shape)
        names += ["a_zero", "b_zero"]
    constant = draw(st.sampled_from([(), ("b", "b_zero"), ("b", "b_zero"), ("b",), ("a",)]))
    constants = {name: feeds.pop(name) for name in constant if name in feeds}
    node = helper.make_node("MatMulInteger", names, ["y"])
    dynamic = draw(st.booleans())
    return native.build([node], feeds, ["y"], constants, dynamic=dynamic, dtype=np.int32), feeds


@given(matmuls())
def test_matmul(case):
    native.compare(*case)


@pytest.mark.parametrize("shapes", [((5,), (5, 3)), ((4, 5), (5,)), ((5,), (5,)), ((0, 3), (3, 4))])
@pytest.mark.parametrize("constant", [False, True])
def test_ranks(shapes, constant):
    random = np.random.default_rng(0)
    feeds = {name: integers(random, np.uint8, s) for name, s in zip("ab", shapes, strict=True)}
    constants = {"b": feeds.pop("b")} if constant else {}
    node = helper.make_node("MatMulInteger", ["a", "b"], ["y"])
    data = native.build([node], feeds, ["y"], constants, dtype=np.int32)
    native.compare(data, feeds)


@pytest.mark.parametrize("columns", [*range(1, 34), 39, 40, 41, 64, 95])
@pytest.mark.parametrize("depth", [1, 6, 32])
def test_one_row(columns, depth):
    """Columns go by eights, and these by fours."""
    random = np.random.default_rng(0)
    feeds = {"a": integers(random, np.uint8, (1, depth))}
    constants = {"b": integers(random, np.int8, (depth, columns))}
    node = helper.make_node("MatMulInteger", ["a", "b"], ["y"])
    native.compare(native.build([node], feeds, ["y"], constants, dtype=np.int32), feeds)


@pytest.mark.parametrize("shape", [(6, 9), (2, 3, 6, 9)])
def test_zero_point_for_each_row(shape):
    """onnxruntime takes one only."""
    random = np.random.default_rng(0)
    rows = shape[-2:-1] if len(shape) == 2 else (*shape[:-1], 1)
    feeds = {"a": integers(random, np.int8, shape), "zero": integers(random, np.int8, rows)}
    b = integers(random, np.uint8, (9, 5))
    node = helper.make_node("MatMulInteger", ["a", "b", "zero"], ["y"])
    data = native.build([node], feeds, ["y"], {"b": b}, dtype=np.int32)
    part = native.subgraph(data)
    result = part.run(feeds)["y"]
    part.close()
    zeros = feeds["zero"].reshape(*shape[:-1], 1).astype(np.int32)
    np.testing.assert_array_equal(
        result, (feeds["a"].astype(np.int32) - zeros) @ b.astype(np.int32)
    )


@st.composite
def convs(draw):
    axes = draw(st.integers(1, 3))
    groups, inputs, outputs = draw(st.sampled_from([(1, 3, 5), (1, 8, 17), (2, 2, 3), (6, 1, 1)]))
    kernel = [draw(st.integers(1, 3)) for _ in range(axes)]
    image = [draw(st.integers(k + 2, 9)) for k in kernel]
    random = np.random.default_rng(draw(st.integers(0, 99)))
    x_type, w_type = np.uint8, draw(TYPES)
    feeds = {
        "x": integers(random, x_type, (2, groups * inputs, *image)),
        "w": integers(random, w_type, (groups * outputs, inputs, *kernel)),
        "x_zero": integers(random, x_type, ()),
        "w_zero": integers(random, w_type, ()),
    }
    attributes = {
        "group": groups,
        "strides": [draw(st.integers(1, 2)) for _ in range(axes)],
        "dilations": [draw(st.sampled_from([1, 1, 2])) if k < 3 else 1 for k in kernel],
        "pads": [draw(st.integers(0, k - 1)) for k in 2 * kernel],
    }
    names = list(feeds)[: draw(st.sampled_from([2, 3, 4]))]
    feeds = {name: feeds[name] for name in names}
    constant = draw(st.sampled_from([(), ("w", "w_zero"), ("w", "w_zero", "x_zero"), ("w",)]))
    constants = {name: feeds.pop(name) for name in constant if name in feeds}
    node = helper.make_node("ConvInteger", names, ["y"], **attributes)
    return native.build([node], feeds, ["y"], constants, dtype=np.int32), feeds


@given(convs())
def test_conv(case):
    native.compare(*case)


@pytest.mark.parametrize("constant", [False, True])
def test_zero_point_for_each_channel(constant):
    """onnxruntime takes one only."""
    random = np.random.default_rng(0)
    feeds = {
        "x": integers(random, np.uint8, (2, 4, 7, 6)),
        "w": integers(random, np.int8, (9, 4, 3, 3)),
        "x_zero": integers(random, np.uint8, ()),
        "w_zero": integers(random, np.int8, (9,)),
    }
    constants = {name: feeds.pop(name) for name in ("w", "w_zero")} if constant else {}
    node = helper.make_node("ConvInteger", ["x", "w", "x_zero", "w_zero"], ["y"])
    data = native.build([node], feeds, ["y"], constants, dtype=np.int32)
    native.compare(data, feeds, reference=True)


def chain(random, *, columns=24, scale_shape=(), bias_shape=None, shared=1, relu=False):
    """What quantize_dynamic makes of MatMul nodes with one input."""
    k = 32
    nodes = [helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "x_scale", "x_zero"])]
    constants, outputs = {}, []
    for i in range(shared):
        constants[f"w{i}"] = integers(random, np.int8, (k, columns))
        constants[f"w_scale{i}"] = random.uniform(0.01, 0.1, scale_shape).astype(np.float32)
        constants[f"w_zero{i}"] = integers(random, np.int8, scale_shape)
        y = f"y{i}"
        last = [y, f"scaled{i}"]
        nodes += [
            helper.make_node("MatMulInteger", ["q", f"w{i}", "x_zero", f"w_zero{i}"], [f"i{i}"]),
            helper.make_node("Cast", [f"i{i}"], [f"f{i}"], to=TensorProto.FLOAT),
            helper.make_node("Mul", ["x_scale", f"w_scale{i}"], [f"scale{i}"]),
            helper.make_node("Mul", [f"f{i}", f"scale{i}"], [f"scaled{i}"]),
        ]
        if bias_shape is not None:
            constants[f"bias{i}"] = random.standard_normal(bias_shape).astype(np.float32)
            nodes.append(helper.make_node("Add", [f"bias{i}", f"scaled{i}"], [f"added{i}"]))
            last[1] = f"added{i}"
        nodes.append(helper.make_node("Relu" if relu else "Identity", [last[1]], [y]))
        outputs.append(y)
    return nodes, constants, outputs


@pytest.mark.parametrize("scale_shape", [(), (1,), (24,)])
@pytest.mark.parametrize("bias_shape", [None, (), (24,), (1, 24)])
@pytest.mark.parametrize("relu", [False, True])
def test_dynamic_quantization(scale_shape, bias_shape, relu):
    random = np.random.default_rng(3)
    x = random.standard_normal((2, 7, 32), np.float32)
    nodes, constants, outputs = chain(
        random, scale_shape=scale_shape, bias_shape=bias_shape, relu=relu
    )
    data = native.build(nodes, {"x": x}, outputs, constants)
    native.compare(data, {"x": x}, rtol=1e-6, atol=1e-5)
    part = native.subgraph(data)
    kinds = [task.split()[0] for task in native.tasks(part, {"x": x})]
    part.close()
    fused = "MatMulInteger+Cast+Mul" + "+Add" * (bias_shape is not None) + "+Relu" * relu
    assert kinds == ["DynamicQuantizeLinear", "Mul", fused]


def test_shared_quantization():
    random = np.random.default_rng(3)
    x = random.standard_normal((7, 32), np.float32)
    nodes, constants, outputs = chain(random, bias_shape=(24,), shared=3)
    data = native.build(nodes, {"x": x}, outputs, constants)
    native.compare(data, {"x": x}, rtol=1e-6, atol=1e-5)
    part = native.subgraph(data)
    kinds = [task.split()[0] for task in native.tasks(part, {"x": x})]
    part.close()
    assert sorted(kinds) == ["DynamicQuantizeLinear"] + 3 * ["MatMulInteger+Cast+Mul+Add"] + 3 * [
        "Mul"
    ]


@pytest.mark.parametrize("scale_shape", [(), (1, 5, 1, 1)])
def test_dynamic_convolution(scale_shape):
    random = np.random.default_rng(3)
    x = random.standard_normal((2, 4, 9, 8), np.float32)
    constants = {
        "w": integers(random, np.uint8, (5, 4, 3, 3)),
        "w_zero": integers(random, np.uint8, ()),
        "w_scale": random.uniform(0.01, 0.1, scale_shape).astype(np.float32),
        "bias": random.standard_normal((1, 5, 1, 1)).astype(np.float32),
    }
    nodes = [
        helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "x_scale", "x_zero"]),
        helper.make_node("ConvInteger", ["q", "w", "x_zero", "w_zero"], ["i"], pads=[1, 1, 1, 1]),
        helper.make_node("Cast", ["i"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["x_scale", "w_scale"], ["scale"]),
        helper.make_node("Mul", ["f", "scale"], ["scaled"]),
        helper.make_node("Add", ["scaled", "bias"], ["y"]),
    ]
    data = native.build(nodes, {"x": x}, ["y"], constants)
    native.compare(data, {"x": x}, rtol=1e-6, atol=1e-5)
    part = native.subgraph(data)
    kinds = [task.split()[0] for task in native.tasks(part, {"x": x})]
    part.close()
    assert kinds[-1] != "Mul" and "ConvInteger+Cast+Mul+Add" in kinds


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("columns", [5, 24, 32])
def test_residual(bias, relu, columns):
    """What oneDNN's provider fuses in BERT: another tensor is added."""
    random = np.random.default_rng(3)
    feeds = {
        "x": random.standard_normal((2, 7, 32), np.float32),
        "r": random.standard_normal((2, 7, columns), np.float32),
    }
    shape = (columns,) if bias else None
    nodes, constants, _ = chain(random, columns=columns, bias_shape=shape)
    nodes += [
        helper.make_node("Add", ["r", "y0"], ["sum"]),
        helper.make_node("Relu" if relu else "Identity", ["sum"], ["y"]),
    ]
    data = native.build(nodes, feeds, ["y"], constants)
    native.compare(data, feeds, rtol=1e-6, atol=1e-5)
    part = native.subgraph(data)
    kinds = [task.split()[0] for task in native.tasks(part, feeds)]
    part.close()
    fused = "MatMulInteger+Cast+Mul" + "+Add" * bias + "+Add" + "+Relu" * relu
    assert kinds == ["DynamicQuantizeLinear", "Mul", fused]


@pytest.mark.parametrize("shape", [(1, 24), (2, 1, 24), (3, 2, 7, 24)])
def test_addends_of_other_shapes_stay(shape):
    random = np.random.default_rng(3)
    feeds = {
        "x": random.standard_normal((2, 7, 32), np.float32),
        "r": random.standard_normal(shape, np.float32),
    }
    nodes, constants, _ = chain(random)
    data = native.build(
        [*nodes, helper.make_node("Add", ["y0", "r"], ["y"])], feeds, ["y"], constants
    )
    native.compare(data, feeds, rtol=1e-6, atol=1e-5)
    part = native.subgraph(data)
    assert "Add" in {task.split()[0] for task in native.tasks(part, feeds)}
    part.close()


def test_residual_of_a_convolution():
    random = np.random.default_rng(3)
    feeds = {
        "x": random.standard_normal((2, 4, 9, 8), np.float32),
        "r": random.standard_normal((2, 6, 9, 8), np.float32),
    }
    constants = {"w": integers(random, np.uint8, (6, 2, 3, 3)), "w_zero": np.uint8(7)}
    nodes = [
        helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "x_scale", "x_zero"]),
        helper.make_node(
            "ConvInteger", ["q", "w", "x_zero", "w_zero"], ["i"], pads=[1, 1, 1, 1], group=2
        ),
        helper.make_node("Cast", ["i"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["f", "x_scale"], ["scaled"]),
        helper.make_node("Add", ["scaled", "r"], ["y"]),
    ]
    data = native.build(nodes, feeds, ["y"], constants)
    native.compare(data, feeds, rtol=1e-6, atol=1e-4)
    part = native.subgraph(data)
    assert "ConvInteger+Cast+Mul+Add" in {task.split()[0] for task in native.tasks(part, feeds)}
    part.close()


def test_integers_are_kept_where_others_use_them():
    random = np.random.default_rng(3)
    x = integers(random, np.uint8, (4, 6))
    nodes = [
        helper.make_node("MatMulInteger", ["x", "w"], ["i"]),
        helper.make_node("Cast", ["i"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("Relu", ["f"], ["y"]),
        helper.make_node("Cast", ["i"], ["z"], to=TensorProto.FLOAT),
    ]
    data = native.build(nodes, {"x": x}, ["y", "z"], {"w": integers(random, np.int8, (6, 3))})
    native.compare(data, {"x": x})


@pytest.mark.parametrize("scale_shape", [(), (24,)])
@pytest.mark.parametrize("op_type", ["DynamicQuantizeMatMul", "MatMulIntegerToFloat"])
@pytest.mark.parametrize("has_bias", [False, True])
def test_microsoft(op_type, scale_shape, has_bias):
    random = np.random.default_rng(3)
    constants = {
        "w": integers(random, np.uint8, (32, 24)),
        "w_scale": random.uniform(0.01, 0.1, scale_shape).astype(np.float32),
        "w_zero": integers(random, np.uint8, scale_shape),
        "bias": random.standard_normal(24).astype(np.float32),
    }
    if op_type == "DynamicQuantizeMatMul":
        feeds = {"x": random.standard_normal((2, 7, 32), np.float32)}
        names = ["x", "w", "w_scale", "w_zero"]
    else:
        feeds = {"q": integers(random, np.uint8, (2, 7, 32))}
        constants["q_scale"] = np.array(0.02, np.float32)
        constants["q_zero"] = np.array(113, np.uint8)
        names = ["q", "w", "q_scale", "w_scale", "q_zero", "w_zero"]
    names += ["bias"] * has_bias
    node = helper.make_node(op_type, names, ["y"], domain="com.microsoft")
    used = {name: constants[name] for name in names if name in constants}
    data = native.build([node], feeds, ["y"], used, domains={"com.microsoft": 1})
    native.compare(data, feeds, rtol=1e-5, atol=1e-4)
    part = native.subgraph(data)
    kinds = [task.split()[0] for task in native.tasks(part, feeds)]
    part.close()
    assert kinds[-1] == "MatMulInteger+Cast+Mul" + "+Add" * has_bias


def test_refusals():
    feeds = {name: np.ones((1,) * 6, np.uint8) for name in "xw"}
    node = helper.make_node("ConvInteger", ["x", "w"], ["y"])
    assert native.refusal(native.build([node], feeds, ["y"], dtype=np.int32)) == (
        "input 'w' has rank 6, not 3 or 4 or 5"
    )
