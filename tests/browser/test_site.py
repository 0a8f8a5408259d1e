"""The static site: Pyodide and its packages work in Chromium with nothing fetched from outside."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from playwright.sync_api import Browser

from tests.browser.python import Python, PythonError

NUMPY = """
import numpy as np
left, right = np.random.default_rng(0).standard_normal((2, 40, 40)).astype(np.float32)
[left + right, left @ right, np.linalg.solve(left, right), np.fft.rfft(left).real, np.sort(left)]
"""

ONNX = """
import ml_dtypes
import numpy as np
import onnx
from onnx import TensorProto, helper, shape_inference
from onnx.reference import ReferenceEvaluator

graph = helper.make_graph(
    [helper.make_node("Gemm", ["x", "w", "b"], ["y"]), helper.make_node("Relu", ["y"], ["z"])],
    "small",
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3])],
    [helper.make_tensor_value_info("z", TensorProto.FLOAT, ["n", 4])],
    [onnx.numpy_helper.from_array(w, "w"), onnx.numpy_helper.from_array(b, "b")],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)])
onnx.checker.check_model(model, full_check=True)
inferred = shape_inference.infer_shapes(model).graph.value_info[0]
dimensions = inferred.type.tensor_type.shape.dim
(z,) = ReferenceEvaluator(model).run(None, {"x": x})
{
    "shape": [dimensions[0].dim_param, dimensions[1].dim_value],
    "z": z,
    "bfloat16": float(np.float32(1.01).astype(ml_dtypes.bfloat16)),
}
"""


def test_numpy(pyodide: Python) -> None:
    left, right = np.random.default_rng(0).standard_normal((2, 40, 40)).astype(np.float32)
    total, product, solution, spectrum, ordered = pyodide.run(NUMPY)
    np.testing.assert_array_equal(total, left + right)
    np.testing.assert_allclose(product, left @ right, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(left @ solution, right, atol=1e-3)
    np.testing.assert_allclose(spectrum, np.fft.rfft(left).real, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(ordered, np.sort(left))


def test_onnx(pyodide: Python) -> None:
    x, w, b = (np.random.default_rng(1).random(shape, np.float32) for shape in ((2, 3), (3, 4), 4))
    answer = pyodide.run(ONNX, x=x, w=w, b=b)
    assert answer["shape"] == ["n", 4]
    assert answer["bfloat16"] == 1.0078125
    np.testing.assert_allclose(answer["z"], np.maximum(x @ w + b, 0), rtol=1e-6)


def test_exceptions_come_with_their_traceback(pyodide: Python) -> None:
    with pytest.raises(PythonError, match=r"line 2(?s:.*)ZeroDivisionError"):
        pyodide.run("x = 1\nx / 0")


def test_page_is_isolated(pyodide: Python) -> None:
    assert pyodide.run("import js; bool(js.crossOriginIsolated)")


def test_server_can_leave_isolation_out(pyodide_unisolated: Python) -> None:
    assert not pyodide_unisolated.run("import js; bool(js.crossOriginIsolated)")


def test_micropip_installs_wheels_by_path(pyodide_unisolated: Python) -> None:
    code = "import micropip; [(p.name, p.source) for p in micropip.list().values()]"
    sources = dict(pyodide_unisolated.run(code))
    assert sources["pyxnn"].startswith("../wheels/")
    assert sources["numpy"] == sources["onnx"] == "pyodide"
    assert not pyodide_unisolated.outside()


def test_nothing_is_fetched_from_outside(pyodide: Python) -> None:
    assert pyodide.requests
    assert not pyodide.outside()


def test_demo_page_asks_only_the_site(browser: Browser, site_address: str) -> None:
    page = browser.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(site_address)
    page.locator("#loading").wait_for(state="hidden", timeout=120_000)
    page.close()
    host = urlsplit(site_address).netloc
    assert site_address in asked
    assert not [url for url in asked if urlsplit(url).netloc not in (host, "")]


def test_lock_file_names_what_is_there(site_folder: Path) -> None:
    packages = json.loads((site_folder / "pyodide/pyodide-lock.json").read_text())["packages"]
    for package in packages.values():
        assert (site_folder / "pyodide" / package["file_name"]).is_file()
        assert all(name in packages for name in package["depends"])
    assert {"numpy", "onnx", "pyxnn", "micropip"} <= packages.keys()
