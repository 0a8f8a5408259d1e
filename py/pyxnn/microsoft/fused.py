"""What onnxruntime's optimizer makes of several nodes: activations, products, convolutions and normalizations."""

from __future__ import annotations

import numpy as np

from pyxnn import errors
from pyxnn.body import Body
from pyxnn.microsoft.registry import operator


@operator("Gelu", (1, 1))
def gelu(body: Body) -> None:
    """X to its Gelu."""
    body.give(0, body.add("Gelu", body.node.input(0)))


@operator("BiasGelu", (2, 2))
def bias_gelu(body: Body) -> None:
    """A and B, a row, to the Gelu of their sum."""
    body.give(0, body.add("Gelu", body.add("Add", *body.node.inputs)))


@operator("FastGelu", (1, 2))
def fast_gelu(body: Body) -> None:
    """X and an optional bias, a row, to the Gelu of their sum, approximated by tanh."""
    x, bias = body.node.input(0), body.node.input(1)
    total = body.add("Add", x, bias) if bias else x
    body.give(0, body.add("Gelu", total, approximate="tanh"))


@operator("QuickGelu", (1, 1), alpha=float)
def quick_gelu(body: Body) -> None:
    """X to X * sigmoid(alpha * X)."""
    body.give(0, _quick_gelu(body, body.node.input(0), body.node.attribute("alpha", 1.702)))


def _quick_gelu(body: Body, x: str, alpha: float) -> str:
    scaled = x if alpha == 1 else body.add("Mul", x, body.scalar_like(x, alpha))
    return body.add("Mul", x, body.add("Sigmoid", scaled))


@operator("TransposeMatMul", (2, 2), alpha=float, transA=int, transB=int)
@operator(
    "FusedMatMul",
    (2, 2),
    alpha=float,
    transA=int,
    transB=int,
    transBatchA=int,
    transBatchB=int,
)
def fused_matmul(body: Body) -> None:
    """alpha * A' * B'. `trans` swaps the last two axes; `transBatch` moves the first axis, the rows, behind the batch."""
    a, b = (
        _matrices(
            body,
            name,
            bool(body.node.attribute(f"trans{side}", 0)),
            bool(body.node.attribute(f"transBatch{side}", 0)),
        )
        for side, name in zip("AB", body.node.inputs, strict=True)
    )
    alpha = body.node.attribute("alpha", 1.0)
    if alpha == 1:
        body.give(0, body.add("MatMul", a, b))
    elif body.graph.constant(body.node.input(1)) is not None:
        weights = body.add("Mul", b, body.scalar_like(b, alpha))
        body.give(0, body.add("MatMul", a, weights))
    else:
        product = body.add("MatMul", a, b)
        body.give(0, body.add("Mul", product, body.scalar_like(a, alpha)))


def _matrices(body: Body, name: str, transposed: bool, rows_outside: bool) -> str:
    rank = body.graph.rank(name)
    if not transposed and not rows_outside:
        return name
    if rank is None:
        raise errors.NotImplemented(f"the rank of input '{name}' is unknown")
    if rank < 2:
        return name
    axes = list(range(rank))
    if rows_outside:
        axes = [*axes[1:-1], 0, axes[-1]]
    if transposed:
        axes[-2:] = axes[:-3:-1]
    return body.add("Transpose", name, perm=axes)


@operator(
    "FusedConv",
    (2, 4),
    activation=str,
    activation_params=list[float],
    auto_pad=str,
    dilations=list[int],
    group=int,
    kernel_shape=list[int],
    pads=list[int],
    strides=list[int],
)
def fused_conv(body: Body) -> None:
    """Conv of X, W and an optional B, plus an optional Z of the result's shape, under an activation."""
    attributes = dict(body.node.attributes)
    activation = attributes.pop("activation", "")
    numbers = attributes.pop("activation_params", [])
    y = body.add("Conv", *body.node.inputs[:3], **attributes)
    if body.node.input(3):
        y = body.add("Add", y, body.node.input(3))
    body.give(0, _activated(body, y, activation, numbers))


@operator(
    "FusedGemm",
    (2, 3),
    activation=str,
    activation_alpha=float,
    activation_beta=float,
    activation_gamma=float,
    alpha=float,
    beta=float,
    transA=int,
    transB=int,
)
def fused_gemm(body: Body) -> None:
    """Gemm under an activation."""
    attributes = dict(body.node.attributes)
    activation = attributes.pop("activation", "")
    numbers = [
        attributes.pop(name)
        for name in ("activation_alpha", "activation_beta", "activation_gamma")
        if name in attributes
    ]
    y = body.add("Gemm", *body.node.inputs, **attributes)
    body.give(0, _activated(body, y, activation, numbers))


_NUMBERS: dict[str, tuple[str, ...]] = {
    "Elu": ("alpha",),
    "HardSigmoid": ("alpha", "beta"),
    "LeakyRelu": ("alpha",),
    "Relu": (),
    "Selu": ("alpha", "gamma"),
    "Sigmoid": (),
    "Softplus": (),
    "Softsign": (),
    "Tanh": (),
    "ThresholdedRelu": ("alpha",),
}
"""The attributes of activations, in the sequence of their numbers."""


