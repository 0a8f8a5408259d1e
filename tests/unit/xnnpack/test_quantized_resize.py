"""Resize between DequantizeLinear and QuantizeLinear, as native onnxruntime runs the three without optimizing.

Native onnxruntime's Resize of bytes itself cuts fractions off. Scales are no round numbers, so that half way between two
integers is rare.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper

from pyxnn.xnnpack import sampling
from tests.support import native
from tests.unit.xnnpack.test_quantized_rows import POINTS, TYPES, integers, model

PLACES = ["half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric"]
SCALES = (0.0317, 0.0291)


def resized(
    x: np.ndarray, sizes: list[int], points: tuple[int, int] = (77, 120), **kw: Any
) -> bytes:
    node = helper.make_node("Resize", ["a", "", "", "sizes"], ["b"], **kw)
    return model(x, node, SCALES, points, {"sizes": np.array(sizes)})


def steps(data: bytes, x: np.ndarray) -> list[str]:
    part = native.subgraph(data)
    tasks = [task.split()[0] for task in native.tasks(part, {"x": x})]
    part.close()
    return tasks


def check(data: bytes, x: np.ndarray) -> None:
    """As native onnxruntime does, and on integers, but for conversions between uint8 and int8 at both ends."""
    native.compare_integers(data, {"x": x})
    conversions = ["DequantizeLinear+QuantizeLinear"] * (x.dtype == np.uint8)
    assert steps(data, x) == [*conversions, "Resize+QuantizeLinear", *conversions]


@given(
    shape=st.tuples(st.integers(1, 2), st.integers(1, 40), st.integers(1, 9), st.integers(1, 9)),
    pixels=st.tuples(st.integers(1, 20), st.integers(1, 20)),
    mode=st.sampled_from(["linear", "cubic"]),
    place=st.sampled_from(PLACES),
    dtype=st.sampled_from(TYPES),
    points=st.tuples(POINTS, POINTS),
)
def test_images(
    shape: tuple[int, ...],
    pixels: tuple[int, int],
    mode: str,
    place: str,
    dtype: Any,
    points: tuple[int, int],
) -> None:
    x = integers(shape, dtype)
    data = resized(
        x, [*shape[:2], *pixels], points, mode=mode, coordinate_transformation_mode=place
    )
    native.compare_integers(data, {"x": x})
    assert not {"Resize", "DequantizeLinear", "QuantizeLinear"} & set(steps(data, x))


@pytest.mark.parametrize("mode", ["linear", "cubic"])
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("channels", [1, 3, 32])
def test_layouts(mode: str, place: str, dtype: Any, channels: int) -> None:
    x = integers((1, channels, 13, 11), dtype)
    kw = {"mode": mode, "coordinate_transformation_mode": place}
    check(resized(x, [1, channels, 29, 24], **kw), x)
    check(resized(x, [1, channels, 5, 7], **kw), x)
    check(resized(x, [1, channels, 13, 24], **kw), x)
    check(resized(x, [1, channels, 29, 11], **kw), x)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("around", [((), ()), ((2, 3), ()), ((2, 32), ()), ((2,), (3,))])
@pytest.mark.parametrize("pixels", [(26, 22), (39, 44), (7, 6), (13, 22), (26, 11), (1, 22)])
@pytest.mark.parametrize("extents", [(13, 11), (1, 11), (2, 2)])
def test_scales_alike(
    place: str,
    around: tuple[tuple[int, ...], tuple[int, ...]],
    extents: tuple[int, ...],
    pixels: tuple[int, ...],
) -> None:
    """As onnxruntime's tools write it: many results lie half way between two integers."""
    outer, inner = around
    x = integers((*outer, *extents, *inner), np.int8)
    node = helper.make_node(
        "Resize",
        ["a", "", "", "sizes"],
        ["b"],
        mode="linear",
        coordinate_transformation_mode=place,
    )
    sizes = {"sizes": np.array([*outer, *pixels, *inner])}
    data = model(x, node, (0.0317, 0.0317), (77, 77), sizes)
    (expected,) = native.run_native(data, {"x": x})
    part = native.subgraph(data)
    found = part.run({"x": x})["y"]
    part.close()
    np.testing.assert_array_equal(found, expected)


