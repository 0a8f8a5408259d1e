"""DFT and STFT: products with constant matrices that NumPy's transform makes, of long signals in several turns."""

from __future__ import annotations

import math

import numpy as np

from pyxnn.engine import BinaryType
from pyxnn.graph import Graph, Node
from pyxnn.xnnpack import kernels
from pyxnn.xnnpack.lowering import Lowering
from pyxnn.xnnpack.ops import conditions
from pyxnn.xnnpack.registry import register
from pyxnn.xnnpack.values import Value

_DIRECT, _PRIME, _MATRICES = 128, 512, 1 << 16
"""The most numbers that one matrix transforms, the most if they have no factors, and the most that all matrices of a second turn
have, as measured in Chromium."""


def supports(node: Node, graph: Graph) -> str | None:
    """Floats."""
    return conditions.floating(node, graph, [0, *([2] if node.op_type == "STFT" else [])])


@register("DFT", supports=supports, planned=(1, 2))
def lower_dft(node: Node, ctx: Lowering) -> None:
    """DFT (opset 20): input (..., N, ..., 1 or 2), real or complex, cut or filled up with zeros to dft_length along an axis, to
    (..., K, ..., 2), or 1 of an inverse that is onesided."""
    x = ctx.value(node.input(0))
    length, axis = ctx.constant(node.input(1)), ctx.constant(node.input(2))
    place = (-2 if axis is None else int(axis.item())) % x.rank
    order = [*(a for a in range(x.rank - 1) if a != place), place, x.rank - 1]
    x = x.permuted(order)
    *batch, extent, parts = x.shape
    inverse, onesided = bool(node.attribute("inverse", 0)), bool(node.attribute("onesided", 0))
    halved = inverse and onesided
    count = (2 * (extent - 1) if halved else extent) if length is None else int(length.item())
    if count < 1 or parts > 2:
        raise ValueError(f"{count} numbers of {parts} parts can't be transformed")
    taken = count // 2 + 1 if halved else count
    if extent > taken:
        x = kernels.cut(ctx, x, [*[slice(None)] * len(batch), slice(taken), slice(None)])
    elif extent < taken:
        x = kernels.pad(ctx, x, [*[(0, 0)] * len(batch), (0, taken - extent), (0, 0)])
    y = _transformed(ctx, x, count, inverse=inverse, onesided=onesided)
    ctx.define(node.output(0), y.permuted(np.argsort(order).tolist()))


@register("STFT", supports=supports, planned=(1, 3))
def lower_stft(node: Node, ctx: Lowering) -> None:
    """STFT (opset 17): signal (N, L, 1 or 2) or (N, L), frame_step, optional window and frame_length to (N, frames, K, 2)."""
    signal = ctx.value(node.input(0))
    window = ctx.value(node.input(2)) if node.input(2) else None
    step, length = ctx.array(node.input(1)).item(), ctx.constant(node.input(3))
    extent = signal.shape[1]
    whole = extent if window is None else window.shape[0]
    taken = whole if length is None else int(length.item())
    if not 0 < taken <= extent or step < 1 or (window is not None and window.shape != (taken,)):
        raise ValueError(f"there are no frames of {taken} in a signal of {extent}")
    parts = signal.shape[2] if signal.rank == 3 else 1
    x = kernels.frames(ctx, ctx.reshape(signal, (signal.shape[0], extent, parts)), taken, step)
    if window is not None:
        x = kernels.binary(ctx, BinaryType.MULTIPLY, x, ctx.reshape(window, (taken, 1)))
    onesided = bool(node.attribute("onesided", 1))
    ctx.define(node.output(0), _transformed(ctx, x, taken, inverse=False, onesided=onesided))


def _transformed(ctx: Lowering, x: Value, length: int, *, inverse: bool, onesided: bool) -> Value:
    """The transform of `x` (..., n, 1 or 2): n is the length, but of an inverse that is onesided the half of it that is given."""
    factor = next((f for f in range(math.isqrt(length), 1, -1) if length % f == 0), None)
    if length <= (_DIRECT if factor else _PRIME):
        return _by_matrix(ctx, x, length, inverse=inverse, onesided=onesided)
    if inverse and onesided:
        x = _completed(ctx, x, length)
    bins = length // 2 + 1 if onesided and not inverse else length
    if factor is None:
        y = _by_convolution(ctx, x, inverse=inverse)
    else:
        y = _by_factors(ctx, x, factor, bins, inverse=inverse)
    if not onesided:
        return y
    kept = [slice(bins), slice(1) if inverse else slice(None)]
    return kernels.cut(ctx, y, [*[slice(None)] * (x.rank - 2), *kept])


def _by_matrix(ctx: Lowering, x: Value, length: int, *, inverse: bool, onesided: bool) -> Value:
    *batch, extent, parts = x.shape
    unit = np.eye(extent * parts).reshape(-1, extent, parts)
    numbers = unit[..., 0] + (1j * unit[..., 1] if parts == 2 else 0)
    if inverse and onesided:
        y = np.fft.irfft(numbers, length)[..., np.newaxis]
    else:
        bins = length // 2 + 1 if onesided else length
        y = _pairs((np.fft.ifft if inverse else np.fft.fft)(numbers)[:, :bins])
    kernel = y.reshape(extent * parts, -1).astype(np.float32)
    rows = ctx.reshape(x, (*batch, extent * parts))
    key = ("DFT", length, extent, parts, inverse, onesided)
    product = kernels.fully_connected(ctx, rows, kernel, None, key, transposed=True)
    return ctx.reshape(product, (*batch, *y.shape[1:]))


