"""If, Loop and Scan: their bodies are split between the providers, on the real engine."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

import pyxnn
from pyxnn import engine
from pyxnn.partition import CPU, XNNPACK
from tests.support.onnx_models import FLOAT, build, node

INT64, BOOL = TensorProto.INT64, TensorProto.BOOL
rng = np.random.default_rng(5)
W = rng.standard_normal((4, 4), np.float32) * np.float32(0.3)


def body(nodes: list[onnx.NodeProto], inputs: dict[str, Any], outputs: dict[str, Any]) -> Any:
    """A body; inputs and outputs are element types, or pairs of one and a shape."""

    def value(name: str, type: Any) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(
            name, *(type if isinstance(type, tuple) else (type, None))
        )

    return helper.make_graph(
        nodes,
        "body",
        [value(*each) for each in inputs.items()],
        [value(*each) for each in outputs.items()],
    )


COUNTER = {"i": (INT64, []), "go": (BOOL, [])}


def loop(nodes: list[onnx.NodeProto], rows: tuple[str, ...] = (), **more: Any) -> onnx.NodeProto:
    """A Loop over `n` that carries `x` as h to next, the result y, and collects rows."""
    outputs = {"go_on": (BOOL, []), "next": FLOAT} | dict.fromkeys(rows, FLOAT)
    return node(
        "Loop",
        ["n", "", "x"],
        ["y", *(f"all_{row}" for row in rows)],
        name="loop",
        body=body(
            [*nodes, node("Identity", ["go"], ["go_on"])],
            COUNTER | {"h": more.pop("state", (FLOAT, [2, 4]))},
            outputs,
        ),
    )


def compare(model: bytes, feeds: dict[str, Any], **more: Any) -> pyxnn.InferenceSession:
    """Runs a model here and natively; the session is still open."""
    session = pyxnn.InferenceSession(model)
    expected = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"]).run(
        None, feeds
    )
    for _ in range(2):
        for got, wanted in zip(session.run(None, feeds), expected, strict=True):
            assert got.dtype == wanted.dtype
            np.testing.assert_allclose(got, wanted, 1e-4, 1e-5, strict=True)
    return session


def placed(session: pyxnn.InferenceSession) -> dict[str, str]:
    return {each.name: each.provider for each in session.placement.nodes}


NESTED = [
    node("Relu", ["x"], ["r"], name="relu"),
    loop(
        [
            node("MatMul", ["h", "w"], ["m"], name="product"),
            node("Tanh", ["m"], ["t"], name="tanh"),
            node("ReduceSum", ["t"], ["s"], name="sum", keepdims=0),
            node("Greater", ["s", "zero"], ["positive"], name="test"),
            node(
                "If",
                ["positive"],
                ["next"],
                name="choice",
                then_branch=body([node("Add", ["t", "r"], ["a"], name="add")], {}, {"a": FLOAT}),
                else_branch=body(
                    [node("MatMul", ["t", "w"], ["b"], name="again")], {}, {"b": FLOAT}
                ),
            ),
        ],
        ("t",),
    ),
]
NESTED_MODEL = build(
    NESTED, {"x": [2, 4], "n": (INT64, [])}, ["y", "all_t"], {"w": W, "zero": np.float32(0)}
)


def feeds_of(count: int, shape: tuple[int, ...] = (2, 4)) -> dict[str, Any]:
    return {"x": rng.standard_normal(shape, np.float32), "n": np.array(count)}


def test_nested_bodies_run_on_xnnpack() -> None:
    with compare(NESTED_MODEL, feeds_of(5)) as session:
        places = placed(session)
        assert places["loop"] == CPU
        for name in ("loop/body/product", "loop/body/tanh", "loop/body/choice/then_branch/add"):
            assert places[name] == XNNPACK
        assert places["loop/body/choice/else_branch/again"] == XNNPACK
        assert "loop/body/choice/then_branch/add" in str(session.placement)


def test_captured_weights_are_packed_once() -> None:
    with compare(NESTED_MODEL, feeds_of(5)) as session:
        before = engine.get().memory_used()
        session.run(None, feeds_of(50))
        assert engine.get().memory_used() == before


def test_no_trips() -> None:
    compare(NESTED_MODEL, feeds_of(0)).close()


def test_profile_names_nodes_of_bodies() -> None:
    with pyxnn.InferenceSession(NESTED_MODEL) as session:
        profile = session.profile(None, feeds_of(3))
    names = [step.name for step in profile.steps]
    assert names.count("loop/body/product") == 3
    assert names.count("loop") == 1 and names.count("relu") == 1
    assert any(name.startswith("loop/body/choice/") for name in names)
    assert sum(step.ms for step in profile.steps) <= profile.ms


def test_scan_with_states_and_several_inputs() -> None:
    """Backwards, along other axes, two states."""
    scan = node(
        "Scan",
        ["s", "t", "a", "b"],
        ["s1", "t1", "rows", "sums"],
        name="scan",
        num_scan_inputs=2,
        scan_input_axes=[1, 0],
        scan_input_directions=[1, 0],
        scan_output_axes=[0, -1],
        scan_output_directions=[1, 0],
        body=body(
            [
                node("MatMul", ["sb", "w"], ["m"]),
                node("Add", ["m", "ab"], ["sn"]),
                node("Mul", ["tb", "bb"], ["tn"]),
                node("Add", ["sn", "tn"], ["row"]),
                node("Identity", ["row"], ["sum"]),
            ],
            dict.fromkeys(["sb", "tb", "ab", "bb"], (FLOAT, [2, 4])),
            dict.fromkeys(["sn", "tn", "row", "sum"], (FLOAT, [2, 4])),
        ),
    )
    inputs = {"s": [2, 4], "t": [2, 4], "a": [2, 3, 4], "b": [3, 2, 4]}
    model = build([scan], inputs, ["s1", "t1", "rows", "sums"], {"w": W})
    feeds = {name: rng.standard_normal(shape, np.float32) for name, shape in inputs.items()}
    with compare(model, feeds) as session:
        assert XNNPACK in placed(session).values()


def test_state_that_grows() -> None:
    """Each iteration plans for another shape; those used last are kept."""
    grow = loop(
        [node("Concat", ["h", "x"], ["c"], axis=0), node("MatMul", ["c", "w"], ["next"])],
        state=(FLOAT, ["rows", 4]),
    )
    model = build([grow], {"x": [2, 4], "n": (INT64, [])}, ["y"], {"w": W})
    with compare(model, feeds_of(12)) as session:
        assert session.run(None, feeds_of(12))[0].shape == (26, 4)


def test_values_that_change_are_not_planned_for() -> None:
    """A Slice at the iteration's number would need a plan for each."""
    taken = body(
        [node("Slice", ["v", "start", "end", "axis"], ["same"], name="slice")], {}, {"same": FLOAT}
    )
    nodes = [
        node("Unsqueeze", ["i", "axis"], ["start"]),
        node("Add", ["start", "one"], ["end"]),
        node("Slice", ["v", "start", "end", "axis"], ["row"], name="slice"),
        node("MatMul", ["h", "w"], ["m"]),
        node("If", ["go"], ["again"], name="if", then_branch=taken, else_branch=taken),
        node("Sub", ["row", "again"], ["nothing"]),
        node("Add", ["row", "nothing"], ["sum"]),
        node("Add", ["m", "sum"], ["next"]),
    ]
    constants = {"w": W, "axis": np.array([0]), "one": np.array([1])}
    inputs: dict[str, Any] = {"x": [2, 4], "v": [6, 4], "n": (INT64, [])}
    model = build([loop(nodes)], inputs, ["y"], constants)
    feeds = feeds_of(6) | {"v": rng.standard_normal((6, 4), np.float32)}
    with compare(model, feeds) as session:
        reasons = {each.name: each.reason for each in session.placement.nodes}
        for name in ("loop/body/slice", "loop/body/if/then_branch/slice"):
            assert reasons[name] == "its input 'start' changes from one iteration to the next"


