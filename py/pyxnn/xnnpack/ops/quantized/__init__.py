"""Operators that run on integers, between DequantizeLinear and QuantizeLinear; a family a module, as in `ops`.

Activations are int8 of one scale and one zero point, weights int8 with a scale for each output channel or one for all: `passes`
has made int8 of uint8. What no lowering here takes runs on floats.
"""

from pyxnn.xnnpack.ops.quantized import (
    convolution,
    deconvolution,
    elementwise,
    matmul,
    normalization,
    pooling,
    reduction,
    resize,
    softmax,
)

__all__ = [
    "convolution",
    "deconvolution",
    "elementwise",
    "matmul",
    "normalization",
    "pooling",
    "reduction",
    "resize",
    "softmax",
]
