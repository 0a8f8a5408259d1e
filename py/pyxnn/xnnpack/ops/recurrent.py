"""RNN, LSTM and GRU."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from pyxnn.engine import ActivationType, BinaryType, CellType, DirectionType
from pyxnn.graph import Graph, Node
from pyxnn.xnnpack import kernels
from pyxnn.xnnpack.layout import Shape
from pyxnn.xnnpack.lowering import Lowering
from pyxnn.xnnpack.ops import conditions
from pyxnn.xnnpack.registry import register
from pyxnn.xnnpack.values import Value

_X, _W, _R, _B, _LENGTHS, _INITIAL_H, _INITIAL_C, _PEEPHOLES = range(8)


class _Cell(NamedTuple):
    """What distinguishes an operator: how many gates, and the activations that it has by default."""

    gates: int
    activations: tuple[ActivationType, ...]


_CELLS = {
    "RNN": _Cell(1, (ActivationType.ACTIVATION_TANH,)),
    "LSTM": _Cell(
        4,
        (
            ActivationType.ACTIVATION_SIGMOID,
            ActivationType.ACTIVATION_TANH,
            ActivationType.ACTIVATION_TANH,
        ),
    ),
    "GRU": _Cell(3, (ActivationType.ACTIVATION_SIGMOID, ActivationType.ACTIVATION_TANH)),
}

_ACTIVATIONS = {
    "relu": ActivationType.ACTIVATION_RELU,
    "tanh": ActivationType.ACTIVATION_TANH,
    "sigmoid": ActivationType.ACTIVATION_SIGMOID,
    "affine": ActivationType.ACTIVATION_AFFINE,
    "leakyrelu": ActivationType.ACTIVATION_LEAKY_RELU,
    "thresholdedrelu": ActivationType.ACTIVATION_THRESHOLDED_RELU,
    "scaledtanh": ActivationType.ACTIVATION_SCALED_TANH,
    "hardsigmoid": ActivationType.ACTIVATION_HARD_SIGMOID,
    "elu": ActivationType.ACTIVATION_ELU,
    "softsign": ActivationType.ACTIVATION_SOFTSIGN,
    "softplus": ActivationType.ACTIVATION_SOFTPLUS,
}
"""By name, which counts in lower case."""

_ALPHA = {
    ActivationType.ACTIVATION_AFFINE: 1.0,
    ActivationType.ACTIVATION_LEAKY_RELU: 0.01,
    ActivationType.ACTIVATION_THRESHOLDED_RELU: 1.0,
    ActivationType.ACTIVATION_SCALED_TANH: 1.0,
    ActivationType.ACTIVATION_HARD_SIGMOID: 0.2,
    ActivationType.ACTIVATION_ELU: 1.0,
}
"""The activations that take an alpha, with its default."""

_BETA = {
    ActivationType.ACTIVATION_AFFINE: 0.0,
    ActivationType.ACTIVATION_SCALED_TANH: 1.0,
    ActivationType.ACTIVATION_HARD_SIGMOID: 0.5,
}
"""The activations that take a beta, with its default."""

_DIRECTIONS = {
    "forward": DirectionType.FORWARD,
    "reverse": DirectionType.REVERSE,
    "bidirectional": DirectionType.BIDIRECTIONAL,
}


def supports_recurrent(node: Node, graph: Graph) -> str | None:
    """ONNX's activations."""
    for name in node.attribute("activations", []):
        if name.lower() not in _ACTIVATIONS:
            return f"its activation '{name}' is unknown"
    floats = [at for at in range(len(node.inputs)) if at != _LENGTHS]
    return conditions.floating(node, graph, floats)


