"""Products of integers that end in floats, weights and tables of few bits."""

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
    "DynamicQuantizeLSTM",
    (12, 12),
    (0, 3),
    activation_alpha=list[float],
    activation_beta=list[float],
    activations=list[str],
    clip=float,
    direction=str,
    hidden_size=int,
    input_forget=int,
)
def dynamic_quantize_lstm(body: Body) -> None:
    """LSTM with weights of integers, [directions, inputs, 4 * hidden], that have scales and zero points by direction or by column.

    They become floats; onnxruntime rounds what they are multiplied with to 8 bits instead.
    """
    node = body.node
    x, w, r, *others = (node.input(index) for index in range(8))
    scales = [node.input(index) for index in (8, 10)]
    zeros = [node.input(index) for index in (9, 11)]
    weights = [_by_direction(body, *each) for each in zip((w, r), scales, zeros, strict=True)]
    results = body.add_with_outputs(3, "LSTM", x, *weights, *others, **node.attributes)
    for index, name in enumerate(results):
        body.give(index, name)


def _by_direction(body: Body, integers: str, scale: str, zero: str) -> str:
    """Weights as LSTM has them, [directions, columns, inputs], as floats."""
    shape: list[int | str] = [body.extent(integers, 0), 1, -1]
    factors, points = (body.reshape(name, shape) for name in (scale, zero))
    floats = (body.add("Cast", name, to=onnx.TensorProto.FLOAT) for name in (integers, points))
    centered = body.add("Sub", *floats)
    return body.add("Transpose", body.add("Mul", centered, factors), perm=[0, 2, 1])


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


@operator(
    "GatherBlockQuantized",
    (3, 4),
    bits=int,
    block_size=int,
    gather_axis=int,
    quantize_axis=int,
)
def gather_block_quantized(body: Body) -> None:
    """Elements of data (integers of 4 or 8 bits; bytes hold two of 4 bits along the last axis) at indices along an axis, with
    scales and zero points by blocks of another axis, to real numbers."""
    node, graph = body.node, body.graph
    data, indices, scales, zeros = (node.input(index) for index in range(4))
    rank, dtype, indices_rank = graph.rank(data), graph.dtype(data), graph.rank(indices)
    if rank is None or dtype is None or indices_rank is None:
        raise errors.NotImplemented(f"the type or rank of an input is unknown ({node})")
    bits = node.attribute("bits", 4)
    at, along = node.attribute("gather_axis", 0) % rank, node.attribute("quantize_axis", 1) % rank
    if at == along or (dtype.name == "uint8" and (bits not in (4, 8) or along != rank - 1)):
        raise errors.NotImplemented(f"its blocks lie along axis {along}, of {bits} bits ({node})")

    def gathered(name: str) -> str:
        if dtype.name in ("int4", "uint4") and name != scales:
            type = onnx.TensorProto.INT8 if dtype.name == "int4" else onnx.TensorProto.UINT8
            name = body.add("Cast", name, to=type)
        return body.add("Gather", name, indices, axis=at)

    numbers, factors = gathered(data), gathered(scales)
    points = gathered(zeros) if zeros else ""
    if dtype.name == "uint8" and bits == 4:
        numbers = _halves(body, numbers, rank + indices_rank - 1)
        if points:
            count = body.extent(scales, -1)
            points = _halves(body, points, rank + indices_rank - 1)
            points = body.add("Slice", points, body.constant([0]), count, body.constant([-1]))
    if dtype.name == "uint8" and not points:
        middle = body.constant(1 << (bits - 1), "uint8")
        points = body.add("Expand", middle, body.add("Shape", factors))
    axis = along + indices_rank - 1 if along > at else along
    size = node.attribute("block_size", 128)
    result = body.add("DequantizeLinear", numbers, factors, points, axis=axis, block_size=size)
    body.give(0, result)


def _halves(body: Body, packed: str, rank: int) -> str:
    """The halves of bytes along the last axis, the lower one first."""
    low = body.add("BitwiseAnd", packed, body.constant(15, "uint8"))
    high = body.add("BitShift", packed, body.constant(4, "uint8"), direction="RIGHT")
    halves = [body.add("Unsqueeze", half, body.constant([rank])) for half in (low, high)]
    return body.reshape(body.add("Concat", *halves, axis=rank), [0] * (rank - 1) + [-1])


def _unpacked(body: Body, packed: str, bits: int, columns: int, count: int) -> str:
    """[columns, count] out of bytes, each column from a new byte on."""
    packed = body.reshape(packed, [columns, -1])
    if bits == 8:
        return packed
    ends = (body.constant([0]), body.constant([count]), body.constant([1]))
    return body.add("Slice", _halves(body, packed, 2), *ends)
