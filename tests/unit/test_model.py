"""Models become graphs, and their weights stay where they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

import pyxnn
from pyxnn import errors, model, wire
from pyxnn.model import FreeDimensions
from tests.support.exact import CPU
from tests.support.onnx_models import FLOAT, NEWEST, build, graph, node, proto

WEIGHTS = np.random.default_rng(0).standard_normal((64, 32), np.float32)
MATMUL = [node("MatMul", ["x", "w"], ["y"], name="product")]


def with_initializer(tensor: TensorProto) -> bytes:
    """A model with one more initializer, which a Cast uses."""
    nodes = [node("Cast", [tensor.name], ["z"], to=FLOAT), node("Relu", ["x"], ["y"])]
    result = proto(nodes, {"x": [1]}, ["y", "z"], opset=NEWEST)
    result.graph.initializer.append(tensor)
    return result.SerializeToString()


def test_weights_are_views_of_the_bytes() -> None:
    data = build(MATMUL, {"x": ["n", 64]}, constants={"w": WEIGHTS})
    weights = model.load(data).graph.initializers["w"]
    np.testing.assert_array_equal(weights, WEIGHTS)
    assert np.shares_memory(weights, np.frombuffer(data, np.uint8))
    assert not weights.flags.writeable


def test_packed_floats_are_views_too() -> None:
    data = with_initializer(helper.make_tensor("w", FLOAT, [32, 64], WEIGHTS.ravel()))
    weights = model.load(data).graph.initializers["w"]
    np.testing.assert_array_equal(weights.ravel(), WEIGHTS.ravel())
    assert np.shares_memory(weights, np.frombuffer(data, np.uint8))


TYPES = [
    *(np.float32, np.float64, np.float16, np.int8, np.uint8, np.int16, np.uint16),
    *(
        np.int32,
        np.uint32,
        np.int64,
        np.uint64,
        np.bool_,
        ml_dtypes.bfloat16,
        ml_dtypes.float8_e4m3fn,
    ),
    *(ml_dtypes.int4, ml_dtypes.uint4),
]


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("count", [0, 3, 5000])
@pytest.mark.parametrize("raw", [True, False])
def test_initializers_of_all_types(dtype: Any, count: int, raw: bool) -> None:
    array = (np.arange(count) % 7).astype(dtype)
    if raw:
        tensor = numpy_helper.from_array(array, "w")
    else:
        elem_type = helper.np_dtype_to_tensor_dtype(array.dtype)
        tensor = helper.make_tensor("w", elem_type, array.shape, array)
    loaded = model.load(with_initializer(tensor)).graph.initializers["w"]
    assert loaded.dtype == array.dtype
    np.testing.assert_array_equal(loaded.astype(np.float32), array.astype(np.float32))


def test_strings() -> None:
    data = build(
        [node("Identity", ["w"], ["y"])],
        {},
        constants={"w": np.array(["a", "bc"], object)},
        output_type=8,
    )
    assert model.load(data).graph.initializers["w"].tolist() in (["a", "bc"], [b"a", b"bc"])


@pytest.mark.parametrize("flat", [True, False])
def test_sparse_initializers(flat: bool) -> None:
    dense = np.array([[0, 2, 0], [0, 0, 5]], np.float32)
    indices = np.array([1, 5]) if flat else np.array([[0, 1], [1, 2]])
    result = proto([node("Add", ["x", "w"], ["y"])], {"x": [2, 3]})
    result.graph.sparse_initializer.append(
        onnx.SparseTensorProto(
            values=numpy_helper.from_array(np.array([2, 5], np.float32), "w"),
            indices=numpy_helper.from_array(indices, "i"),
            dims=[2, 3],
        )
    )
    np.testing.assert_array_equal(
        model.load(result.SerializeToString()).graph.initializers["w"], dense
    )


def save(path: Path, location: str, **more: str) -> None:
    result = proto(MATMUL, {"x": ["n", 64]})
    tensor = result.graph.initializer.add(
        name="w", data_type=FLOAT, dims=WEIGHTS.shape, data_location=1
    )
    for key, value in {"location": location, **more}.items():
        tensor.external_data.add(key=key, value=value)
    onnx.save(result, path)


def test_external_data(tmp_path: Path) -> None:
    (tmp_path / "weights.bin").write_bytes(b"head" + WEIGHTS.tobytes() + b"tail")
    save(tmp_path / "m.onnx", "weights.bin", offset="4", length=str(WEIGHTS.nbytes))
    np.testing.assert_array_equal(model.load(tmp_path / "m.onnx").graph.initializers["w"], WEIGHTS)
    np.testing.assert_array_equal(
        model.load(str(tmp_path / "m.onnx")).graph.initializers["w"], WEIGHTS
    )


@pytest.mark.parametrize("location", ["missing.bin", "../weights.bin", "", "short.bin"])
def test_external_data_that_is_not_there(tmp_path: Path, location: str) -> None:
    (tmp_path / "weights.bin").write_bytes(WEIGHTS.tobytes())
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "short.bin").write_bytes(b"1234")
    save(tmp_path / "sub" / "m.onnx", location)
    with pytest.raises(errors.Fail, match="w"):
        model.load(tmp_path / "sub" / "m.onnx")
    with pytest.raises(errors.Fail, match="path"):
        model.load((tmp_path / "sub" / "m.onnx").read_bytes())


def test_types_and_symbols() -> None:
    nodes = [
        node("Relu", ["x"], ["a"]),
        node("Shape", ["a"], ["s"]),
        node("Reshape", ["a", "s"], ["y"]),
    ]
    loaded = model.load(build(nodes, {"x": ["batch", 3, None]}))
    assert loaded.graph.shape("x") == ("batch", 3, None)
    assert loaded.graph.shape("a")[:2] == ("batch", 3)
    assert loaded.graph.dtype("s") == np.int64 and loaded.graph.shape("s") == (3,)
    assert loaded.inputs == [model.NodeArg("x", "tensor(float)", ["batch", 3, None])]
    assert (
        str(loaded.inputs[0]) == "NodeArg(name='x', type='tensor(float)', shape=['batch', 3, None])"
    )


def test_names_of_types() -> None:
    types = {
        "tensor(int64)": helper.make_tensor_type_proto(TensorProto.INT64, [1]),
        "tensor(string)": helper.make_tensor_type_proto(TensorProto.STRING, [1]),
        "tensor(bfloat16)": helper.make_tensor_type_proto(TensorProto.BFLOAT16, [1]),
    }
    types["seq(tensor(int64))"] = helper.make_sequence_type_proto(types["tensor(int64)"])
    types["optional(seq(tensor(int64)))"] = helper.make_optional_type_proto(
        types["seq(tensor(int64))"]
    )
    result = proto([node("Identity", [f"x{i}"], [f"y{i}"]) for i in range(len(types))], {}, [])
    for index, type in enumerate(types.values()):
        result.graph.input.append(helper.make_value_info(f"x{index}", type))
        result.graph.output.append(helper.make_value_info(f"y{index}", type))
    loaded = model.load(result.SerializeToString())
    assert [each.type for each in loaded.inputs] == list(types)
    assert [each.type for each in loaded.outputs] == list(types)


def test_free_dimensions() -> None:
    data = build([node("Relu", ["x"], ["y"])], {"x": ["batch", 3, "h"]})
    loaded = model.load(data, FreeDimensions({"batch": 2}))
    assert loaded.inputs[0].shape == [2, 3, "h"] and loaded.graph.shape("y") == (2, 3, "h")
    result = proto([node("Relu", ["x"], ["y"])], {"x": ["batch", 3]})
    result.graph.input[0].type.tensor_type.shape.dim[0].denotation = "DATA_BATCH"
    loaded = model.load(result.SerializeToString(), FreeDimensions({}, {"DATA_BATCH": 4}))
    assert loaded.inputs[0].shape == [4, 3]


def test_metadata() -> None:
    result = proto(
        [node("Relu", ["x"], ["y"])],
        {"x": [1]},
        producer_name="me",
        doc_string="what",
        model_version=3,
    )
    result.metadata_props.add(key="k", value="v")
    metadata = model.load(result.SerializeToString()).metadata
    assert (metadata.producer_name, metadata.description, metadata.version) == ("me", "what", 3)
    assert metadata.custom_metadata_map == {"k": "v"} and metadata.graph_name == "test"


def test_functions_of_the_model_are_put_in_place() -> None:
    function = helper.make_function(
        "local",
        "Twice",
        ["a"],
        ["b"],
        [node("Add", ["a", "a"], ["b"])],
        [helper.make_opsetid("", 17)],
    )
    nodes = [node("Twice", ["x"], ["h"], domain="local"), node("MatMul", ["h", "w"], ["y"])]
    data = build(
        nodes,
        {"x": ["n", 64]},
        constants={"w": WEIGHTS},
        domains={"local": 1},
        functions=[function],
    )
    loaded = model.load(data).graph
    assert [each.op_type for each in loaded.nodes] == ["Add", "MatMul"]
    assert np.shares_memory(loaded.initializers["w"], np.frombuffer(data, np.uint8))


def test_default_domain_by_its_long_name() -> None:
    result = proto([node("Relu", ["x"], ["y"], domain="ai.onnx")], {"x": [1]})
    result.opset_import[0].domain = "ai.onnx"
    loaded = model.load(result.SerializeToString()).graph
    assert loaded.nodes[0].domain == "" and loaded.opsets == {"": 17}


def test_captured_names_count_as_uses() -> None:
    def branch(name: str, operator: str) -> onnx.GraphProto:
        output = helper.make_tensor_value_info(name, FLOAT, None)
        return helper.make_graph([node(operator, ["a"], [name])], name, [], [output])

    nodes = [
        node("If", ["c"], ["y"], then_branch=branch("t", "Neg"), else_branch=branch("e", "Abs")),
        node("Relu", ["x"], ["a"]),
    ]
    loaded = graph(nodes, {"x": [1], "c": (TensorProto.BOOL, [])})
    assert [each.op_type for each in loaded.nodes] == ["Relu", "If"]
    assert loaded.nodes[1].captures == ("a",) and loaded.is_captured("a")


# --- the wire format


@given(st.binary(max_size=200))
def test_any_bytes_strip_or_raise(data: bytes) -> None:
    try:
        stripped = wire.strip(data)
    except wire.MalformedError:
        return
    assert len(stripped.model) <= len(data) + 16 and not stripped.payloads


@given(st.data())
def test_stripping_takes_nothing_but_payloads(data: st.DataObject) -> None:
    """The model is the same once the payloads are put back."""
    sizes = data.draw(st.lists(st.sampled_from([0, 1, 100, 256, 257, 3000]), max_size=5))
    constants = {f"w{i}": np.arange(size, dtype=np.float32) for i, size in enumerate(sizes)}
    whole = proto(MATMUL, {"x": ["n", 64]}, constants=constants | {"w": WEIGHTS})
    stripped = wire.strip(whole.SerializeToString())
    again = onnx.ModelProto.FromString(stripped.model)
    for index, payload in stripped.payloads.items():
        assert len(payload.data) > 1024 and not payload.is_varints
        again.graph.initializer[index].raw_data = bytes(payload.data)
    assert again == whole


@given(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=40))
def test_packed_integers(numbers: list[int]) -> None:
    tensor = onnx.TensorProto(int64_data=numbers).SerializeToString()
    begin = 2 if len(tensor) < 130 else 3
    np.testing.assert_array_equal(wire.integers(memoryview(tensor)[begin:]), numbers)


@given(st.binary(max_size=40))
def test_any_bytes_are_integers_or_raise(data: bytes) -> None:
    try:
        numbers = wire.integers(memoryview(data))
    except wire.MalformedError:
        return
    assert len(numbers) == sum(byte < 0x80 for byte in data)


TYPED = [
    *(TensorProto.INT8, TensorProto.UINT8, TensorProto.INT16, TensorProto.UINT16, TensorProto.INT32),
    *(TensorProto.INT64, TensorProto.UINT32, TensorProto.UINT64, TensorProto.BOOL),
    *(TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.BFLOAT16),
    *(TensorProto.FLOAT8E4M3FN, TensorProto.INT4, TensorProto.UINT4),
]  # fmt: skip


@pytest.mark.parametrize("type", TYPED, ids=TensorProto.DataType.Name)
@pytest.mark.parametrize("count", [3, 70, 3000])
def test_typed_data(type: int, count: int) -> None:
    """In lists of their own fields, short and long, elements are what onnx reads."""
    dtype = onnx.helper.tensor_dtype_to_np_dtype(type)
    random = np.random.default_rng(count)
    least = -100 if dtype.kind in "if" and type != TensorProto.INT4 else 0
    values = random.integers(least, 2 if dtype.kind == "b" else 8, count)
    tensor = onnx.helper.make_tensor("w", type, [count], values.astype(dtype).tolist())
    whole = proto([node("Cast", ["w"], ["y"], to=TensorProto.FLOAT)], {}, opset=NEWEST)
    whole.graph.initializer.append(tensor)
    found = model.load(whole.SerializeToString()).graph.initializers["w"]
    expected = onnx.numpy_helper.to_array(tensor)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found.astype(np.float64), expected.astype(np.float64))


def test_biases_without_their_data_have_shapes() -> None:
    """Inference, which would look for integers, gets a bias as an input, and finds shapes from short ones all the same."""
    whole = proto(
        [node("Reshape", ["b", "s"], ["r"]), node("Cast", ["r"], ["y"], to=TensorProto.FLOAT)],
        {"x": [1]},
        constants={"s": np.array([10, 10])},
    )
    bias = onnx.helper.make_tensor("b", TensorProto.INT32, [100], [-5] * 100)
    whole.graph.initializer.append(bias)
    loaded = model.load(whole.SerializeToString())
    assert loaded.graph.shape("y") == (10, 10)
    np.testing.assert_array_equal(loaded.graph.initializers["b"], [-5] * 100)


# --- older opsets


@pytest.mark.parametrize("opset", [5, 6])
def test_older_opsets_are_converted(opset: int) -> None:
    """Broadcasting had to be asked for, and Dropout told that it doesn't train."""
    nodes = [
        node("Add", ["x", "w"], ["a"], broadcast=1),
        node("Dropout", ["a"], ["y"], is_test=1),
    ]
    bias = np.arange(4, dtype=np.float32)
    inputs = {"x": [2, 3, 4], "w": [4]}
    data = build(nodes, inputs, constants={"w": bias}, opset=opset, ir_version=3)
    loaded = model.load(data)
    assert loaded.graph.opsets == {"": model.OLDEST_OPSET}
    assert [each.name for each in loaded.inputs] == ["x"]
    x = np.ones((2, 3, 4), np.float32)
    (y,) = pyxnn.InferenceSession(data, providers=CPU).run(None, {"x": x})
    np.testing.assert_array_equal(y, x + bias)


def test_short_constants_of_old_models_decide_shapes() -> None:
    nodes = [node("Reshape", ["x", "s"], ["y"])]
    data = build(
        nodes,
        {"x": [2, 3], "s": (TensorProto.INT64, [1])},
        constants={"s": np.array([6])},
        ir_version=3,
    )
    assert model.load(data).graph.shape("y") == (6,)