@register("RNN", "LSTM", "GRU", supports=supports_recurrent)
def lower_recurrent(node: Node, ctx: Lowering) -> None:
    """RNN, LSTM and GRU (opsets 7 to 22): X (steps, batch, features), W (directions, gates * hidden, features),
    R (directions, gates * hidden, hidden), B (directions, 2 * gates * hidden), sequence_lens (batch), initial_h and initial_c
    (directions, batch, hidden) and P (directions, 3 * hidden), of which all from B on may be absent, to Y (steps, directions,
    batch, hidden), Y_h and Y_c (directions, batch, hidden). With layout 1 the batch comes first.

    One product makes what the input adds to the gates at every step; then a single step of the plan walks through time. It
    takes the axes of time and batch in either order, as X lies.
    """
    cell = _CELLS[node.op_type]
    batch_first = node.attribute("layout", 0) == 1
    direction = _DIRECTIONS[node.attribute("direction", "forward")]
    directions = 2 if direction == DirectionType.BIDIRECTIONAL else 1
    x, w, r = (ctx.value(node.input(at)) for at in (_X, _W, _R))
    x = x.permuted((1, 0, 2)) if batch_first else x
    (steps, batch, features), hidden = x.shape, r.shape[-1]
    gates = (directions, cell.gates * hidden)
    if w.shape != (*gates, features) or r.shape != (*gates, hidden):
        raise ValueError(f"its weights {w.shape} and {r.shape} don't fit an input {x.shape}")
    reset_after = node.op_type == "GRU" and node.attribute("linear_before_reset", 0) != 0
    bias, extra = None, Value.constant(np.zeros((directions, 3 * hidden), np.float32))
    if node.input(_B):
        bias, extra = _biases(ctx, node.input(_B), cell.gates, hidden, reset_after)
    if node.input(_PEEPHOLES):
        extra = ctx.row_major(ctx.value(node.input(_PEEPHOLES)))
    x = ctx.arrange(x, (0, 1, 2) if x.order.index(0) < x.order.index(1) else (1, 0, 2))
    inputs = _projected(ctx, x.viewed((steps * batch, features), (0, 1)), w, bias, node)
    y, y_h, y_c = kernels.recurrent(
        ctx,
        CellType.GRU_RESET_AFTER if reset_after else CellType[node.op_type],
        direction,
        (steps, batch, hidden),
        x.order[0] == 0,
        inputs,
        _packed(ctx, node.input(_R), cell.gates),
        extra,
        [
            _initial(ctx, node.input(at), (directions, batch, hidden), batch_first)
            for at in (_INITIAL_H, _INITIAL_C)
        ],
        _lengths(ctx, node.input(_LENGTHS), steps, batch),
        _activations(node, cell, directions),
        sequence=bool(node.output(0)),
        clip=float(node.attribute("clip", math.inf)),
        input_forget=node.attribute("input_forget", 0) != 0,
        peepholes=bool(node.input(_PEEPHOLES)),
    )
    if batch_first:
        y, y_h, y_c = y.permuted((2, 0, 1, 3)), y_h.permuted((1, 0, 2)), y_c.permuted((1, 0, 2))
    for name, value in zip(node.outputs, (y, y_h, y_c), strict=False):
        if name:
            ctx.define(name, value)


def _activations(node: Node, cell: _Cell, directions: int) -> list[tuple[int, float, float]]:
    """Type, alpha and beta of each activation, three for each of two directions.

    The attributes list alphas and betas for those activations alone that take one.
    """
    names = node.attribute("activations")
    types = (
        [_ACTIVATIONS[name.lower()] for name in names] if names else cell.activations * directions
    )
    if len(types) != len(cell.activations) * directions:
        raise ValueError(f"it has {len(types)} activations")
    alphas = iter(node.attribute("activation_alpha", []))
    betas = iter(node.attribute("activation_beta", []))
    functions = [
        (
            type,
            float(next(alphas, _ALPHA[type])) if type in _ALPHA else 0.0,
            float(next(betas, _BETA[type])) if type in _BETA else 0.0,
        )
        for type in types
    ]
    count, none = len(cell.activations), (ActivationType.ACTIVATION_RELU, 0.0, 0.0)
    rows = [functions[:count], functions[count:]]
    return [function for row in rows for function in (row + [none] * 3)[:3]]