def _activated(body: Body, x: str, activation: str, numbers: list[float]) -> str:
    if not activation:
        return x
    if activation == "Clip":
        low, high = (body.scalar_like(x, number) for number in numbers)
        return body.add("Clip", x, low, high)
    if activation == "HardSwish":
        return body.add("HardSwish", x)
    if activation == "QuickGelu":
        return _quick_gelu(body, x, numbers[0] if numbers else 1.702)
    if activation not in _NUMBERS:
        raise errors.NotImplemented(f"the activation {activation} is unknown")
    names = _NUMBERS[activation][: len(numbers)]
    return body.add(activation, x, **dict(zip(names, numbers, strict=False)))


@operator("SkipLayerNormalization", (3, 5), (1, 4), epsilon=float)
def skip_layer_normalization(body: Body) -> None:
    """Input, skip, gamma and optional beta and bias to LayerNormalization(input + skip + bias), and that sum as output 3."""
    x, skip, gamma, beta, bias = (body.node.input(index) for index in range(5))
    total = _sum(body, x, skip, bias)
    epsilon = body.node.attribute("epsilon", 1e-12)
    body.give(0, body.add("LayerNormalization", total, gamma, beta, axis=-1, epsilon=epsilon))


@operator("SkipSimplifiedLayerNormalization", (3, 4), (1, 4), epsilon=float)
def skip_simplified_layer_normalization(body: Body) -> None:
    """Input, skip, gamma and an optional bias to RMSNormalization(input + skip + bias), and that sum as output 3."""
    x, skip, gamma, bias = (body.node.input(index) for index in range(4))
    total = _sum(body, x, skip, bias)
    epsilon = body.node.attribute("epsilon", 1e-12)
    body.give(0, body.add("RMSNormalization", total, gamma, axis=-1, epsilon=epsilon))


def _sum(body: Body, x: str, skip: str, bias: str) -> str:
    """What is normalized, which is output 3; the statistics, outputs 1 and 2, are for training."""
    if body.node.output(1) or body.node.output(2):
        raise errors.NotImplemented("its statistics are used")
    if bias:
        x = body.add("Add", x, bias)
    total = body.add("Add", x, skip)
    body.give(3, total)
    return body.node.output(3) or total


@operator(
    "SimplifiedLayerNormalization",
    (2, 2),
    (1, 2),
    domain="",
    axis=int,
    epsilon=float,
    stash_type=int,
)
def simplified_layer_normalization(body: Body) -> None:
    """RMSNormalization, as onnxruntime had it in ONNX's domain before there was one."""
    if body.node.output(1):
        raise errors.NotImplemented("its statistics are used")
    body.give(0, body.add("RMSNormalization", *body.node.inputs, **body.node.attributes))


@operator(
    "LayerNormalization",
    (2, 3),
    (1, 3),
    domain="",
    before=17,
    axis=int,
    epsilon=float,
    stash_type=int,
)
def layer_normalization(body: Body) -> None:
    """LayerNormalization, as onnxruntime had it in ONNX's domain before ONNX, and its optimizer puts it into models of older
    opsets."""
    node = body.node
    results = body.add_with_outputs(
        len(node.outputs), "LayerNormalization", *node.inputs, **node.attributes
    )
    for index, result in enumerate(results):
        body.give(index, result)


def positions(body: Body, extent: str) -> str:
    """0, 1, ... below an extent, int64."""
    count = body.add("Squeeze", extent)
    return body.add("Range", body.constant(0), count, body.constant(1))


@operator("EmbedLayerNormalization", (7, 9), (1, 3), epsilon=float, mask_index_type=int)
def embed_layer_normalization(body: Body) -> None:
    """Token ids, optional segment ids (batch, sequence), and their tables and that of positions, to the sum's
    LayerNormalization (batch, sequence, width); the number of tokens that an optional mask leaves; the sum."""
    node = body.node
    ids, segments, words, places, kinds, gamma, beta, mask, position_ids = (
        node.input(index) for index in range(9)
    )
    total = body.add("Gather", words, ids)
    total = body.add(
        "Add",
        total,
        body.add("Gather", places, position_ids or positions(body, body.extent(ids, 1))),
    )
    if segments:
        total = body.add("Add", total, body.add("Gather", kinds, segments))
    body.give(2, total)
    total = node.output(2) or total
    epsilon = node.attribute("epsilon", 1e-12)
    body.give(0, body.add("LayerNormalization", total, gamma, beta, axis=-1, epsilon=epsilon))
    if node.output(1) and mask:
        body.give(1, body.add("ReduceSum", mask, body.constant([1]), keepdims=0))
    elif node.output(1):
        shape = body.extent(ids, 0)
        body.give(1, body.add("ConstantOfShape", shape, value=np.zeros(1, np.int32)))
