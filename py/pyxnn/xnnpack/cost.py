"""What steps compute and move, for profiles."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from pyxnn.engine import Kind
from pyxnn.xnnpack.layout import Shape
from pyxnn.xnnpack.steps import Label, Step


class Task(NamedTuple):
    """A step without its tensors.

    Attributes:
        label: what it stems from.
        kernel: its kind in the engine, such as "depthwise".
        shape: of its result.
        flops: two for every multiply-add of a product; all else counts nothing, as in the papers.
        bytes: of all that goes in and comes out, weights included, once.
    """

    label: Label
    kernel: str
    shape: Shape
    flops: int
    bytes: int

    @staticmethod
    def of(step: Step) -> Task:
        """What a step computes and moves; multiply-adds are counted of the kinds that have them."""
        multiply_adds = _MULTIPLY_ADDS.get(step.kind)
        arrays = (*set(step.inputs), step.output, step.kernel, step.bias)
        return Task(
            step.label,
            step.kind.name.lower(),
            step.output.shape,
            2 * multiply_adds(step) if multiply_adds else 0,
            sum([array.nbytes for array in arrays if array is not None]),
        )


def _convolution(step: Step) -> int:
    (kernel_height, kernel_width), group_in_channels = step.params[:2], step.params[7]
    return step.output.size * int(kernel_height * kernel_width * group_in_channels)


def _depthwise(step: Step) -> int:
    kernel_height, kernel_width = step.params[:2]
    return step.output.size * int(kernel_height * kernel_width)


def _deconvolution(step: Step) -> int:
    (kernel_height, kernel_width), group_out_channels = step.params[:2], step.params[8]
    return step.inputs[0].size * int(kernel_height * kernel_width * group_out_channels)


def _fully_connected(step: Step) -> int:
    in_channels = step.params[0]
    return step.output.size * int(in_channels)


def _batch_matmul(step: Step) -> int:
    *_, inner, _ = step.dims
    return step.output.size * inner


def _batch_matmul_qs8(step: Step) -> int:
    inner = step.dims[3]
    return step.output.size * inner


def _attention(step: Step) -> int:
    """Those of all queries with all keys, seen or not."""
    batch, heads, _, queries, keys, head_size, value_size = step.dims[:7]
    return batch * heads * queries * keys * (head_size + value_size)


def _linear_attention(step: Step) -> int:
    batch, steps, heads, group, key_size, value_size, _, betas = step.dims
    return batch * steps * heads * key_size * value_size * (1 + group + bool(betas))


def _recurrent(step: Step) -> int:
    hidden = step.params[1]
    return step.inputs[0].size * int(hidden)


def _convolution_nd(step: Step) -> int:
    taps, _, group_in_channels, *_ = step.params
    return step.output.size * int(taps * group_in_channels)


def _matmul_nbits(step: Step) -> int:
    in_channels = step.params[2]
    return step.output.size * int(in_channels)


_MULTIPLY_ADDS: dict[Kind, Callable[[Step], int]] = {
    Kind.ATTENTION: _attention,
    Kind.BATCH_MATMUL: _batch_matmul,
    Kind.BATCH_MATMUL_QS8: _batch_matmul_qs8,
    Kind.CONVOLUTION: _convolution,
    Kind.CONVOLUTION_COMPUTED: _convolution_nd,
    Kind.CONVOLUTION_INTEGER: _convolution_nd,
    Kind.CONVOLUTION_INTEGER_COMPUTED: _convolution_nd,
    Kind.CONVOLUTION_ND: _convolution_nd,
    Kind.CONVOLUTION_QS8: _convolution,
    Kind.DECONVOLUTION: _deconvolution,
    Kind.DEPTHWISE: _depthwise,
    Kind.DEPTHWISE_QS8: _depthwise,
    Kind.FULLY_CONNECTED: _fully_connected,
    Kind.FULLY_CONNECTED_QS8: _fully_connected,
    Kind.LINEAR_ATTENTION: _linear_attention,
    Kind.MATMUL_NBITS: _matmul_nbits,
    Kind.RECURRENT: _recurrent,
    Kind.SMALL_MATMUL: _batch_matmul,
    Kind.WINOGRAD: _convolution,
    Kind.WINOGRAD_QS8: _convolution,
}