def _biases(
    ctx: Lowering, name: str, gates: int, hidden: int, reset_after: bool
) -> tuple[Value, Value]:
    """What is added to the input's product (directions * gates * hidden), and to the product of the GRU's candidate
    (directions, hidden) where it is reset after that; all else is added at once.
    """
    both = ctx.row_major(ctx.value(name))
    directions = both.shape[0]
    both = both.viewed((directions, 2, gates, hidden), (0, 1, 2, 3))
    whole = slice(None)
    of_input, of_state = (
        kernels.cut(ctx, both, [whole, slice(at, at + 1), whole, whole]) for at in (0, 1)
    )
    candidate = kernels.cut(ctx, of_state, [whole, whole, slice(gates - 1, gates), whole])
    if reset_after:
        early = np.ones((1, 1, gates, 1), np.float32)
        early[:, :, -1] = 0
        of_state = _combined(ctx, BinaryType.MULTIPLY, of_state, Value.constant(early))
    total = _combined(ctx, BinaryType.ADD, of_input, of_state)
    return (
        total.viewed((directions * gates * hidden,), (0,)),
        candidate.viewed((directions, hidden), (0, 1)),
    )


_IN_NUMPY: dict[BinaryType, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    BinaryType.ADD: np.add,
    BinaryType.MULTIPLY: np.multiply,
}


def _combined(ctx: Lowering, type: BinaryType, a: Value, b: Value) -> Value:
    """An elementwise operation, done at once on constants."""
    if isinstance(a.source, np.ndarray) and isinstance(b.source, np.ndarray):
        return Value.constant(_IN_NUMPY[type](a.source, b.source))
    return kernels.binary(ctx, type, a, b)


def _projected(ctx: Lowering, x: Value, w: Value, bias: Value | None, node: Node) -> Value:
    """(rows, directions * gates * hidden): the rows of `x` times W, plus a bias."""
    w = ctx.row_major(w)
    w = w.viewed((w.shape[0] * w.shape[1], w.shape[2]), (0, 1))
    addend = None if bias is None else bias.source
    if isinstance(w.source, np.ndarray) and (addend is None or isinstance(addend, np.ndarray)):
        names = filter(None, (node.input(_W), node.input(_B)))
        key = (ctx.weights_key(*names), node.attribute("linear_before_reset", 0))
        kernel = ctx.weights(node.input(_W)).reshape(w.shape)
        return kernels.fully_connected(ctx, x, kernel, addend, key, transposed=False)
    product = kernels.batch_matmul(ctx, x, w.permuted((1, 0)))
    return product if bias is None else kernels.binary(ctx, BinaryType.ADD, product, bias)


def _packed(ctx: Lowering, name: str, gates: int) -> Value:
    """R as the kernel takes it: (directions, tiles, gates, hidden, units of a tile), zeros for units that aren't there."""
    r = ctx.row_major(ctx.value(name))
    directions, hidden, units = r.shape[0], r.shape[2], kernels.RECURRENT_UNITS
    tiles = -(-hidden // units)
    split, tiled = (directions, gates, hidden, hidden), (directions, gates, tiles, units, hidden)
    amounts = [(0, 0), (0, 0), (0, tiles * units - hidden), (0, 0)]
    order = (0, 2, 1, 4, 3)
    if ctx.is_initializer(name):
        shape = tuple(tiled[axis] for axis in order)
        return ctx.kept(
            name,
            lambda array: np.pad(array.reshape(split), amounts).reshape(tiled).transpose(order),
            shape,
            "tiles of units",
        )
    padded = kernels.pad(ctx, r.viewed(split, (0, 1, 2, 3)), amounts, 0.0)
    return ctx.row_major(padded.viewed(tiled, (0, 1, 2, 3, 4)).permuted(order))


def _initial(ctx: Lowering, name: str, shape: Shape, batch_first: bool) -> Value:
    """An initial state, zeros where absent."""
    if not name:
        return Value.constant(np.zeros(shape, np.float32))
    value = ctx.value(name)
    value = value.permuted((1, 0, 2)) if batch_first else value
    if value.shape != shape:
        raise ValueError(f"'{name}' has shape {value.shape}, not {shape}")
    return ctx.row_major(value)


def _lengths(ctx: Lowering, name: str, steps: int, batch: int) -> Value:
    """How many steps each sequence has, all where absent."""
    if not name:
        return Value.constant(np.full(batch, steps, np.int32))
    value = ctx.value(name)
    if value.shape != (batch,):
        raise ValueError(f"'{name}' has shape {value.shape}, not {(batch,)}")
    return value
