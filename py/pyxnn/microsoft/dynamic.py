"""Products of integers that end in floats, and weights of few bits."""

from __future__ import annotations

import onnx

from pyxnn import errors
from pyxnn.body import Body
from pyxnn.microsoft.registry import operator


@operator("DynamicQuantizeMatMul", (3, 5))
def dynamic_quantize_matmul(body: Body) -> None:
    """A, floats that are quantized as they come, and B, integers with a scale, a zero point and a bias, to floats."""
    a, b, b_scale, b_zero, bias = (body.node.input(index) for index in range(5))
    quantized, a_scale, a_zero = body.add_with_outputs(3, "DynamicQuantizeLinear", a)
    result = product_of_integers(body, quantized, b, a_scale, b_scale, a_zero, b_zero, bias)
    body.give(0, result)


@operator("MatMulIntegerToFloat", (4, 7))
def matmul_integer_to_float(body: Body) -> None:
    """A and B, integers, with their scales and zero points and a bias, to floats."""
    a, b, a_scale, b_scale, a_zero, b_zero, bias = (body.node.input(index) for index in range(7))
    body.give(0, product_of_integers(body, a, b, a_scale, b_scale, a_zero, b_zero, bias))


def product_of_integers(
    body: Body, a: str, b: str, a_scale: str, b_scale: str, a_zero: str, b_zero: str, bias: str
) -> str:
    """The product of two matrices of integers, with scales, zero points ("" for 0) and a bias ("" for none) of columns, in floats."""
    product = body.add("MatMulInteger", a, b, a_zero, b_zero)
    floats = body.add("Cast", product, to=onnx.TensorProto.FLOAT)
    result = body.add("Mul", floats, body.add("Mul", a_scale, b_scale))
    return body.add("Add", result, bias) if bias else result


@operator(
    "MatMulNBits",
    (3, 6),
    required=["K", "N", "block_size"],
    K=int,
    N=int,
    accuracy_level=int,
    bits=int,
    block_size=int,
    weight_prepacked=int,
)
def matmul_nbits(body: Body) -> None:
    """A (..., K) times N columns of weights of 4 or 8 bits, packed by blocks, with a scale and a zero point for each; plus a bias."""
    node = body.node
    a, weights, scales, zeros, order, bias = (node.input(index) for index in range(6))
    bits, size = node.attribute("bits", 4), node.attributes["block_size"]
    rows, columns = node.attributes["K"], node.attributes["N"]
    blocks = -(-rows // size)
    if order or bits not in (4, 8) or node.attribute("weight_prepacked", 0):
        raise errors.NotImplemented(f"its weights are in another order or of {bits} bits ({node})")
    scales = body.reshape(scales, [columns, blocks, 1])
    dtype = body.graph.dtype(zeros) if zeros else None
    if not zeros:
        zero = body.scalar_like(scales, 1 << (bits - 1))
    elif dtype is not None and dtype.kind == "u":
        zero = body.add("CastLike", _unpacked(body, zeros, bits, columns, blocks), scales)
        zero = body.reshape(zero, [columns, blocks, 1])
    else:
        zero = body.reshape(zeros, [columns, blocks, 1])
    numbers = body.add("CastLike", _unpacked(body, weights, bits, columns, blocks * size), scales)
    numbers = body.add("Sub", body.reshape(numbers, [columns, blocks, size]), zero)
    matrix = body.reshape(body.add("Mul", numbers, scales), [columns, blocks * size])
    ends = (body.constant([0]), body.constant([rows]), body.constant([1]))
    matrix = body.add("Transpose", body.add("Slice", matrix, *ends), perm=[1, 0])
    result = body.add("MatMul", a, matrix)
    body.give(0, body.add("Add", result, bias) if bias else result)


def _unpacked(body: Body, packed: str, bits: int, columns: int, count: int) -> str:
    """[columns, count] out of bytes, each column from a new byte on."""
    packed = body.reshape(packed, [columns, -1])
    if bits == 8:
        return packed
    low = body.add("BitwiseAnd", packed, body.constant(15, "uint8"))
    high = body.add("BitShift", packed, body.constant(4, "uint8"), direction="RIGHT")
    halves = [body.add("Unsqueeze", half, body.constant([2])) for half in (low, high)]
    numbers = body.reshape(body.add("Concat", *halves, axis=2), [columns, -1])
    ends = (body.constant([0]), body.constant([count]), body.constant([1]))
    return body.add("Slice", numbers, *ends)
