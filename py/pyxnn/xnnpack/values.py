"""Tensors of a plan: where they lie and how."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import onnx

from pyxnn.quantization import Quantization
from pyxnn.xnnpack import layout
from pyxnn.xnnpack.layout import Order, Shape

FLOAT32 = np.dtype(np.float32)

HALVES = {
    np.dtype(onnx.helper.tensor_dtype_to_np_dtype(type))
    for type in (onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16)
}
"""Types of the model that a plan has as float32: widened where they come in, rounded where they leave."""


def widened(array: np.ndarray) -> np.ndarray:
    """A constant as plans have it."""
    if array.dtype not in HALVES:
        return array
    return hollow(array, FLOAT32) if is_hollow(array) else array.astype(FLOAT32)


_NOTHING = np.full(16, 0xFF, np.uint8)
"""What hollow arrays are made of: NaN, in floats."""


def hollow(array: np.ndarray, dtype: np.dtype | None = None) -> np.ndarray:
    """An array of the same shape, and type unless another is given, that takes no memory and has no elements of its own."""
    dtype = array.dtype if dtype is None else dtype
    return np.broadcast_to(_NOTHING[: dtype.itemsize].view(dtype).reshape(()), array.shape)


def is_hollow(array: np.ndarray) -> bool:
    """Whether an array is hollow, or a view of one."""
    return np.may_share_memory(array, _NOTHING)


@dataclass(eq=False, slots=True)
class Buffer:
    """A piece of the arena; values that are views of each other share one. Its place is found once all steps are known."""

    nbytes: int


@dataclass(frozen=True, eq=False, slots=True)
class Kept:
    """A constant that is in the engine as long as the subgraph is.

    Attributes:
        key: tells it apart from others.
        make: gives its array, when it isn't there yet.
    """

    key: Hashable
    make: Callable[[], np.ndarray]


@dataclass(frozen=True, eq=False, slots=True)
class Value:
    """A dense tensor.

    Attributes:
        shape: as ONNX sees it.
        order: its axes as they lie in memory, outermost first (see `layout`).
        source: the buffer that holds it, or the array of a constant, whose shape is `physical`, or a constant whose elements
            lowerings don't look at.
        offset: its first byte in the buffer.
        dtype: of its elements.
    """

    shape: Shape
    order: Order
    source: Buffer | np.ndarray | Kept
    offset: int = 0
    dtype: np.dtype = FLOAT32

    @staticmethod
    def constant(array: np.ndarray) -> Value:
        """A row-major constant."""
        return Value(array.shape, layout.row_major(array.ndim), array, 0, array.dtype)

    @staticmethod
    def scalar(number: float) -> Value:
        """A float32 constant that broadcasts to any shape."""
        return Value.constant(np.array(number, np.float32))

    @property
    def rank(self) -> int:
        """How many axes it has."""
        return len(self.shape)

    @property
    def physical(self) -> Shape:
        """The extents as they lie in memory."""
        return layout.physical(self.shape, self.order)

    @property
    def size(self) -> int:
        """How many elements it has."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """How many bytes these take."""
        return math.prod(self.shape) * self.dtype.itemsize

    @property
    def is_constant(self) -> bool:
        """Whether its elements are known while planning."""
        return isinstance(self.source, np.ndarray)

    def has_order(self, order: Order) -> bool:
        """Whether the bytes lie in an order of the axes as they are."""
        return layout.same_order(self.shape, self.order, order)

    def viewed(self, shape: Shape, order: Order) -> Value:
        """The same bytes under another shape."""
        source = self.source
        if isinstance(source, np.ndarray):
            source = source.reshape(layout.physical(shape, order))
        return Value(shape, order, source, self.offset, self.dtype)

    def permuted(self, permutation: Sequence[int]) -> Value:
        """ONNX's Transpose: new axis i is old axis `permutation[i]`; no byte moves."""
        shape = tuple(self.shape[axis] for axis in permutation)
        return self.viewed(shape, layout.permute(self.order, permutation))

    def expanded(self, rank: int) -> Value:
        """With axes of extent 1 put before the others, up to `rank`."""
        missing = rank - self.rank
        if missing == 0:
            return self
        return self.viewed((1,) * missing + self.shape, layout.prepend(self.order, missing))


class Quantized(NamedTuple):
    """A tensor of real numbers that lies as integers."""

    integers: Value
    quantization: Quantization
