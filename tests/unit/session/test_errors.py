"""What goes wrong does so in onnxruntime's classes and words, and the session still works."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

import pyxnn
from tests.support.onnx_models import FLOAT, NEWEST, build, node, proto

CPU = ["CPUExecutionProvider"]
onnxruntime.set_default_logger_severity(4)

RELU = build([node("Relu", ["x"], ["y"], name="relu")], {"x": [1, "n", 3]})
X = np.ones((1, 2, 3), np.float32)


def error_of(api: Any, act: Callable[[Any], Any]) -> Exception | None:
    try:
        act(api)
    except Exception as error:
        return error
    return None


def same_class(act: Callable[[Any], Any]) -> tuple[Exception, Exception]:
    """Both raise, the same class by name; gives theirs and ours."""
    theirs, ours = error_of(onnxruntime, act), error_of(pyxnn, act)
    assert theirs is not None and ours is not None, (theirs, ours)
    assert type(ours).__name__ == type(theirs).__name__, (theirs, ours)
    return theirs, ours


FEEDS = {
    "missing": ({}, "x"),
    "another instead": ({"z": X}, "x"),
    "unknown": ({"x": X, "z": X}, "z"),
    "float64": ({"x": X.astype(np.float64)}, r"tensor\(double\).*tensor\(float\)"),
    "int64": ({"x": X.astype(np.int64)}, r"tensor\(int64\)"),
    "bool": ({"x": X.astype(bool)}, r"tensor\(bool\)"),
    "strings": ({"x": np.full((1, 2, 3), "a")}, r"tensor\(string\)"),
    "extents": (
        {"x": np.ones((2, 2, 4), np.float32)},
        r"index: 0 Got: 2 Expected: 1\n index: 2 Got: 4",
    ),
    "rank": ({"x": np.ones(3, np.float32)}, "Invalid rank for input: x Got: 1 Expected: 3"),
}


@pytest.mark.parametrize("case", FEEDS)
def test_wrong_feed(case: str) -> None:
    feed, culprit = FEEDS[case]
    session = pyxnn.InferenceSession(RELU, providers=CPU)

    def run(api: Any) -> None:
        (session if api is pyxnn else api.InferenceSession(RELU, providers=CPU)).run(None, feed)

    theirs, ours = same_class(run)
    assert re.search(culprit, str(ours))
    if case not in ("float64", "int64", "bool", "strings"):  # there ours names the input too
        assert str(ours) == str(theirs)
    np.testing.assert_array_equal(session.run(None, {"x": X})[0], X)


def test_unknown_output() -> None:
    theirs, ours = same_class(
        lambda api: api.InferenceSession(RELU, providers=CPU).run(["q"], {"x": X})
    )
    assert str(ours) == str(theirs)


@pytest.mark.parametrize("feed", [1.0, None, "abc", object()])
def test_feed_that_is_no_array(feed: Any) -> None:
    session = pyxnn.InferenceSession(RELU, providers=CPU)
    with pytest.raises(pyxnn.InvalidArgument, match="input: x"):
        session.run(None, {"x": feed})


def test_feed_that_is_no_mapping() -> None:
    with pytest.raises(TypeError, match="dict of arrays"):
        pyxnn.InferenceSession(RELU, providers=CPU).run(None, [X])  # type: ignore[arg-type]


def test_ragged_list() -> None:
    with pytest.raises(pyxnn.InvalidArgument, match="Input x"):
        pyxnn.InferenceSession(RELU, providers=CPU).run(None, {"x": [[[1.0], [2.0, 3.0]]]})


def test_terminate() -> None:
    def run(api: Any) -> None:
        options = api.RunOptions()
        options.terminate = True
        api.InferenceSession(RELU, providers=CPU).run(None, {"x": X}, options)

    theirs, ours = same_class(run)
    assert str(ours) == str(theirs)


def test_failure_inside_a_run_names_the_node() -> None:
    model = build([node("Add", ["a", "b"], ["y"], name="sum")], {"a": ["n"], "b": ["m"]})
    feed = {"a": np.ones(2, np.float32), "b": np.ones(3, np.float32)}
    _, ours = same_class(lambda api: api.InferenceSession(model, providers=CPU).run(None, feed))
    assert "Add node. Name:'sum'" in str(ours)


BYTES = {
    "garbage": b"garbage garbage",
    "half": RELU[: len(RELU) // 2],
    "two bytes short": RELU[:-2],
    "empty": b"",
    "no graph": onnx.ModelProto(ir_version=8).SerializeToString(),
}


@pytest.mark.parametrize("case", BYTES)
def test_bytes_that_are_no_model(case: str) -> None:
    same_class(lambda api: api.InferenceSession(BYTES[case], providers=CPU))


@pytest.mark.parametrize("length", range(0, len(RELU), 7))
def test_every_truncation_raises(length: int) -> None:
    with pytest.raises((pyxnn.InvalidProtobuf, pyxnn.InvalidArgument, pyxnn.Fail)):
        pyxnn.InferenceSession(RELU[:length], providers=CPU)


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "half.onnx"
    path.write_bytes(RELU[: len(RELU) // 2])
    theirs, ours = same_class(lambda api: api.InferenceSession(str(path), providers=CPU))
    assert str(ours) == str(theirs)
    missing = str(tmp_path / "missing.onnx")
    theirs, ours = same_class(lambda api: api.InferenceSession(missing, providers=CPU))
    assert str(ours) == str(theirs)
    same_class(lambda api: api.InferenceSession(str(tmp_path), providers=CPU))


@pytest.mark.parametrize("source", [3, None, [1, 2], ""])
def test_sources_of_the_wrong_type(source: Any) -> None:
    same_class(lambda api: api.InferenceSession(source, providers=CPU))


MODELS = {
    "opset too new": build([node("Relu", ["x"], ["y"])], {"x": [1]}, opset=99),
    "IR too new": build([node("Relu", ["x"], ["y"])], {"x": [1]}, ir_version=99),
    "unknown operator": build([node("Foo", ["x"], ["y"], name="foo")], {"x": [1]}),
    "unknown domain": build([node("Foo", ["x"], ["y"], name="foo", domain="my")], {"x": [1]}),
    "unknown attribute": build([node("Relu", ["x"], ["y"], name="foo", beta=3)], {"x": [1]}),
    "no attribute": build([node("Concat", ["x"], ["y"], name="foo")], {"x": [1]}),
    "too many inputs": build([node("Relu", ["x", "x"], ["y"], name="foo")], {"x": [1]}),
    "type of an input": build(
        [node("Relu", ["x"], ["y"], name="foo")], {"x": (9, [1])}, output_type=9
    ),
    "shapes": build([node("MatMul", ["a", "b"], ["y"], name="foo")], {"a": [1, 3], "b": [4, 5]}),
    "input from nowhere": build([node("Relu", ["z"], ["y"], name="foo")], {"x": [1]}),
    "output from nowhere": build([node("Relu", ["x"], ["z"])], {"x": [1]}),
    "two of one name": build([node("Relu", ["x"], ["y"]), node("Neg", ["x"], ["y"])], {"x": [1]}),
    "cycle": build([node("Add", ["x", "b"], ["a"]), node("Neg", ["a"], ["b"])], {"x": [1]}, ["b"]),
    "type of an output": build([node("Relu", ["x"], ["y"])], {"x": [1]}, output_type=7),
}


@pytest.mark.parametrize("case", MODELS)
def test_models_that_break_the_rules(case: str) -> None:
    _, ours = same_class(lambda api: api.InferenceSession(MODELS[case], providers=CPU))
    if b"foo" in MODELS[case]:
        assert "foo" in str(ours)


def test_opset_too_old_to_convert() -> None:
    model = build([node("Pad", ["x"], ["y"], paddings=[1, 1])], {"x": [1]}, opset=1)
    with pytest.raises(pyxnn.NotImplemented, match=r"Opset 1 .*7 to"):
        pyxnn.InferenceSession(model, providers=CPU)


def test_initializer_without_all_its_data() -> None:
    model = proto(
        [node("Add", ["x", "w"], ["y"])], {"x": [3]}, constants={"w": np.zeros(3, np.float32)}
    )
    model.graph.initializer[0].raw_data = b"1234"
    data = model.SerializeToString()
    _, ours = same_class(lambda api: api.InferenceSession(data, providers=CPU))
    assert "'w'" in str(ours)


def test_no_opset() -> None:
    model = onnx.ModelProto.FromString(RELU)
    del model.opset_import[:]
    data = model.SerializeToString()
    same_class(lambda api: api.InferenceSession(data, providers=CPU))


@pytest.mark.parametrize("domain", ["com.microsoft", "my.domain"])
def test_operator_of_another_domain_is_named(domain: str) -> None:
    model = build(
        [node("Foo", ["x"], ["y"], name="n", domain=domain)], {"x": [1]}, domains={domain: 1}
    )
    with pytest.raises(pyxnn.NotImplemented, match=rf"Foo.*{domain}"):
        pyxnn.InferenceSession(model, providers=CPU)


PROVIDERS: dict[str, dict[str, Any]] = {
    "unknown": {"providers": ["Foo"]},
    "unknown among others": {"providers": ["CPUExecutionProvider", "Foo"]},
    "a string": {"providers": "CPUExecutionProvider"},
    "a number": {"providers": [3]},
    "options of another length": {"providers": CPU, "provider_options": [{}, {}]},
    "options that are no dict": {"providers": CPU, "provider_options": [3]},
    "options twice": {"providers": [(CPU[0], {})], "provider_options": [{}]},
}


@pytest.mark.parametrize("case", PROVIDERS)
def test_wrong_providers(case: str) -> None:
    with pytest.raises(ValueError, match=r"Foo|providers|provider_options"):
        pyxnn.InferenceSession(RELU, **PROVIDERS[case])


@pytest.mark.parametrize(
    "options", [{"threads": 1}, {"intra_op_num_threads": "many"}, {"intra_op_num_threads": -1}]
)
def test_wrong_provider_options(options: dict[str, Any]) -> None:
    with pytest.raises(pyxnn.InvalidArgument, match="|".join(options)):
        pyxnn.InferenceSession(RELU, providers=[("XnnpackExecutionProvider", options)])


def test_providers_of_onnxruntime_only_warn() -> None:
    with pytest.warns(UserWarning, match="CUDAExecutionProvider"):
        session = pyxnn.InferenceSession(RELU, providers=["CUDAExecutionProvider", *CPU])
    assert session.get_providers() == CPU


def test_cpu_refused_and_asked_for() -> None:
    def create(api: Any) -> None:
        options = api.SessionOptions()
        options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
        api.InferenceSession(RELU, options, providers=CPU)

    theirs, ours = same_class(create)
    assert str(ours) == str(theirs)


def test_nodes_that_only_the_cpu_has_are_refused() -> None:
    options = pyxnn.SessionOptions()
    options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    model = build([node("Det", ["x"], ["y"], name="determinant")], {"x": [2, 2]})
    with pytest.raises(pyxnn.Fail, match=r"Det node 'determinant': \w+"):
        pyxnn.InferenceSession(model, options)


def test_shape_arithmetic_is_not_refused() -> None:
    options = pyxnn.SessionOptions()
    options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    session = pyxnn.InferenceSession(
        build([node("Shape", ["x"], ["y"])], {"x": ["n"]}, output_type=7), options
    )
    assert session.run(None, {"x": np.zeros(3, np.float32)})[0].tolist() == [3]


def test_newest_opset_is_taken() -> None:
    pyxnn.InferenceSession(
        build([node("Relu", ["x"], ["y"])], {"x": [1]}, opset=NEWEST), providers=CPU
    )


def test_what_onnxruntime_takes_is_taken() -> None:
    unsorted = proto([node("Relu", ["a"], ["y"]), node("Neg", ["x"], ["a"])], {"x": [1]})
    unsorted.graph.name = ""
    claims = proto([node("Relu", ["x"], ["y"])], {"x": [1]})
    claims.graph.output[0].CopyFrom(onnx.helper.make_tensor_value_info("y", FLOAT, [7]))
    for model in (unsorted, claims):
        for api in (onnxruntime, pyxnn):
            session = api.InferenceSession(model.SerializeToString(), providers=CPU)
            assert session.run(None, {"x": np.ones(1, np.float32)})[0].shape == (1,)