@pytest.mark.parametrize("lengths", [None, [2, 3]])
def test_scan_of_opset_8(lengths: list[int] | None) -> None:
    """Which has a batch, and lengths of its sequences."""
    scan = node(
        "Scan",
        ["lengths" if lengths else "", "s", "a"],
        ["s1", "rows"],
        num_scan_inputs=1,
        body=body(
            [node("Add", ["sb", "ab"], ["sn"]), node("Identity", ["sn"], ["row"])],
            {"sb": (FLOAT, [4]), "ab": (FLOAT, [4])},
            {"sn": (FLOAT, [4]), "row": (FLOAT, [4])},
        ),
    )
    inputs: dict[str, Any] = {"s": [2, 4], "a": [2, 3, 4]}
    feeds = {name: rng.standard_normal(shape, np.float32) for name, shape in inputs.items()}
    if lengths:
        inputs["lengths"] = (INT64, [2])
        feeds["lengths"] = np.array(lengths)
    compare(build([scan], inputs, ["s1", "rows"], opset=8), feeds).close()


def test_errors_name_the_node_in_the_body() -> None:
    wrong = loop([node("MatMul", ["h", "v"], ["next"], name="product")], state=(FLOAT, None))
    model = build([wrong], {"x": [2, 4], "v": [None, None], "n": (INT64, [])}, ["y"])
    feeds = feeds_of(2) | {"v": np.ones((3, 3), np.float32)}
    with (
        pyxnn.InferenceSession(model) as session,
        pytest.raises(pyxnn.Fail, match=r"Loop node.*'loop'.*'product'"),
    ):
        session.run(None, feeds)


def test_a_body_without_a_kernel_leaves_nothing_behind() -> None:
    unknown = loop([node("MatMul", ["h", "w"], ["m"]), node("StringNormalizer", ["m"], ["next"])])
    model = build([unknown], {"x": [2, 4], "n": (INT64, [])}, ["y"], {"w": W})
    with pytest.raises(pyxnn.errors.OnnxRuntimeError):
        pyxnn.InferenceSession(model).run(None, feeds_of(1))
