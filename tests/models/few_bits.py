"""Float models with the weights of their products in blocks of 4 or 8 bits: MatMulNBits, as onnxruntime's tools for language models
write it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

DOMAIN, BLOCK = "com.microsoft", 32


def few_bits(
    make: Callable[..., onnx.ModelProto], bits: int = 4, level: int = 0
) -> Callable[..., onnx.ModelProto]:
    """What makes the model with weights of so many bits; at accuracy level 4 what they multiply may be rounded to 8."""

    def make_few_bits(**arguments: Any) -> onnx.ModelProto:
        model = make(**arguments)
        constants = {tensor.name: tensor for tensor in model.graph.initializer}
        for index, node in enumerate(model.graph.node):
            if node.op_type in ("MatMul", "Gemm") and node.input[1] in constants:
                weights = constants[node.input[1]]
                new, arrays = _quantized(node, numpy_helper.to_array(weights), bits, level)
                model.graph.node[index].CopyFrom(new)
                model.graph.initializer.remove(weights)
                model.graph.initializer.extend(arrays)
        model.opset_import.append(helper.make_opsetid(DOMAIN, 1))
        return model

    return make_few_bits


def _quantized(
    node: onnx.NodeProto, weights: NDArray[np.float32], bits: int, level: int
) -> tuple[onnx.NodeProto, list[onnx.TensorProto]]:
    """A product with weights (K, N), where K is a multiple of a block, as MatMulNBits, and what that takes."""
    rows, columns = weights.shape
    most = 2**bits - 1
    blocks = weights.T.reshape(columns, rows // BLOCK, BLOCK)
    low, high = np.minimum(blocks.min(-1), 0), np.maximum(blocks.max(-1), 0)
    scales = ((high - low) / most).astype(np.float32)
    zeros = np.clip(np.rint(-low / scales), 0, most)
    numbers = np.clip(np.rint(blocks / scales[..., None]) + zeros[..., None], 0, most)
    arrays = {
        "weights": _packed(numbers, bits),
        "scales": scales.reshape(-1),
        "zeros": _packed(zeros, bits).reshape(-1),
    }
    names = [f"{node.input[1]}.{part}" for part in arrays]
    inputs = [node.input[0], *names, *(["", node.input[2]] if len(node.input) > 2 else [])]
    new = helper.make_node(
        "MatMulNBits",
        inputs,
        list(node.output),
        node.name,
        domain=DOMAIN,
        K=rows,
        N=columns,
        bits=bits,
        block_size=BLOCK,
        accuracy_level=level,
    )
    made = zip(arrays.values(), names, strict=True)
    return new, [numpy_helper.from_array(array, name) for array, name in made]


def _packed(numbers: NDArray[Any], bits: int) -> NDArray[np.uint8]:
    """Two numbers of 4 bits a byte, the first in the lower half; rows are filled up."""
    if bits == 4:
        even = np.pad(numbers, [(0, 0)] * (numbers.ndim - 1) + [(0, numbers.shape[-1] % 2)])
        numbers = even[..., ::2] + 16 * even[..., 1::2]
    return numbers.astype(np.uint8)
