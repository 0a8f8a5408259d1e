"""NumPy kernels for what models do on the side: shapes, indices, masks and plain arithmetic.

They spare a model that needs no more the import of onnx.reference (0.6 s in Pyodide), and run
several times as fast as its kernels. All take the node and its inputs, None where absent, and give
the one output.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from pyxnn.cpu.conv_transpose import conv_transpose
from pyxnn.cpu.images import image_decoder
from pyxnn.cpu.max_pool import max_pool
from pyxnn.cpu.non_max_suppression import non_max_suppression
from pyxnn.graph import Graph, Node
from pyxnn.tensor_types import dtype_of

Function = Callable[..., np.ndarray]


def find(node: Node) -> Function | None:
    """The kernel for a node in the form that its opset version gives it, or None."""
    if node.domain:
        return None
    if node.op_type == "Cast":
        return _cast if node.since >= 6 and node.attributes["to"] in _CASTS else None
    if len(node.outputs) > 1:
        return None
    since, function = _KERNELS.get(node.op_type, (0, None))
    return function if node.since >= since else None


def is_cheap(node: Node, graph: Graph) -> bool:
    """Whether a node takes a kernel of this module a few microseconds, as it is known to have small tensors only."""
    if find(node) is None or node.op_type in _COSTLY:
        return False
    shapes = [graph.type(name).static_shape for name in (*node.uses(), *node.defines())]
    return all(shape is not None and math.prod(shape) <= _SMALL for shape in shapes)


_COSTLY = {"ConvTranspose", "ImageDecoder", "NonMaxSuppression"}
_SMALL = 4096
"""So many elements NumPy goes through about as fast as it is called."""


def _plain(function: Callable[..., Any]) -> Function:
    """A kernel out of a NumPy function of all inputs."""
    return lambda node, *inputs: np.asarray(function(*inputs))


def _fold(function: Callable[..., Any]) -> Function:
    """A kernel for any number of inputs out of a NumPy function of two."""

    def kernel(node: Node, first: np.ndarray, *others: np.ndarray) -> np.ndarray:
        for other in others:
            first = function(first, other)
        return np.asarray(first)

    return kernel


def _shape(node: Node, x: np.ndarray) -> np.ndarray:
    return np.array(x.shape[slice(node.attribute("start", 0), node.attribute("end"))], np.int64)


def _size(node: Node, x: np.ndarray) -> np.ndarray:
    return np.array(x.size, np.int64)


def _gather(node: Node, x: np.ndarray, indices: np.ndarray) -> np.ndarray:
    return np.asarray(np.take(x, indices, node.attribute("axis", 0)))


def _concat(node: Node, *inputs: np.ndarray) -> np.ndarray:
    return np.concatenate(inputs, node.attributes["axis"])


def _slice(
    node: Node,
    x: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
    axes: np.ndarray | None = None,
    steps: np.ndarray | None = None,
) -> np.ndarray:
    selection = [slice(None)] * x.ndim
    for index, (start, end) in enumerate(zip(starts.tolist(), ends.tolist(), strict=True)):
        axis = index if axes is None else int(axes[index])
        selection[axis] = slice(start, end, 1 if steps is None else int(steps[index]))
    return x[tuple(selection)]


def _squeeze(node: Node, x: np.ndarray, axes: np.ndarray | None = None) -> np.ndarray:
    return np.squeeze(x, None if axes is None else tuple(axes.tolist()))


def _unsqueeze(node: Node, x: np.ndarray, axes: np.ndarray) -> np.ndarray:
    return np.expand_dims(x, tuple(axes.ravel().tolist()))


def _reshape(node: Node, x: np.ndarray, shape: np.ndarray) -> np.ndarray:
    extents = shape.tolist()
    if not node.attribute("allowzero", 0):
        extents = [x.shape[axis] if extent == 0 else extent for axis, extent in enumerate(extents)]
    return x.reshape(extents)


def _flatten(node: Node, x: np.ndarray) -> np.ndarray:
    axis = node.attribute("axis", 1)
    rows = int(np.prod(x.shape[: axis if axis >= 0 else axis + x.ndim], dtype=np.int64))
    return x.reshape(rows, x.size // rows if rows else int(np.prod(x.shape[axis:], dtype=np.int64)))


def _transpose(node: Node, x: np.ndarray) -> np.ndarray:
    return np.transpose(x, node.attribute("perm"))


def _cast(node: Node, x: np.ndarray) -> np.ndarray:
    return x.astype(dtype_of(node.attributes["to"]))


def _expand(node: Node, x: np.ndarray, shape: np.ndarray) -> np.ndarray:
    return np.broadcast_to(x, np.broadcast_shapes(x.shape, tuple(shape.tolist())))


def _tile(node: Node, x: np.ndarray, repeats: np.ndarray) -> np.ndarray:
    return np.tile(x, repeats.tolist())


def _optional(node: Node, *inputs: Any) -> Any:
    """onnx.reference wraps sequences once too often; it has an optional tensor as a list of one."""
    if not inputs:
        return None
    (value,) = inputs
    return value if isinstance(value, list) else [value]


def _constant_of_shape(node: Node, shape: np.ndarray) -> np.ndarray:
    value: np.ndarray = node.attribute("value", np.zeros(1, np.float32))
    return np.full(tuple(shape.tolist()), value.item(), value.dtype)


def _range(node: Node, start: np.ndarray, limit: np.ndarray, delta: np.ndarray) -> np.ndarray:
    count = max(int(np.ceil((limit.item() - start.item()) / delta.item())), 0)
    return np.asarray(start + np.arange(count, dtype=start.dtype) * delta)


def _divide(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """ONNX's division: of integers, rounded toward zero."""
    if x.dtype.kind not in "iu":
        return np.asarray(np.divide(x, y))
    quotient = x // y
    return np.asarray(quotient + ((quotient < 0) & (quotient * y != x)), x.dtype)


