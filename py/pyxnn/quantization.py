"""How integers stand for real numbers: what QuantizeLinear and DequantizeLinear convert by."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from pyxnn.graph import Graph, Node
from pyxnn.tensor_types import dtype_of

Constant = Callable[[str], np.ndarray | None]


class Quantization(NamedTuple):
    """A real number is scale * (integer - zero_point).

    Attributes:
        dtype: of the integers.
        scale: float32, a number (rank 0) or one for each index along `axis` (rank 1).
        zero_point: int32, of the same shape.
        axis: counted from the first.
    """

    dtype: np.dtype
    scale: np.ndarray
    zero_point: np.ndarray
    axis: int

    @property
    def is_per_tensor(self) -> bool:
        """Whether one scale and one zero point serve all elements."""
        return self.scale.ndim == 0

    def same_as(self, other: Quantization) -> bool:
        """Whether equal integers stand for equal numbers."""
        return (
            self.dtype == other.dtype
            and np.array_equal(self.scale, other.scale)
            and np.array_equal(self.zero_point, other.zero_point)
            and (self.is_per_tensor or self.axis == other.axis)
        )

    def integer(self, number: float) -> int:
        """The integer that stands for a number best; of one scale and zero point."""
        return int(self.integers(np.asarray(number)))

    def integers(self, numbers: np.ndarray) -> np.ndarray:
        """The integers that stand for numbers best, the least one for NaN; of one scale and zero point."""
        limits = np.iinfo(self.dtype)
        with np.errstate(all="ignore"):
            scaled = np.rint(numbers.astype(np.float32) / self.scale) + self.zero_point
        held = np.clip(scaled, limits.min, limits.max)
        return np.where(np.isnan(held), limits.min, held).astype(self.dtype)

    def numbers(self, integers: np.ndarray) -> np.ndarray:
        """What integers stand for, float32; of one scale and zero point."""
        return (integers.astype(np.int32) - self.zero_point).astype(np.float32) * self.scale


def of(node: Node, graph: Graph) -> Quantization | None:
    """What a QuantizeLinear or DequantizeLinear (opset 19 and later) converts by.

    None when it isn't constant, is given by blocks, or isn't of integers.
    """
    dtype = integer_type(node, graph)
    scale = graph.constant(node.input(1))
    if dtype is None or dtype.kind not in "iu" or scale is None or node.attribute("block_size", 0):
        return None
    zero_point = graph.constant(node.input(2))
    if node.input(2) and zero_point is None:
        return None
    rank = graph.rank(node.input(0))
    axis = node.attribute("axis", 1)
    if scale.size == 1:
        scale, axis = scale.reshape(()), 0
    elif scale.ndim != 1 or (axis < 0 and rank is None):
        return None
    if zero_point is None:
        points = np.zeros(scale.shape, np.int32)
    else:
        points = zero_point.reshape(scale.shape).astype(np.int32)
    axis = axis + (rank or 0) if axis < 0 else axis
    return Quantization(dtype, scale.astype(np.float32, copy=False), points, axis)


def integer_type(node: Node, graph: Graph) -> np.dtype | None:
    """The type of the integers that a QuantizeLinear makes or a DequantizeLinear takes; None when it isn't known."""
    if node.is_op("DequantizeLinear"):
        return graph.dtype(node.input(0))
    if node.input(2):
        return graph.dtype(node.input(2))
    asked = node.attribute("output_dtype", 0)
    return dtype_of(asked) if asked else np.dtype(np.uint8)
