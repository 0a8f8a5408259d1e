"""Sessions in real Pyodide: what goes wrong, providers mixed, and external data."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

from tests.browser.python import Python
from tests.support.onnx_models import FLOAT, build, node

RNG = np.random.default_rng(7)


def test_errors_leave_the_session_working(pyodide_worker: Python) -> None:
    model = build([node("Relu", ["x"], ["y"], name="relu")], {"x": [1, "n", 3]})
    got = pyodide_worker.run(
        """
import numpy as np
import pyxnn

model = bytes(model)
x = np.array([[[-1, 0, 1]]], np.float32)
session = pyxnn.InferenceSession(model)

def error_of(act):
    try:
        act()
    except Exception as error:
        session.run(None, {"x": x})
        return [type(error).__name__, str(error)]

{
    "missing": error_of(lambda: session.run(None, {})),
    "unknown": error_of(lambda: session.run(None, {"x": x, "z": x})),
    "type": error_of(lambda: session.run(None, {"x": x.astype(np.float64)})),
    "shape": error_of(lambda: session.run(None, {"x": x[:, :, :2]})),
    "output": error_of(lambda: session.run(["q"], {"x": x})),
    "truncated": error_of(lambda: pyxnn.InferenceSession(model[:-2])),
    "garbage": error_of(lambda: pyxnn.InferenceSession(b"garbage garbage")),
    "file": error_of(lambda: pyxnn.InferenceSession("/missing.onnx")),
    "provider": error_of(lambda: pyxnn.InferenceSession(model, providers=["Foo"])),
    "closed": error_of(lambda: (second := pyxnn.InferenceSession(model), second.close(), second.run(None, {"x": x}))),
}
""",
        model=model,
    )
    expected = {
        "missing": ("ValueError", "['x']"),
        "unknown": ("InvalidArgument", "z"),
        "type": ("InvalidArgument", "tensor(double)"),
        "shape": ("InvalidArgument", "index: 2 Got: 2 Expected: 3"),
        "output": ("InvalidArgument", "q"),
        "truncated": ("InvalidProtobuf", "protobuf"),
        "garbage": ("InvalidProtobuf", "protobuf"),
        "file": ("NoSuchFile", "/missing.onnx"),
        "provider": ("ValueError", "Foo"),
        "closed": ("NoModel", "closed"),
    }
    for case, (name, culprit) in expected.items():
        assert got[case][0] == name, got[case]
        assert culprit in got[case][1]


def test_both_providers(pyodide_worker: Python) -> None:
    """A Conv on XNNPACK, a Loop around what it gave on the CPU, a Gemm on XNNPACK again."""

    def value(name: str, elem_type: int, extents: list[int] | None) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, elem_type, extents)

    body = helper.make_graph(
        [
            node("Add", ["acc", "c"], ["next"]),
            node("Identity", ["cond"], ["again"]),
        ],
        "body",
        [
            value("i", TensorProto.INT64, []),
            value("cond", TensorProto.BOOL, []),
            value("acc", FLOAT, None),
        ],
        [value("again", TensorProto.BOOL, []), value("next", FLOAT, None)],
    )
    nodes = [
        node("Conv", ["x", "w"], ["c"]),
        node("Loop", ["count", "", "c"], ["l"], body=body),
        node("Flatten", ["l"], ["f"]),
        node("Gemm", ["f", "b"], ["y"]),
    ]
    constants = {
        "w": RNG.standard_normal((4, 3, 3, 3), np.float32),
        "count": np.array(3),
        "b": RNG.standard_normal((64, 5), np.float32),
    }
    model = build(nodes, {"x": ["n", 3, 6, 6]}, constants=constants)
    x = RNG.standard_normal((2, 3, 6, 6), np.float32)
    result, providers = pyodide_worker.run(
        """
import pyxnn

session = pyxnn.InferenceSession(bytes(model))
[session.run(None, {"x": x})[0], [node.provider for node in session.placement.nodes]]
""",
        model=model,
        x=x,
    )
    (expected,) = onnxruntime.InferenceSession(model).run(None, {"x": x})
    np.testing.assert_allclose(result, expected, 1e-5, 1e-5)
    assert providers[0] == providers[-1] == "XnnpackExecutionProvider"
    assert providers[1] == "CPUExecutionProvider"


def test_external_data(pyodide_worker: Python) -> None:
    weights = RNG.standard_normal((300, 4), np.float32)
    x = RNG.standard_normal((2, 300), np.float32)
    model = onnx.ModelProto.FromString(
        build([node("MatMul", ["x", "w"], ["y"])], {"x": [2, 300]}, constants={"w": weights})
    )
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="weights.bin")
    y = pyodide_worker.run(
        """
from pathlib import Path

import pyxnn

folder = Path("/tmp/external")
folder.mkdir(exist_ok=True)
(folder / "model.onnx").write_bytes(bytes(model))
(folder / "weights.bin").write_bytes(bytes(weights))
pyxnn.InferenceSession(folder / "model.onnx").run(None, {"x": x})[0]
""",
        model=model.SerializeToString(),
        weights=weights.tobytes(),
        x=x,
    )
    np.testing.assert_allclose(y, x @ weights, 1e-4, 1e-4)