def _clip(
    node: Node, x: np.ndarray, low: np.ndarray | None = None, high: np.ndarray | None = None
) -> np.ndarray:
    if low is not None:
        x = np.maximum(x, low)
    return np.asarray(x if high is None else np.minimum(x, high))


def _sigmoid(node: Node, x: np.ndarray) -> np.ndarray:
    small = np.exp(-np.abs(x))
    return np.asarray(np.where(x < 0, small, 1) / (1 + small), x.dtype)


def _hard_sigmoid(node: Node, x: np.ndarray) -> np.ndarray:
    alpha, beta = (
        x.dtype.type(node.attribute(name, default))
        for name, default in (("alpha", 0.2), ("beta", 0.5))
    )
    return np.asarray(np.clip(alpha * x + beta, 0, 1), x.dtype)


def _hard_swish(node: Node, x: np.ndarray) -> np.ndarray:
    sixth, half = x.dtype.type(1 / 6), x.dtype.type(0.5)
    return np.asarray(x * np.clip(sixth * x + half, 0, 1), x.dtype)


def _leaky_relu(node: Node, x: np.ndarray) -> np.ndarray:
    alpha = x.dtype.type(node.attribute("alpha", 0.01))
    return np.asarray(np.where(x < 0, alpha * x, x), x.dtype)


_CASTS = (1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13)
"""TensorProto.DataType of the numbers that NumPy has itself."""

_KERNELS: dict[str, tuple[int, Function]] = {
    "Shape": (1, _shape),
    "Size": (1, _size),
    "Gather": (1, _gather),
    "Concat": (4, _concat),
    "Slice": (10, _slice),
    "Squeeze": (13, _squeeze),
    "Unsqueeze": (13, _unsqueeze),
    "Reshape": (5, _reshape),
    "Flatten": (1, _flatten),
    "Transpose": (1, _transpose),
    "Expand": (8, _expand),
    "Tile": (6, _tile),
    "ConstantOfShape": (9, _constant_of_shape),
    "Range": (11, _range),
    "Identity": (1, lambda node, x: x),
    "Add": (7, _plain(np.add)),
    "Sub": (7, _plain(np.subtract)),
    "Mul": (7, _plain(np.multiply)),
    "Div": (7, _plain(_divide)),
    "Neg": (6, _plain(np.negative)),
    "Abs": (6, _plain(np.abs)),
    "Floor": (6, _plain(np.floor)),
    "Ceil": (6, _plain(np.ceil)),
    "Sqrt": (6, _plain(np.sqrt)),
    "Exp": (6, _plain(np.exp)),
    "Tanh": (6, _plain(np.tanh)),
    "Relu": (6, lambda node, x: np.maximum(x, x.dtype.type(0))),
    "Clip": (11, _clip),
    "Sigmoid": (6, _sigmoid),
    "HardSigmoid": (6, _hard_sigmoid),
    "HardSwish": (14, _hard_swish),
    "LeakyRelu": (6, _leaky_relu),
    "Min": (8, _fold(np.minimum)),
    "Max": (8, _fold(np.maximum)),
    "Sum": (8, _fold(np.add)),
    "Equal": (7, _plain(np.equal)),
    "Less": (7, _plain(np.less)),
    "Greater": (7, _plain(np.greater)),
    "And": (7, _plain(np.logical_and)),
    "Or": (7, _plain(np.logical_or)),
    "Not": (1, _plain(np.logical_not)),
    "ConvTranspose": (1, conv_transpose),
    "ImageDecoder": (20, image_decoder),
    "Optional": (15, _optional),
    "MaxPool": (1, max_pool),
    "NonMaxSuppression": (10, non_max_suppression),
    "Where": (9, _plain(np.where)),
}
"""By operator: the opset from which on its inputs and attributes are as the kernel takes them."""
