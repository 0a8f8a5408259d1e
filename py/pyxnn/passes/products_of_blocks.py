"""Makes one MatMulNBits (com.microsoft) of a product and the DequantizeLinear of its weights, which so stay packed.

    * MatMul(x, DequantizeLinear(w, scales, zeros)) and Gemm(x, DequantizeLinear(w, scales, zeros), c), where w are constants of 4
      or 8 bits with a scale for each block of a column, or of 4 bits with a scale for each column and an x that is not
      dequantized.
Must not fire where others use the weights, when blocks aren't whole or aren't multiples of 16, when the Gemm scales or transposes
x, nor when its C isn't a constant row.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pyxnn import microsoft
from pyxnn.graph import Graph, Node
from pyxnn.passes.rewrite import each_node, made_by, swallow

_BITS = {"int4": 4, "uint4": 4, "int8": 8, "uint8": 8}


def run(graph: Graph) -> bool:
    return each_node(graph, _to_few_bits)


def _to_few_bits(node: Node, graph: Graph) -> Sequence[Node] | None:
    if not node.is_op("MatMul", "Gemm"):
        return None
    maker = made_by(graph, node.input(1), "DequantizeLinear")
    if maker is None:
        return None
    numbers, scales, zeros = (graph.constant(maker.input(index)) for index in range(3))
    if numbers is None or numbers.ndim != 2 or scales is None or (maker.input(2) and zeros is None):
        return None
    bits, dtype = _BITS.get(numbers.dtype.name), scales.dtype
    transposed = bool(node.attribute("transB", 0))
    if bits is None or dtype.kind != "f" or graph.dtype(node.input(0)) != dtype:
        return None
    inner, columns = numbers.shape[::-1] if transposed else numbers.shape
    size, along = maker.attribute("block_size", 0), transposed
    is_real = made_by(graph, node.input(0), "DequantizeLinear") is None
    if not size and bits == 4 and scales.shape == (columns,) and is_real:
        size, along = inner, not transposed
        scales = scales.reshape((columns, 1) if transposed else (1, columns))
    if (
        not size
        or size % 16
        or inner % size
        or maker.attribute("axis", 1) % 2 != along
        or not _is_plain(node, graph, columns)
        or not swallow(graph, {maker, node}, node)
    ):
        return None

    def packed(array: np.ndarray) -> np.ndarray:
        middle = 0 if numbers.dtype.name.startswith("u") else 1 << (bits - 1)
        shifted = (array.astype(np.int16) + middle).astype(np.uint8)
        by_column = shifted if transposed else shifted.T
        if bits == 8:
            return np.ascontiguousarray(by_column)
        even = np.pad(by_column, ((0, 0), (0, by_column.shape[1] % 2)))
        return even[:, ::2] | even[:, 1::2] << 4

    hint = maker.input(0)
    if zeros is None:
        zeros = np.zeros(scales.shape, numbers.dtype)
    constants = {
        "packed": packed(numbers).reshape(columns, inner // size, size * bits // 8),
        "scales": (scales if transposed else scales.T).reshape(-1),
        "zeros": packed(zeros.reshape(scales.shape)).reshape(-1),
    }
    names = [graph.add_constant(array, f"{hint}_{part}") for part, array in constants.items()]
    attributes = {"K": inner, "N": columns, "bits": bits, "block_size": size}
    return [
        Node(
            "MatMulNBits",
            [node.input(0), *names, *(["", node.input(2)] if node.input(2) else [])],
            list(node.outputs),
            attributes,
            domain=microsoft.DOMAIN,
            name=node.name,
            since=1,
        )
    ]


def _is_plain(node: Node, graph: Graph, columns: int) -> bool:
    """Whether a product has no factors, nothing else to add than a row, and its first input as it is."""
    row = graph.constant(node.input(2))
    return (
        not node.attribute("transA", 0)
        and node.attribute("alpha", 1.0) == 1
        and node.attribute("beta", 1.0) == 1
        and (not node.input(2) or (row is not None and row.shape in ((columns,), (1, columns))))
    )
