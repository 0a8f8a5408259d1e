"""What kernels on integers take, out of quantized values."""

from __future__ import annotations

import numpy as np

from pyxnn.quantization import Quantization
from pyxnn.xnnpack.fusion import Bounds
from pyxnn.xnnpack.kernels import Channels, Requantization
from pyxnn.xnnpack.lowering import Lowering

_INT32 = np.iinfo(np.int32)


def weights(ctx: Lowering, name: str) -> tuple[np.ndarray, Quantization]:
    """Constant weights, for nothing but `Step.kernel`, and what they stand for."""
    return ctx.integer_weights(name), ctx.quantization(name)


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


def requantization(source: Quantization, target: Quantization, bounds: Bounds) -> Requantization:
    """Zero points of what a kernel takes and makes, and the integers that it must keep to."""
    return Requantization(int(source.zero_point), *limits(target, bounds))


def limits(target: Quantization, bounds: Bounds) -> tuple[int, int, int]:
    """The zero point of what a kernel makes, and the integers that it must keep to."""
    return (
        int(target.zero_point),
        target.integer(bounds.low),
        target.integer(bounds.high),
    )


def channels(
    ctx: Lowering,
    source: Quantization,
    kernel: Quantization,
    bias_name: str,
    target: Quantization,
    count: int,
    beta: float = 1.0,
) -> Channels:
    """What belongs to `count` output channels.

    Args:
        ctx: the plan.
        source, kernel, target: what input, weights and result stand for; scales of weights are those of all channels, or those
            of each group.
        bias_name: the name of the bias, "" when absent.
        count: of channels.
        beta: what the bias is multiplied with.
    """
    scale, zeros = (
        np.tile(array, count // array.size) for array in (kernel.scale, kernel.zero_point)
    )
    multipliers = (source.scale * scale / target.scale).astype(np.float32)
    return Channels(multipliers, bias(ctx, bias_name, source.scale * scale / beta), zeros)
