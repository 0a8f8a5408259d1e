"""The session's API, on the CPU provider, beside native onnxruntime's."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

import pyxnn
from tests.support.exact import CPU
from tests.support.onnx_models import FLOAT, build, node, proto

X = np.arange(-3, 3, dtype=np.float32).reshape(1, 2, 3)
MODEL = build(
    [node("Relu", ["x"], ["y"], name="relu"), node("Neg", ["y"], ["z"], name="neg")],
    {"x": [1, "n", 3]},
    ["y", "z"],
)


def open_session(model: bytes = MODEL, **more: Any) -> pyxnn.InferenceSession:
    return pyxnn.InferenceSession(model, providers=CPU, **more)


def test_what_a_session_says_of_itself() -> None:
    ours, theirs = open_session(), onnxruntime.InferenceSession(MODEL, providers=CPU)
    for mine, other in zip(
        [*ours.get_inputs(), *ours.get_outputs()],
        [*theirs.get_inputs(), *theirs.get_outputs()],
        strict=True,
    ):
        assert (mine.name, mine.type, mine.shape) == (other.name, other.type, other.shape)
        assert str(mine) == str(other)
    meta = theirs.get_modelmeta()
    for name in vars(ours.get_modelmeta()):
        assert getattr(ours.get_modelmeta(), name) == getattr(meta, name)
    assert ours.get_providers() == theirs.get_providers()
    assert ours.get_provider_options() == theirs.get_provider_options()
    assert ours.get_overridable_initializers() == []


def test_which_outputs() -> None:
    session = open_session()
    y, z = session.run(None, {"x": X})
    np.testing.assert_array_equal(y, np.maximum(X, 0))
    np.testing.assert_array_equal(z, -y)
    for names in (["z"], ["z", "y"], ["y", "y"], ()):
        results = session.run(names, {"x": X})
        expected = {"y": y, "z": z}
        for result, name in zip(results, names or ["y", "z"], strict=True):
            np.testing.assert_array_equal(result, expected[name])


def test_paths(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(MODEL)
    for source in (path, str(path)):
        assert len(pyxnn.InferenceSession(source, providers=CPU).run(None, {"x": X})) == 2


@pytest.mark.parametrize(
    "feed",
    [
        X.tolist(),
        X.transpose(0, 2, 1).copy().transpose(0, 2, 1),
        X[:, ::-1],
        X[:, :0],
        X.astype(">f4"),
    ],
)
def test_feeds_that_are_fine(feed: Any) -> None:
    (y, _) = open_session().run(None, {"x": feed})
    np.testing.assert_array_equal(y, np.maximum(np.asarray(feed, np.float32), 0))
    assert y.dtype == np.float32


def test_scalars() -> None:
    session = open_session(build([node("Neg", ["x"], ["y"])], {"x": []}))
    for feed in (np.float32(2), np.array(2, np.float32)):
        (y,) = session.run(None, {"x": feed})
        assert y.shape == () and y == -2


def test_results_are_the_callers_own() -> None:
    """Neither the feed nor a constant nor the next result changes with them."""
    nodes = [
        node("Identity", ["x"], ["a"]),
        node("Identity", ["c"], ["b"]),
        node("Transpose", ["x"], ["t"]),
    ]
    constant = np.ones(3, np.float32)
    session = open_session(build(nodes, {"x": [2, 3]}, ["a", "b", "t"], {"c": constant}))
    feed = np.zeros((2, 3), np.float32)
    for _ in range(2):
        for result in session.run(None, {"x": feed}):
            assert result.flags.writeable
            assert result.flags.owndata
            result += 1
        assert not feed.any()
    np.testing.assert_array_equal(session.run(["b"], {"x": feed})[0], constant)


def test_an_input_may_be_an_output() -> None:
    model = build([node("Relu", ["x"], ["y"])], {"x": [2]}, ["x", "y"])
    x, y = open_session(model).run(None, {"x": X[0, 0, :2]})
    np.testing.assert_array_equal(x, X[0, 0, :2])
    assert not y.any()


def test_initializers_among_the_inputs_are_constants() -> None:
    model = proto(
        [node("Add", ["x", "w"], ["y"])],
        {"x": [3], "w": [3]},
        constants={"w": np.ones(3, np.float32)},
    )
    session = open_session(model.SerializeToString())
    assert [each.name for each in session.get_inputs()] == ["x"]
    assert session.run(None, {"x": np.zeros(3, np.float32)})[0].tolist() == [1, 1, 1]
    with pytest.raises(pyxnn.InvalidArgument, match="w"):
        session.run(None, {"x": np.zeros(3, np.float32), "w": np.zeros(3, np.float32)})


def test_close() -> None:
    with open_session() as session:
        session.run(None, {"x": X})
    session.close()
    with pytest.raises(pyxnn.NoModel, match="closed"):
        session.run(None, {"x": X})


def test_garbage_is_collected() -> None:
    session = open_session()
    gone = weakref.ref(session)
    del session
    gc.collect()
    assert gone() is None


def test_options_have_onnxruntimes_names_and_defaults() -> None:
    for ours, theirs in (
        (pyxnn.SessionOptions(), onnxruntime.SessionOptions()),
        (pyxnn.RunOptions(), onnxruntime.RunOptions()),
    ):
        for name, value in vars(ours).items():
            if not name.startswith("_"):
                other = getattr(theirs, name)
                assert value == (int(other) if hasattr(other, "__members__") else other), name
    for enum in ("GraphOptimizationLevel", "ExecutionMode"):
        members = getattr(onnxruntime, enum).__members__
        ours = {name: int(member) for name, member in getattr(pyxnn, enum).__members__.items()}
        assert ours == {name: member.value for name, member in members.items()}


def test_options_keep_their_types() -> None:
    options = pyxnn.SessionOptions()
    options.intra_op_num_threads = 3
    options.graph_optimization_level = pyxnn.GraphOptimizationLevel.ORT_DISABLE_ALL
    for name, value in (("intra_op_num_threads", "3"), ("enable_mem_pattern", 1), ("logid", 5)):
        with pytest.raises(TypeError, match=name):
            setattr(options, name, value)
    with pytest.raises(AttributeError, match="threads"):
        options.threads = 1  # type: ignore[attr-defined]
    for name, promise in (("enable_profiling", True), ("optimized_model_filepath", "m.onnx")):
        with pytest.raises(NotImplementedError, match=name):
            setattr(options, name, promise)


def test_config_entries() -> None:
    options = pyxnn.SessionOptions()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("some.other.key", "some value")
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"
    with pytest.raises(RuntimeError, match="nothing"):
        options.get_session_config_entry("nothing")
    with pytest.raises(pyxnn.InvalidArgument, match="allow_spinning"):
        options.add_session_config_entry("session.intra_op.allow_spinning", "yes")
    with pytest.raises(TypeError):
        options.add_session_config_entry("key", 1)  # type: ignore[arg-type]
    run_options = pyxnn.RunOptions()
    run_options.add_run_config_entry("key", "value")
    assert run_options.get_run_config_entry("key") == "value"
    with pytest.raises(RuntimeError, match="nothing"):
        run_options.get_run_config_entry("nothing")


def test_free_dimensions() -> None:
    options = pyxnn.SessionOptions()
    options.add_free_dimension_override_by_name("n", 2)
    session = open_session(sess_options=options)
    assert session.get_inputs()[0].shape == [1, 2, 3]
    with pytest.raises(pyxnn.InvalidArgument, match="index: 1 Got: 1 Expected: 2"):
        session.run(None, {"x": X[:, :1]})


def test_optimization_can_be_turned_off() -> None:
    model = build(
        [node("Relu", ["x"], ["a"]), node("Identity", ["a"], ["b"]), node("Neg", ["b"], ["y"])],
        {"x": [2]},
    )
    options = pyxnn.SessionOptions()
    counts = []
    for level in (
        pyxnn.GraphOptimizationLevel.ORT_DISABLE_ALL,
        pyxnn.GraphOptimizationLevel.ORT_ENABLE_BASIC,
    ):
        options.graph_optimization_level = level
        counts.append(len(open_session(model, sess_options=options).placement.nodes))
    assert counts == [3, 2]


def test_providers() -> None:
    assert pyxnn.get_available_providers() == ["XnnpackExecutionProvider", "CPUExecutionProvider"]
    assert pyxnn.get_device() == "CPU"
    before = pyxnn.InferenceSession(
        MODEL, providers=["CPUExecutionProvider", "XnnpackExecutionProvider"]
    )
    assert {each.provider for each in before.placement.nodes} == set(CPU)
    with pytest.warns(UserWarning, match="Duplicate"):
        assert pyxnn.InferenceSession(MODEL, providers=CPU * 2).get_providers() == CPU
    options = open_session(provider_options=[{"key": 1}]).get_provider_options()
    assert options == {"CPUExecutionProvider": {"key": "1"}}


def test_explain_prints_the_placement(capsys: pytest.CaptureFixture[str]) -> None:
    session = open_session()
    session.explain()
    assert capsys.readouterr().out == f"{session.placement}\n"


def test_placement() -> None:
    placement = open_session().placement
    first, second = placement.nodes
    assert (first.name, first.op_type, first.inputs, first.outputs) == (
        "relu",
        "Relu",
        ["x"],
        ["y"],
    )
    assert first.provider == CPU[0] and first.segment == second.segment == 0 and not first.planned
    assert first.reason is not None and "providers" in first.reason
    text = str(placement)
    assert text.splitlines()[0] == "2 nodes: 2 on CPUExecutionProvider in 1 subgraph"
    assert repr(placement) == text and "relu" in text and first.reason in text
    assert "<td" in placement._repr_html_() and "relu" in placement._repr_html_()


def test_placement_of_nothing() -> None:
    placement = open_session(build([], {"x": [1]}, ["x"])).placement
    assert placement.nodes == [] and str(placement).startswith("0 nodes: nothing to run")


def test_placement_escapes_names() -> None:
    model = build([node("Relu", ["x"], ["y"], name="<b>&")], {"x": [1]})
    assert "&lt;b&gt;&amp;" in open_session(model).placement._repr_html_()


def test_profile() -> None:
    profile = open_session().profile(None, {"x": X})
    assert [step.name for step in profile.steps] == ["relu", "neg"]
    assert [step.kind for step in profile.steps] == ["Relu", "Neg"]
    assert all(step.shape == X.shape and step.provider == CPU[0] for step in profile.steps)
    assert 0 <= sum(step.ms for step in profile.steps) <= profile.ms
    assert profile.slowest(1)[0].ms == max(step.ms for step in profile.steps)
    assert "2 steps" in str(profile) and "relu" in repr(profile)
    assert "2 steps" in profile._repr_html_() and "relu</td>" in profile._repr_html_()


def test_sequence_feeds() -> None:
    model = proto([node("SequenceAt", ["s", "i"], ["y"])], {}, constants={"i": np.array(1)})

    kind = onnx.helper.make_sequence_type_proto(onnx.helper.make_tensor_type_proto(FLOAT, None))
    model.graph.input.append(onnx.helper.make_value_info("s", kind))
    (y,) = open_session(model.SerializeToString()).run(None, {"s": [X, X + 1]})
    np.testing.assert_array_equal(y, X + 1)
