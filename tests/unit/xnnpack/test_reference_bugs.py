"""What onnxruntime's own XNNPACK provider gets wrong is right here; each test says where that bug comes from."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx import helper

import pyxnn
from tests.support import native

rng = np.random.default_rng(0)
TOLERANCE = {"rtol": 1e-5, "atol": 5e-5}


def normal(*extents: int) -> np.ndarray:
    return rng.standard_normal(extents, np.float32)


X, W, B = normal(1, 4, 6, 5), normal(3, 4, 3, 3), normal(3)
CONV = helper.make_node("Conv", ["x", "w", "b"], ["c"])
NEGATIVE = {"w": W, "b": B - 5}


def check(
    nodes: list[Any], feeds: dict[str, Any], constants: dict[str, Any], *outputs: str, **kwargs: Any
) -> None:
    names = outputs or ("y",)
    native.compare(native.build(nodes, feeds, names, constants, **kwargs), feeds, **TOLERANCE)


def test_clip_without_min() -> None:
    """Its fused Clip takes the smallest positive float for an absent min, so negative results are lost."""
    clip = helper.make_node("Clip", ["c", "", "max"], ["y"])
    check([CONV, clip], {"x": X}, NEGATIVE | {"max": np.float32(-1)})


def test_relu_with_a_second_consumer() -> None:
    """It fuses Relu into a Conv whose own result is used elsewhere (issues 28543 and 28814)."""
    nodes = [CONV, helper.make_node("Relu", ["c"], ["y"]), helper.make_node("Neg", ["c"], ["z"])]
    check(nodes, {"x": X}, NEGATIVE, "y", "z")
    check(nodes[:2], {"x": X}, NEGATIVE, "y", "c")


@pytest.mark.parametrize("rows", [1, 5])
def test_gemm_trans_a(rows: int) -> None:
    """It takes transA, but multiplies A as it lies."""
    node = helper.make_node("Gemm", ["a", "b"], ["y"], transA=1)
    check([node], {"a": normal(4, rows)}, {"b": normal(4, 3)})


@pytest.mark.parametrize("c", [None, (), (1,), (1, 1), (5, 1), (3,)])
def test_gemm_with_any_c(c: tuple[int, ...] | None) -> None:
    """It reads the extents of a C that is absent or a number (issues 28541 and 28542)."""
    constants = {"b": normal(4, 3)} | ({} if c is None else {"c": np.asarray(normal(*c))})
    node = helper.make_node("Gemm", ["a", *constants], ["y"])
    check([node], {"a": normal(5, 4)}, constants)


def test_gemm_with_dynamic_rows() -> None:
    """It keeps the rows of the first run (issue 31153)."""
    node = helper.make_node("Gemm", ["a", "b"], ["y"])
    constants = {"b": normal(4, 3)}
    data = native.build([node], {"a": normal(2, 4)}, ["y"], constants, dynamic=True)
    part = native.subgraph(data)
    for rows in (2, 7, 1, 7, 2):
        feeds = {"a": normal(rows, 4)}
        (want,) = native.run_native(data, feeds)
        np.testing.assert_allclose(part.run(feeds)["y"], want, **TOLERANCE)
    part.close()


@pytest.mark.parametrize("scales", [np.zeros(0, np.float32), None])
def test_resize_with_empty_scales(scales: np.ndarray | None) -> None:
    """It reads the second of no scales, and the process ends (issue 32298)."""
    constants: dict[str, Any] = {"sizes": np.array([1, 4, 12, 10])}
    if scales is not None:
        constants["s"] = scales
    inputs = ["x", "", "" if scales is None else "s", "sizes"]
    check([helper.make_node("Resize", inputs, ["y"], mode="linear")], {"x": X}, constants)


@pytest.mark.parametrize("opset", [21, 22, 23])
@pytest.mark.parametrize("op_type", ["Conv", "ConvTranspose", "MaxPool", "AveragePool"])
def test_windows_of_opset_22(op_type: str, opset: int) -> None:
    """It claims their version of opset 22 and has no kernel for it (issue 23164)."""
    if op_type.startswith("Conv"):
        node = helper.make_node(op_type, ["x", "w"], ["y"], pads=[1] * 4)
        constants = {"w": W if op_type == "Conv" else normal(4, 3, 3, 3)}
    else:
        node, constants = helper.make_node(op_type, ["x"], ["y"], kernel_shape=[2, 2]), {}
    check([node], {"x": X}, constants, opset=opset)


def test_conv_with_unknown_height_and_width() -> None:
    """It refuses them (issue 32387)."""
    data = native.build([CONV], {"x": X}, ["c"], {"w": W, "b": B}, dynamic=True)
    part = native.subgraph(data)
    for size in ((6, 5), (9, 12), (3, 3), (6, 5)):
        feeds = {"x": normal(1, 4, *size)}
        (want,) = native.run_native(data, feeds)
        np.testing.assert_allclose(part.run(feeds)["c"], want, **TOLERANCE)
    part.close()


def test_bias_in_half_precision() -> None:
    """It looks for the bias of a float16 Conv among a quantized Conv's inputs, and leaves it out.

    Compared with float32: two roundings of numbers below 64.
    """
    half = {name: array.astype(np.float16) for name, array in (("w", W), ("b", B * 10))}
    feeds = {"x": X.astype(np.float16)}
    data = native.build([CONV], feeds, ["c"], half, dtype=np.float16)
    with pyxnn.InferenceSession(data) as session:
        (got,) = session.run(None, feeds)
    exact = {name: array.astype(np.float32) for name, array in (half | feeds).items()}
    single = {"x": exact.pop("x")}
    (want,) = native.run_native(native.build([CONV], single, ["c"], exact), single)
    np.testing.assert_allclose(got.astype(np.float32), want, 2e-3, 2e-2)


@pytest.mark.parametrize("shapes", [((2, 1, 3, 4), (5, 4, 6)), ((4,), (2, 4, 3)), ((3, 4), (4,))])
@pytest.mark.parametrize("constant", [True, False])
def test_matmul_broadcast(shapes: Any, constant: bool) -> None:
    """It takes the last two axes of B for all of it (issue 24107)."""
    a, b = (normal(*shape) for shape in shapes)
    feeds, constants = ({"a": a}, {"b": b}) if constant else ({"a": a, "b": b}, {})
    check([helper.make_node("MatMul", ["a", "b"], ["y"])], feeds, constants)


@pytest.mark.parametrize("opset", [11, 12, 13])
def test_softmax_over_unknown_extents(opset: int) -> None:
    """Below opset 13 its check for unknown extents leaves a loop too early."""
    node = helper.make_node("Softmax", ["x"], ["y"], axis=1)
    check([node], {"x": X}, {}, opset=opset, dynamic=True)