def _by_factors(ctx: Lowering, x: Value, columns: int, bins: int, *, inverse: bool) -> Value:
    """The transform as two of the factors of its length, one after the other (Cooley and Tukey 1965); `bins` of it, or more."""
    *batch, length, parts = x.shape
    rows, rank = length // columns, len(batch)
    turned = [*range(rank), rank + 1, rank, rank + 2]
    x = ctx.reshape(x, (*batch, rows, columns, parts)).permuted(turned)
    x = _transformed(ctx, x, rows, inverse=inverse, onesided=False)
    angles = (2 if inverse else -2) * np.pi / length * np.outer(np.arange(columns), np.arange(rows))
    if length * columns <= _MATRICES:
        return _by_matrices(ctx, x, np.exp(1j * angles), bins, inverse=inverse)
    x = _multiplied(ctx, x, np.exp(1j * angles)).permuted(turned)
    x = _transformed(ctx, x, columns, inverse=inverse, onesided=False).permuted(turned)
    return ctx.reshape(x, (*batch, length, 2))


def _by_matrices(
    ctx: Lowering, x: Value, factors: np.ndarray, bins: int, *, inverse: bool
) -> Value:
    """The second turn: `x` (..., columns, rows, 2) times the factors, transformed along columns, by a matrix for each row."""
    *batch, columns, rows, _ = x.shape
    frames, taken = math.prod(batch), -(-bins // rows)
    transform = (np.fft.ifft if inverse else np.fft.fft)(np.eye(columns))[:, :taken]
    numbers = factors.T[:, :, np.newaxis] * transform
    matrices = np.stack([_pairs(numbers), _pairs(1j * numbers)], axis=2)
    x = ctx.reshape(x, (frames, columns, rows, 2)).permuted([2, 0, 1, 3])
    x = ctx.reshape(x, (rows, frames, columns * 2))
    y = kernels.batch_matmul(ctx, x, _constant(matrices.reshape(rows, columns * 2, taken * 2)))
    y = ctx.reshape(y, (rows, frames, taken, 2)).permuted([1, 2, 0, 3])
    return ctx.reshape(y, (*batch, taken * rows, 2))


def _by_convolution(ctx: Lowering, x: Value, *, inverse: bool) -> Value:
    """The transform of a prime length as a convolution, by transforms of a power of two (Bluestein 1970)."""
    *batch, length, _ = x.shape
    numbers = np.arange(length, dtype=np.int64) ** 2 % (2 * length)
    chirp = np.exp((1j if inverse else -1j) * np.pi / length * numbers)
    padded = 1 << (2 * length - 2).bit_length()
    ring = np.zeros(padded, complex)
    ring[:length] = chirp.conj()
    ring[-length + 1 :] = chirp[:0:-1].conj()
    around = [(0, 0)] * len(batch)
    x = kernels.pad(ctx, _multiplied(ctx, x, chirp), [*around, (0, padded - length), (0, 0)])
    x = _transformed(ctx, x, padded, inverse=False, onesided=False)
    x = _multiplied(ctx, x, np.fft.fft(ring))
    x = _transformed(ctx, x, padded, inverse=True, onesided=False)
    x = kernels.cut(ctx, x, [*[slice(None)] * len(batch), slice(length), slice(None)])
    return _multiplied(ctx, x, chirp / length if inverse else chirp)


def _completed(ctx: Lowering, x: Value, length: int) -> Value:
    """All frequencies of a real signal, from the lower half of them."""
    places = np.arange(length)
    mirrored = places > length // 2
    y = kernels.pick(ctx, x, {x.rank - 2: np.where(mirrored, length - places, places)}, 0)
    signs = np.ones((length, x.shape[-1]), np.float32)
    signs[mirrored, 1:] = -1
    return kernels.binary(ctx, BinaryType.MULTIPLY, y, Value.constant(signs))


def _multiplied(ctx: Lowering, x: Value, factors: np.ndarray) -> Value:
    """Numbers (..., 1 or 2) times complex ones."""
    if x.shape[-1] == 1:
        return kernels.binary(ctx, BinaryType.MULTIPLY, x, _constant(_pairs(factors)))
    swapped = kernels.cut(ctx, x, [*[slice(None)] * (x.rank - 1), slice(None, None, -1)])
    real, imaginary = factors.real, factors.imag
    return kernels.binary(
        ctx,
        BinaryType.ADD,
        kernels.binary(ctx, BinaryType.MULTIPLY, x, _constant(np.stack([real, real], axis=-1))),
        kernels.binary(
            ctx, BinaryType.MULTIPLY, swapped, _constant(np.stack([-imaginary, imaginary], axis=-1))
        ),
    )


def _pairs(numbers: np.ndarray) -> np.ndarray:
    return np.stack([numbers.real, numbers.imag], axis=-1)


def _constant(array: np.ndarray) -> Value:
    return Value.constant(array.astype(np.float32))
