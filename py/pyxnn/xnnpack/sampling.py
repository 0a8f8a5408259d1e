"""Where Resize takes the elements of its output from: places, indices and weights along one axis.

All is computed in float32 as onnxruntime does it, so that elements halfway between two are rounded alike. Scales that make no
whole number of elements are taken as ONNX's own tests take them: onnxruntime aligns the corners of what is left.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pyxnn.xnnpack.kernels import Taps

_HALF = np.float32(0.5)


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis of a Resize.

    Attributes:
        extent, out_extent: of the input and of the output.
        length: of the output before it was cut to a whole number, extent times scale.
        scale: what the extent is multiplied by.
        region: what `tf_crop_and_resize` takes, from 0 to 1.
    """

    extent: int
    out_extent: int
    length: np.float32
    scale: np.float32
    region: tuple[np.float32, np.float32]


def _half_pixel(x: np.ndarray, axis: Axis) -> np.ndarray:
    return (x + _HALF) / axis.scale - _HALF


def _half_pixel_symmetric(x: np.ndarray, axis: Axis) -> np.ndarray:
    adjustment = np.float32(axis.out_extent) / axis.length
    offset = np.float32(axis.extent) / np.float32(2) * (np.float32(1) - adjustment)
    return offset + (x + _HALF) / axis.scale - _HALF


def _pytorch_half_pixel(x: np.ndarray, axis: Axis) -> np.ndarray:
    return _half_pixel(x, axis) if axis.out_extent > 1 else np.zeros_like(x)


def _align_corners(x: np.ndarray, axis: Axis) -> np.ndarray:
    if axis.out_extent == 1:
        return np.zeros_like(x)
    return x * np.float32(axis.extent - 1) / (axis.length - np.float32(1))


def _asymmetric(x: np.ndarray, axis: Axis) -> np.ndarray:
    return x / axis.scale


def _tf_half_pixel_for_nn(x: np.ndarray, axis: Axis) -> np.ndarray:
    return (x + _HALF) / axis.scale


def _tf_crop_and_resize(x: np.ndarray, axis: Axis) -> np.ndarray:
    start, end = axis.region
    last = np.float32(axis.extent - 1)
    if axis.out_extent == 1:
        return np.full_like(x, _HALF * (start + end) * last)
    return start * last + x * (end - start) * last / (axis.length - np.float32(1))


PLACES: dict[str, Callable[[np.ndarray, Axis], np.ndarray]] = {
    "align_corners": _align_corners,
    "asymmetric": _asymmetric,
    "half_pixel": _half_pixel,
    "half_pixel_symmetric": _half_pixel_symmetric,
    "pytorch_half_pixel": _pytorch_half_pixel,
    "tf_crop_and_resize": _tf_crop_and_resize,
    "tf_half_pixel_for_nn": _tf_half_pixel_for_nn,
}
"""By `coordinate_transformation_mode`, the place in the input of each element of the output."""


def places(mode: str, axis: Axis) -> np.ndarray:
    """Where each element of the output lies in the input."""
    return PLACES[mode](np.arange(axis.out_extent, dtype=np.float32), axis)


ROUNDINGS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "ceil": np.ceil,
    "floor": np.floor,
    "round_prefer_ceil": lambda x: np.floor(x + _HALF),
    "round_prefer_floor": lambda x: np.ceil(x - _HALF),
}
"""By `nearest_mode`, the element that is nearest to a place."""


def nearest(mode: str, at: np.ndarray, extent: int) -> np.ndarray:
    """The index of the element that is nearest to each place."""
    return np.clip(ROUNDINGS[mode](at), 0, extent - 1).astype(np.int32)


def linear(distance: np.ndarray) -> np.ndarray:
    """The weight of an element at a distance of up to 1."""
    return np.maximum(1 - np.abs(distance), 0)


def cubic(coefficient: float) -> Callable[[np.ndarray], np.ndarray]:
    """The weight of an element at a distance of up to 2, by Keys' cubic convolution."""

    def weight(distance: np.ndarray) -> np.ndarray:
        x, a = np.abs(distance), coefficient
        near = ((a + 2) * x - (a + 3)) * x * x + 1
        far = ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
        return np.where(x <= 1, near, np.where(x < 2, far, 0))

    return weight


def taps(
    weight: Callable[[np.ndarray], np.ndarray],
    reach: int,
    at: np.ndarray,
    extent: int,
    shrinkage: float,
    *,
    exclude_outside: bool,
) -> Taps:
    """The neighbours of each place and their weights.

    Args:
        weight: of a neighbour by its distance.
        reach: beyond which a weight is 0.
        at: places.
        extent: of the input.
        shrinkage: up to 1; distances are multiplied by it, as antialiasing does.
        exclude_outside: whether neighbours outside the input count nothing; else those at its edge stand for them.
    """
    at = at.astype(np.float64)
    span = reach / shrinkage
    neighbours = np.ceil(at - span)[:, None] + np.arange(int(np.ceil(2 * span)) + 1)
    weights = weight((neighbours - at[:, None]) * shrinkage)
    inside = np.clip(neighbours, 0, extent - 1)
    if exclude_outside:
        weights = np.where(neighbours == inside, weights, 0)
    weights = weights / weights.sum(axis=1, keepdims=True)
    return _banded(inside.astype(np.int64), weights, extent)


def pairs(at: np.ndarray, extent: int) -> Taps:
    """The two neighbours of each place and their weights, in float32 as onnxruntime has them.

    At the end these are halves of the last one and of one beyond, which repeats it.
    """
    at = np.clip(at, 0, extent - 1).astype(np.float64)
    firsts = at.astype(np.int64)
    weights = np.stack([firsts + 1 - at, at - firsts], axis=1)
    return Taps(firsts, np.where((firsts == extent - 1)[:, None], 0.5, weights))


def _banded(neighbours: np.ndarray, weights: np.ndarray, extent: int) -> Taps:
    """The taps, those of the same neighbour added up, and as few for each place as all need."""
    used = weights != 0
    firsts = np.where(used, neighbours, extent).min(axis=1)
    lasts = np.where(used, neighbours, -1).max(axis=1)
    count = max(int((lasts - firsts).max(initial=0)) + 1, 1)
    firsts = np.clip(firsts, 0, extent - count)
    columns = np.clip(neighbours - firsts[:, None], 0, count - 1)
    band = np.zeros((len(firsts), count))
    np.add.at(band, (np.arange(len(firsts))[:, None], columns), np.where(used, weights, 0))
    return Taps(firsts, band)
