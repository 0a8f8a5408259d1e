"""Every opset from 7 on comes to one form, and computes what native onnxruntime does."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest

from pyxnn import passes
from tests.support.onnx_models import build, graph, node, ops
from tests.support.parity import assert_parity

rng = np.random.default_rng(0)


def normal(*extents: int) -> np.ndarray:
    return rng.standard_normal(extents, np.float32)


def forms(*args: Any, **kwargs: Any) -> Any:
    """The graph of a model after the passes that bring it to the newest form."""
    result = graph(*args, **kwargs)
    passes.run(result, passes.FORMS)
    return result


# name -> (nodes, shape of x, constants, opsets, operators after the passes)
MOVED: dict[str, Any] = {
    "clip": (node("Clip", ["x"], ["y"], min=-0.5, max=0.7), [2, 3], (7, 10), 3),
    "clip without min": (node("Clip", ["x"], ["y"], max=0.7), [2, 3], (7, 10), 3),
    "clip without bounds": (node("Clip", ["x"], ["y"]), [2, 3], (7,), 3),
    "slice": (
        node("Slice", ["x"], ["y"], starts=[1, -3], ends=[9, -1], axes=[0, 2]),
        [4, 3, 5],
        (7, 9),
        4,
    ),
    "slice without axes": (node("Slice", ["x"], ["y"], starts=[1], ends=[3]), [4, 3], (9,), 3),
    "pad": (node("Pad", ["x"], ["y"], pads=[0, 1, 2, 0], value=2.5), [2, 3], (7, 10), 3),
    "pad reflect": (node("Pad", ["x"], ["y"], pads=[1, 1, 0, 2], mode="reflect"), [3, 4], (10,), 3),
    "squeeze": (node("Squeeze", ["x"], ["y"], axes=[0, 2]), [1, 3, 1], (7, 11, 12), 2),
    "squeeze all": (node("Squeeze", ["x"], ["y"]), [1, 3, 1], (7, 12), 1),
    "unsqueeze": (node("Unsqueeze", ["x"], ["y"], axes=[0, 3]), [2, 3], (7, 12), 2),
    "reduce sum": (
        node("ReduceSum", ["x"], ["y"], axes=[1], keepdims=0),
        [2, 3, 4],
        (7, 11, 12),
        2,
    ),
    "reduce mean": (node("ReduceMean", ["x"], ["y"], axes=[1, 2]), [2, 3, 4], (7, 13, 17), 2),
    "reduce max": (node("ReduceMax", ["x"], ["y"], axes=[-1]), [2, 3, 4], (11, 13, 17), 2),
    "reduce all": (node("ReduceL2", ["x"], ["y"]), [2, 3, 4], (7, 17), 1),
    "reduce log sum exp": (node("ReduceLogSumExp", ["x"], ["y"], axes=[0]), [2, 3], (12, 17), 2),
}


@pytest.mark.parametrize("case", MOVED)
def test_attributes_become_inputs(case: str) -> None:
    operator, extents, opsets, inputs = MOVED[case]
    for opset in opsets:
        after = forms([operator], {"x": extents}, opset=opset)
        assert len(after.nodes[0].inputs) == inputs
        assert not {"axes", "min", "max", "pads", "value", "starts"} & set(
            after.nodes[0].attributes
        )
        assert_parity(build([operator], {"x": extents}, opset=opset), {"x": normal(*extents)})


@pytest.mark.parametrize("opset", [11, 13, 18])
def test_inputs_stay(opset: int) -> None:
    before = graph(
        [node("Clip", ["x", "low"], ["y"])],
        {"x": [2]},
        constants={"low": np.float32(0)},
        opset=opset,
    )
    nodes = list(before.nodes)
    assert not passes.attributes_to_inputs.run(before)
    assert before.nodes == nodes


@pytest.mark.parametrize("opset", [7, 11, 13, 17, 18])
def test_split(opset: int) -> None:
    equal = [
        node("Split", ["x"], ["a", "b"], axis=1, **({"num_outputs": 2} if opset >= 18 else {}))
    ]
    after = forms(equal, {"x": [2, 4]}, ["a", "b"], opset=opset)
    assert after.nodes[0].attributes == {"axis": 1, "num_outputs": 2}
    assert_parity(build(equal, {"x": [2, 4]}, ["a", "b"], opset=opset), {"x": normal(2, 4)})
    if opset < 13:
        sizes = [node("Split", ["x"], ["a", "b"], axis=1, split=[1, 3])]
        assert len(forms(sizes, {"x": [2, 4]}, ["a", "b"], opset=opset).nodes[0].inputs) == 2
        assert_parity(build(sizes, {"x": [2, 4]}, ["a", "b"], opset=opset), {"x": normal(2, 4)})


@pytest.mark.parametrize("opset", [7, 9])
def test_topk(opset: int) -> None:
    nodes = [node("TopK", ["x"], ["y", "i"], k=2, axis=1), node("Cast", ["i"], ["j"], to=1)]
    assert len(forms(nodes, {"x": [2, 4]}, ["y", "j"], opset=opset).nodes[0].inputs) == 2
    assert_parity(build(nodes, {"x": [2, 4]}, ["y", "j"], opset=opset), {"x": normal(2, 4)})


@pytest.mark.parametrize("operator", ["Softmax", "LogSoftmax", "Hardmax"])
@pytest.mark.parametrize("opset", [7, 11, 12])
@pytest.mark.parametrize(
    ("axis", "short"), [(None, False), (0, False), (1, False), (2, True), (-1, True)]
)
def test_softmax_of_flattened_rows(
    operator: str, opset: int, axis: int | None, short: bool
) -> None:
    if axis is not None and axis < 0 and opset < 11:
        pytest.skip("no negative axes yet")
    nodes = [node(operator, ["x"], ["y"], **({} if axis is None else {"axis": axis}))]
    expected = [operator] if short else ["Flatten", operator, "Shape", "Reshape"]
    assert ops(forms(nodes, {"x": [2, 3, 4]}, opset=opset)) == expected
    assert_parity(build(nodes, {"x": ["n", 3, 4]}, opset=opset), {"x": normal(2, 3, 4)})


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_softmax_of_one_axis_stays(axis: int) -> None:
    nodes = [node("Softmax", ["x"], ["y"], axis=axis)]
    assert ops(forms(nodes, {"x": [2, 3, 4]}, opset=13)) == ["Softmax"]
    assert_parity(build(nodes, {"x": [2, 3, 4]}, opset=13), {"x": normal(2, 3, 4)})


STATISTICS = {"s": normal(3), "b": normal(3), "m": normal(3), "v": abs(normal(3)) + 0.1}
NORM = ["x", "s", "b", "m", "v"]


@pytest.mark.parametrize("opset", [7, 8, 9, 13, 14, 15, 22])
def test_batch_norm(opset: int) -> None:
    more: dict[str, Any] = (
        {"spatial": 1} if opset < 9 else {"training_mode": 0} if opset >= 14 else {}
    )
    nodes = [node("BatchNormalization", NORM, ["y"], epsilon=1e-3, momentum=0.5, **more)]
    after = forms(nodes, {"x": [2, 3, 4, 5]}, constants=STATISTICS, opset=opset)
    assert list(after.nodes[0].attributes) == ["epsilon"] and after.nodes[0].since >= 15
    assert_parity(
        build(nodes, {"x": [2, 3, 4, 5]}, constants=STATISTICS, opset=opset),
        {"x": normal(2, 3, 4, 5)},
    )


def test_batch_norm_in_training_stays() -> None:
    nodes = [node("BatchNormalization", NORM, ["y", "", ""], training_mode=1)]
    before = graph(nodes, {"x": [2, 3, 4]}, constants=STATISTICS, opset=15)
    assert not passes.batch_norm_form.run(before)


@pytest.mark.parametrize("mode", ["nearest", "linear"])
@pytest.mark.parametrize("opset", [7, 9])
def test_upsample(mode: str, opset: int) -> None:
    scales = [1.0, 1.0, 2.0, 3.0]
    if opset == 7:
        nodes, constants = [node("Upsample", ["x"], ["y"], mode=mode, scales=scales)], {}
    else:
        nodes = [node("Upsample", ["x", "s"], ["y"], mode=mode)]
        constants = {"s": np.array(scales, np.float32)}
    assert ops(forms(nodes, {"x": [1, 2, 3, 4]}, constants=constants, opset=opset)) == ["Resize"]
    assert_parity(
        build(nodes, {"x": [1, 2, 3, 4]}, constants=constants, opset=opset),
        {"x": normal(1, 2, 3, 4)},
    )


@pytest.mark.parametrize("mode", ["nearest", "linear"])
@pytest.mark.parametrize("scale", [0.5, 0.7, 2.0])
def test_first_resize(mode: str, scale: float) -> None:
    nodes = [node("Resize", ["x", "s"], ["y"], mode=mode)]
    constants = {"s": np.array([1, 1, scale, scale], np.float32)}
    assert (
        len(forms(nodes, {"x": [1, 1, 6, 8]}, constants=constants, opset=10).nodes[0].inputs) == 3
    )
    assert_parity(
        build(nodes, {"x": [1, 1, 6, 8]}, constants=constants, opset=10), {"x": normal(1, 1, 6, 8)}
    )


def test_first_resize_of_unknown_scales_stays() -> None:
    before = graph([node("Resize", ["x", "s"], ["y"])], {"x": [1, 1, 6, 8], "s": [4]}, opset=10)
    assert not passes.upsample_form.run(before)


def test_scatter() -> None:
    nodes = [node("Scatter", ["x", "i", "u"], ["y"], axis=1)]
    constants = {"i": np.array([[1, 3]]), "u": normal(1, 2)}
    assert ops(forms(nodes, {"x": [1, 5]}, constants=constants, opset=9)) == ["ScatterElements"]
    assert_parity(build(nodes, {"x": [1, 5]}, constants=constants, opset=9), {"x": normal(1, 5)})


def test_cast_like() -> None:
    nodes = [node("CastLike", ["x", "like"], ["y"])]
    integers = {"constants": {"like": np.array([1])}, "output_type": onnx.TensorProto.INT64}
    assert ops(forms(nodes, {"x": [5]}, **integers)) == ["Cast"]
    assert_parity(build(nodes, {"x": [5]}, **integers), {"x": normal(5)})


@pytest.mark.parametrize("mode", ["bilinear", "nearest", "bicubic"])
def test_grid_sample(mode: str) -> None:
    nodes = [node("GridSample", ["x", "grid"], ["y"], mode=mode)]
    inputs = {"x": [1, 1, 4, 4], "grid": [1, 3, 3, 2]}
    assert forms(nodes, inputs, opset=16).nodes[0].attributes["mode"] in (
        "linear",
        "nearest",
        "cubic",
    )
    feeds = {"x": normal(1, 1, 4, 4), "grid": np.tanh(normal(1, 3, 3, 2))}
    assert_parity(build(nodes, inputs, opset=16), feeds, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("opset", [10, 16])
def test_roi_align(opset: int) -> None:
    nodes = [node("RoiAlign", ["x", "r", "b"], ["y"], output_height=2, output_width=2)]
    constants = {"r": np.array([[0, 0, 3, 3]], np.float32), "b": np.array([0])}
    assert_parity(
        build(nodes, {"x": [1, 1, 6, 6]}, constants=constants, opset=opset),
        {"x": normal(1, 1, 6, 6)},
    )


@pytest.mark.parametrize(("opset", "axis"), [(10, None), (13, 0), (19, 1)])
def test_quantization_below_opset_19(opset: int, axis: int | None) -> None:
    extents = [2, 3]
    scale = np.float32(0.05) if axis is None else np.full(extents[axis], 0.05, np.float32)
    constants = {"s": scale, "z": np.full_like(scale, 7, np.uint8)}
    attributes = {} if axis is None else {"axis": axis}
    nodes = [
        node("QuantizeLinear", ["x", "s", "z"], ["q"], **attributes),
        node("DequantizeLinear", ["q", "s", "z"], ["y"], **attributes),
    ]
    model = build(nodes, {"x": extents}, constants=constants, opset=opset)
    assert_parity(model, {"x": normal(*extents)})


CONSTANTS: dict[str, Any] = {
    "value_float": 2.5,
    "value_floats": [1.0, 2.0],
    "value_int": 3,
    "value_ints": [1, 2, 3],
}


@pytest.mark.parametrize("kind", CONSTANTS)
def test_constant_nodes(kind: str) -> None:
    nodes = [
        node("Constant", [], ["c"], **{kind: CONSTANTS[kind]}),
        node("Cast", ["c"], ["f"], to=1),
        node("Add", ["x", "f"], ["y"]),
    ]
    after = forms(nodes, {"x": [1]}, opset=13)
    assert ops(after) == ["Cast", "Add"]
    assert after.initializers["c"].tolist() == CONSTANTS[kind]
    assert_parity(build(nodes, {"x": [1]}, opset=13), {"x": normal(1)})
