"""What transformers are made of, node by node as PyTorch's exporters write it."""

from __future__ import annotations

import math

import numpy as np

from tests.models.builder import Builder


class Transformer:
    """Adds layers to a builder's graph.

    With `primitives`, a layer normalization is its nine nodes, as exported below opset 17.
    """

    def __init__(
        self, builder: Builder, *, epsilon: float = 1e-5, primitives: bool = False
    ) -> None:
        self.builder = builder
        self.epsilon = epsilon
        self.primitives = primitives

    def linear(self, x: str, inputs: int, outputs: int, name: str, *, bias: bool = True) -> str:
        """A fully-connected layer over the last axis."""
        b = self.builder
        w = b.constant(f"{name}.weight", b.normal((inputs, outputs), 1 / math.sqrt(inputs)))
        y = b.node("MatMul", x, w, name=f"{name}/MatMul")
        if not bias:
            return y
        return b.node("Add", b.constant(f"{name}.bias", b.normal((outputs,), 0.02)), y)

    def norm(self, x: str, width: int, name: str) -> str:
        """A layer normalization over the last axis."""
        b = self.builder
        scale = b.constant(f"{name}.weight", b.uniform(width, 0.8, 1.2))
        shift = b.constant(f"{name}.bias", b.normal((width,), 0.1))
        if not self.primitives:
            return b.node(
                "LayerNormalization", x, scale, shift, name=name, axis=-1, epsilon=self.epsilon
            )
        centred = b.node("Sub", x, b.node("ReduceMean", x, axes=[-1]))
        square = b.node("Pow", centred, b.scalar(2))
        variance = b.node("ReduceMean", square, axes=[-1])
        deviation = b.node("Sqrt", b.node("Add", variance, b.scalar(self.epsilon)))
        y = b.node("Div", centred, deviation)
        return b.node("Add", b.node("Mul", y, scale), shift)

    def gelu(self, x: str) -> str:
        b = self.builder
        y = b.node("Erf", b.node("Div", x, b.scalar(math.sqrt(2))))
        y = b.node("Mul", x, b.node("Add", y, b.scalar(1)))
        return b.node("Mul", y, b.scalar(0.5))

    def tanh_gelu(self, x: str) -> str:
        """As GPT-2 has it."""
        b = self.builder
        cube = b.node("Mul", b.node("Pow", x, b.scalar(3)), b.scalar(0.044715))
        y = b.node("Mul", b.node("Add", x, cube), b.scalar(math.sqrt(2 / math.pi)))
        y = b.node("Add", b.node("Tanh", y), b.scalar(1))
        return b.node("Mul", b.node("Mul", x, b.scalar(0.5)), y)

    def extent(self, x: str, axis: int) -> str:
        """A number of a value's shape, as a vector of one."""
        b = self.builder
        extent = b.node("Gather", b.node("Shape", x), b.integer(axis), axis=0)
        return b.node("Unsqueeze", extent, b.ints(0))

    def split_heads(self, x: str, heads: int, head: int, order: tuple[int, ...]) -> str:
        """(batch, tokens, width) as one matrix per head, tokens and batch from the value's own shape."""
        b = self.builder
        shape = b.node(
            "Concat", self.extent(x, 0), self.extent(x, 1), b.ints(heads), b.ints(head), axis=0
        )
        return b.node("Transpose", b.node("Reshape", x, shape), perm=order)

    def join_heads(self, x: str, width: int) -> str:
        """The way back."""
        b = self.builder
        y = b.node("Transpose", x, perm=[0, 2, 1, 3])
        shape = b.node("Concat", self.extent(y, 0), self.extent(y, 1), b.ints(width), axis=0)
        return b.node("Reshape", y, shape)

    def embedding(self, ids: str, count: int, width: int, name: str) -> str:
        """The rows of a table that `ids` name."""
        b = self.builder
        table = b.constant(f"{name}.weight", b.normal((count, width), 1.0))
        return b.node("Gather", table, ids, name=name)


def lowest() -> float:
    """What masks add to forbidden scores."""
    return float(np.finfo(np.float32).min)