def test_channels_last() -> None:
    """Beside a convolution, as it lies."""
    x = integers((1, 24, 9, 10), np.int8)
    nodes = [
        helper.make_node("DequantizeLinear", ["x", "s", "z"], ["a"]),
        helper.make_node("DequantizeLinear", ["w", "v"], ["b"]),
        helper.make_node("Conv", ["a", "b"], ["c"]),
        helper.make_node("QuantizeLinear", ["c", "t", "z"], ["d"]),
        helper.make_node("DequantizeLinear", ["d", "t", "z"], ["e"]),
        helper.make_node("Resize", ["e", "", "scales"], ["f"], mode="linear"),
        helper.make_node("QuantizeLinear", ["f", "u", "z"], ["y"]),
    ]
    constants = {
        "s": np.float32(0.0317),
        "t": np.float32(0.291),
        "u": np.float32(0.237),
        "v": np.float32(0.0113),
        "z": np.int8(-7),
        "w": integers((32, 24, 1, 1), np.int8, 1),
        "scales": np.array([1, 1, 2, 2], np.float32),
    }
    data = native.build(nodes, {"x": x}, ["y"], constants, dtype=np.int8, opset=21)
    native.compare_integers(data, {"x": x})
    kinds = [kind for kind in steps(data, x) if kind != "Transpose"]
    assert kinds == ["Conv+QuantizeLinear", "Resize+QuantizeLinear"]


@pytest.mark.parametrize("mode", ["linear", "cubic"])
@pytest.mark.parametrize("pixels", [(5, 31), (40, 3), (7, 9)])
def test_antialias(mode: str, pixels: tuple[int, int]) -> None:
    x = integers((1, 5, 16, 20), np.int8)
    check(resized(x, [1, 5, *pixels], mode=mode, antialias=1), x)


@pytest.mark.parametrize("shape", [(3, 4, 5), (2, 3, 4, 5, 6)])
def test_other_ranks(shape: tuple[int, ...]) -> None:
    """What is between two steps is real; onnxruntime takes rank 3, and 5 of outer extents that stay."""
    x = integers(shape, np.int8)
    outer = shape[:1] if len(shape) == 3 else shape[:2]
    data = resized(x, [*outer, *(3 * extent + 1 for extent in shape[len(outer) :])], mode="linear")
    native.compare_integers(data, {"x": x})
    assert set(steps(data, x)) == {"Resize+QuantizeLinear"}


def test_as_large_as_before() -> None:
    x = integers((1, 3, 6, 7), np.int8)
    data = resized(x, [1, 3, 6, 7], mode="linear")
    native.compare_integers(data, {"x": x})
    assert steps(data, x) == ["DequantizeLinear+QuantizeLinear"]


@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("fill", [0.0, 0.951, 0.5])
@pytest.mark.parametrize("region", [(0.4, 0.6, 0.6, 0.8), (-0.3, 0.2, 1.1, 1.4), (2, 2, 3, 3)])
def test_crop(mode: str, dtype: Any, fill: float, region: tuple[float, ...]) -> None:
    """What looks outside is a number, for which an integer may stand or not."""
    x = integers((1, 3, 8, 9), dtype)
    node = helper.make_node(
        "Resize",
        ["a", "roi", "", "sizes"],
        ["b"],
        mode=mode,
        coordinate_transformation_mode="tf_crop_and_resize",
        extrapolation_value=fill,
    )
    roi = np.array([0, 0, *region[:2], 1, 1, *region[2:]], np.float32)
    constants = {"roi": roi, "sizes": np.array([1, 3, 5, 7])}
    native.compare_integers(model(x, node, SCALES, (77, 120), constants), {"x": x})


@pytest.mark.parametrize("rounding", sorted(sampling.ROUNDINGS))
@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("place", [*PLACES, "half_pixel_symmetric", "tf_half_pixel_for_nn"])
def test_nearest_pixels_are_moved(rounding: str, dtype: Any, place: str) -> None:
    x = integers((1, 3, 8, 9), dtype)
    kw = {"coordinate_transformation_mode": place, "nearest_mode": rounding}
    data = resized(x, [1, 3, 16, 27], **kw)
    native.compare_integers(data, {"x": x})
    assert steps(data, x) == ["Resize", "DequantizeLinear+QuantizeLinear"]


def test_far_values() -> None:
    """Results beyond the range of bytes."""
    x = np.where(integers((1, 2, 9, 9), np.int8) > 0, 127, -128).astype(np.int8)
    node = helper.make_node("Resize", ["a", "", "", "sizes"], ["b"], mode="cubic")
    sizes = {"sizes": np.array([1, 2, 31, 37])}
    for scales in ((1e3, 1e-3), (1e-3, 1e3), (0.1, 0.0913)):
        check(model(x, node, scales, (0, 200), sizes), x)


def test_others_run_on_floats() -> None:
    """By 16 bits."""
    x = integers((1, 3, 6, 7), np.uint8).astype(np.int16)
    nodes = [
        helper.make_node("DequantizeLinear", ["x", "s", "z"], ["a"]),
        helper.make_node("Resize", ["a", "", "scales"], ["b"], mode="linear"),
        helper.make_node("QuantizeLinear", ["b", "s", "z"], ["y"]),
    ]
    constants = {
        "s": np.float32(0.0317),
        "z": np.int16(0),
        "scales": np.array([1, 1, 1.5, 3], np.float32),
    }
    data = native.build(nodes, {"x": x}, ["y"], constants, dtype=np.int16, opset=21)
    native.compare_integers(data, {"x": x}, rare=1)
    assert "Resize" in steps(data, x)
