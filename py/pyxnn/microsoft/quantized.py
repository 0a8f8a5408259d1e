"""Operators on integers: between DequantizeLinear and QuantizeLinear they are ONNX's own on real numbers.

Inputs come as threes: integers, their scale (a number), their zero point (optional); outputs have a scale and a zero point.
"""

from __future__ import annotations

from pyxnn import errors
from pyxnn.body import Body
from pyxnn.microsoft.attention import attend, extent_of, split
from pyxnn.microsoft.dynamic import product_of_integers
from pyxnn.microsoft.registry import operator

MOST_PARTS = 64


def dequantized(body: Body, position: int, **attributes: int) -> str:
    """The numbers of the three inputs that begin at a position."""
    three = (body.node.input(position + index) for index in range(3))
    return body.add("DequantizeLinear", *three, **attributes)


def give_quantized(body: Body, value: str, position: int) -> None:
    """Makes a value the node's output, as the scale and zero point at a position say."""
    scale, zero_point = body.node.input(position), body.node.input(position + 1)
    if zero_point:
        body.give(0, body.add("QuantizeLinear", value, scale, zero_point))
    else:
        kind = body.graph.dtype(body.node.input(0))
        if kind is None:
            raise errors.NotImplemented(f"the type of input '{body.node.input(0)}' is unknown")
        body.give(0, body.add("QuantizeLinear", value, scale, body.constant(0, kind)))


@operator("QuantizeLinear", (2, 3), axis=int)
def quantize_linear(body: Body) -> None:
    """As ONNX's."""
    body.give(0, body.add("QuantizeLinear", *body.node.inputs, **body.node.attributes))


@operator("DequantizeLinear", (2, 3), axis=int)
def dequantize_linear(body: Body) -> None:
    """As ONNX's."""
    body.give(0, body.add("DequantizeLinear", *body.node.inputs, **body.node.attributes))


@operator("QLinearAdd", (7, 8))
def qlinear_add(body: Body) -> None:
    """A and B, broadcast, to their sum."""
    give_quantized(body, body.add("Add", dequantized(body, 0), dequantized(body, 3)), 6)


@operator("QLinearMul", (7, 8))
def qlinear_mul(body: Body) -> None:
    """A and B, broadcast, to their product."""
    give_quantized(body, body.add("Mul", dequantized(body, 0), dequantized(body, 3)), 6)


@operator("QLinearSigmoid", (4, 5))
def qlinear_sigmoid(body: Body) -> None:
    """X to its Sigmoid."""
    give_quantized(body, body.add("Sigmoid", dequantized(body, 0)), 3)


@operator("QLinearLeakyRelu", (4, 5), alpha=float)
def qlinear_leaky_relu(body: Body) -> None:
    """X to its LeakyRelu."""
    y = body.add("LeakyRelu", dequantized(body, 0), **body.node.attributes)
    give_quantized(body, y, 3)


@operator("QLinearSoftmax", (5, 5), required=["opset"], axis=int, opset=int)
def qlinear_softmax(body: Body) -> None:
    """X to its Softmax along `axis`; below opset 13 over all axes from that on."""
    x, axis = dequantized(body, 0), body.node.attribute("axis", -1)
    if body.node.attributes["opset"] >= 13:
        give_quantized(body, body.add("Softmax", x, axis=axis), 3)
        return
    rows = body.add("Softmax", body.add("Flatten", x, axis=axis), axis=-1)
    give_quantized(body, body.add("Reshape", rows, body.add("Shape", x)), 3)


@operator(
    "QLinearAveragePool",
    (4, 5),
    required=["kernel_shape"],
    auto_pad=str,
    ceil_mode=int,
    channels_last=int,
    count_include_pad=int,
    kernel_shape=list[int],
    pads=list[int],
    strides=list[int],
)
def qlinear_average_pool(body: Body) -> None:
    """X (N, C, ...), or (N, ..., C) with channels_last, to means of its windows."""
    _pool(body, "AveragePool")


@operator("QLinearGlobalAveragePool", (4, 5), required=["channels_last"], channels_last=int)
def qlinear_global_average_pool(body: Body) -> None:
    """X (N, C, ...), or (N, ..., C) with channels_last, to the mean of each channel."""
    _pool(body, "GlobalAveragePool")


