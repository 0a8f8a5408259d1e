"""What kernels on integers take, out of quantized values."""

from __future__ import annotations

import numpy as np

from pyxnn.quantization import Quantization
from pyxnn.xnnpack.fusion import Bounds
from pyxnn.xnnpack.kernels import Requantization
from pyxnn.xnnpack.lowering import Lowering

_INT32 = np.iinfo(np.int32)


def weights(ctx: Lowering, name: str) -> tuple[np.ndarray, np.ndarray, int]:
    """Constant weights as int8 of one zero point, their scale, and the zero point."""
    (array, (_, scale, zero_point, axis)) = constant(ctx, name)
    if np.unique(zero_point).size == 1:
        return ctx.integer_weights(name), scale, int(zero_point.flat[0])
    points = zero_point.reshape([-1 if place == axis else 1 for place in range(array.ndim)])
    return (array.astype(np.int16) - points).astype(np.int8), scale, 0


def bias(ctx: Lowering, name: str, scale: np.ndarray) -> np.ndarray | None:
    """A constant bias as int32 of a scale, which is that of the products that it is added to; None when absent."""
    if not name:
        return None
    if ctx.is_quantized(name):
        array, found = constant(ctx, name)
        if not found.zero_point.any() and np.allclose(found.scale, scale, rtol=1e-6, atol=0):
            return array
    numbers = ctx.array(name).reshape(-1).astype(np.float64) / scale
    return np.clip(np.rint(numbers), _INT32.min, _INT32.max).astype(np.int32)


def constant(ctx: Lowering, name: str) -> tuple[np.ndarray, Quantization]:
    """The integers of a dequantized constant, and what they stand for."""
    integers, quantization = ctx.quantized(name)
    assert isinstance(integers.source, np.ndarray)
    return integers.source, quantization


def requantization(
    source: Quantization, kernel_zero: int, target: Quantization, bounds: Bounds
) -> Requantization:
    """Zero points of what a kernel takes and makes, and the integers that it must keep to."""
    return Requantization(int(source.zero_point), kernel_zero, *limits(target, bounds))


def limits(target: Quantization, bounds: Bounds) -> tuple[int, int, int]:
    """The zero point of what a kernel makes, and the integers that it must keep to."""
    return (
        int(target.zero_point),
        target.integer(bounds.low),
        target.integer(bounds.high),
    )


def multipliers(a: np.ndarray, b: np.ndarray, target: Quantization, channels: int) -> np.ndarray:
    """By output channel, what brings sums of products of two scales to the target's scale."""
    return np.broadcast_to(a * b / target.scale, (channels,)).astype(np.float32)