def _pool(body: Body, op_type: str) -> None:
    attributes = dict(body.node.attributes)
    channels_last = attributes.pop("channels_last", 0)
    x, rank = dequantized(body, 0), body.graph.rank(body.node.input(0))
    if not channels_last:
        give_quantized(body, body.add(op_type, x, **attributes), 3)
        return
    if rank is None:
        raise errors.NotImplemented(f"the rank of input '{body.node.input(0)}' is unknown")
    x = body.add("Transpose", x, perm=[0, rank - 1, *range(1, rank - 1)])
    y = body.add(op_type, x, **attributes)
    give_quantized(body, body.add("Transpose", y, perm=[0, *range(2, rank), 1]), 3)


@operator("QLinearReduceMean", (4, 5), axes=list[int], keepdims=int)
def qlinear_reduce_mean(body: Body) -> None:
    """X to its mean over `axes`, all when absent."""
    axes = body.node.attribute("axes")
    over = [body.constant(axes)] if axes else []
    keepdims = body.node.attribute("keepdims", 1)
    give_quantized(body, body.add("ReduceMean", dequantized(body, 0), *over, keepdims=keepdims), 3)


@operator("QLinearConcat", (5, 2 + 3 * MOST_PARTS), required=["axis"], axis=int)
def qlinear_concat(body: Body) -> None:
    """The scale and zero point of the result, then parts, joined along `axis`."""
    parts = [dequantized(body, position) for position in range(2, len(body.node.inputs), 3)]
    joined = body.add("Concat", *parts, axis=body.node.attributes["axis"])
    body.give(0, body.add("QuantizeLinear", joined, *body.node.inputs[:2]))


@operator("QLinearWhere", (8, 9))
def qlinear_where(body: Body) -> None:
    """X where a condition is true, else Y; broadcast."""
    x, y = dequantized(body, 1), dequantized(body, 4)
    chosen = body.add("Where", body.node.input(0), x, y)
    body.give(0, body.add("QuantizeLinear", chosen, *body.node.inputs[7:]))


@operator(
    "QLinearConvTranspose",
    (8, 9),
    auto_pad=str,
    dilations=list[int],
    group=int,
    kernel_shape=list[int],
    output_padding=list[int],
    output_shape=list[int],
    pads=list[int],
    strides=list[int],
)
def qlinear_conv_transpose(body: Body) -> None:
    """x (N, C, ...), w (C, M/group, ...) and an int32 B (M) of scale x_scale * w_scale to their ConvTranspose."""
    operands = [dequantized(body, 0), dequantized(body, 3, axis=1)]
    if body.node.input(8):
        operands.append(_bias(body, 8))
    give_quantized(body, body.add("ConvTranspose", *operands, **body.node.attributes), 6)


@operator("QGemm", (6, 9), alpha=float, transA=int, transB=int)
def qgemm(body: Body) -> None:
    """Gemm of A, B with scales by column or one, and an int32 C of scale alpha * a_scale * b_scale; without a scale of the
    result float."""
    columns = 0 if body.node.attribute("transB", 0) else 1
    operands = [dequantized(body, 0), dequantized(body, 3, axis=columns)]
    if body.node.input(6):
        operands.append(_bias(body, 6, body.node.attribute("alpha", 1.0)))
    y = body.add("Gemm", *operands, **body.node.attributes)
    if body.node.input(7):
        give_quantized(body, y, 7)
    else:
        body.give(0, y)


def _bias(body: Body, position: int, factor: float = 1.0) -> str:
    """An int32 input of as many numbers as there are channels, as real numbers."""
    scale = body.add("Mul", body.node.input(4), body.node.input(1))
    if factor != 1:
        scale = body.add("Mul", scale, body.scalar_like(scale, factor))
    return body.add("DequantizeLinear", body.node.input(position), scale, axis=-1)


@operator(
    "QAttention",
    (5, 9),
    (1, 2),
    required=["num_heads"],
    do_rotary=int,
    mask_filter_value=float,
    num_heads=int,
    past_present_share_buffer=int,
    scale=float,
    unidirectional=int,
)
def qattention(body: Body) -> None:
    """Attention of integers: input (batch, rows, width), weights with scales by column or one, a bias of real numbers, the scales of
    input and weights, a mask, their zero points, past keys and values, which are real numbers, too."""
    node = body.node
    x, weights, bias, x_scale, w_scale, mask, x_zero, w_zero, past = map(node.input, range(9))
    floats = product_of_integers(body, x, weights, x_scale, w_scale, x_zero, w_zero, bias)
    sizes = [extent_of(body, weights, 1) // 3] * 3
    attend(body, split(body, floats, sizes), sizes, mask, past, "")
