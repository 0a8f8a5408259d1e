"""Recurrent layers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from pyxnn.engine import CellType, DirectionType, Kind
from pyxnn.xnnpack.values import Value

if TYPE_CHECKING:
    from pyxnn.xnnpack.lowering import Lowering

RECURRENT_UNITS = 8
"""How many hidden units the engine's recurrent kernels compute together."""


def recurrent(
    ctx: Lowering,
    cell: CellType,
    direction: DirectionType,
    sizes: tuple[int, int, int],
    time_first: bool,
    inputs: Value,
    weights: Value,
    extra: Value,
    initial: Sequence[Value],
    lengths: Value,
    activations: Sequence[tuple[int, float, float]],
    *,
    sequence: bool,
    clip: float,
    input_forget: bool,
    peepholes: bool,
) -> tuple[Value, Value, Value]:
    """A recurrent layer, but for the product with its input.

    Args:
        sizes: steps, batch, hidden units.
        time_first: whether a step's sequences lie together in `inputs`, else a sequence's steps; so they do in the output.
        inputs: (steps and batch, directions * gates * hidden), what the input adds to the gates.
        weights, extra: packed as `pyxnn.h` says.
        initial: the first hidden and cell states (directions, batch, hidden).
        lengths: (batch), int32.
        activations: type, alpha and beta, three for each of two directions.
        sequence: whether the state at each step is asked for.

    Returns:
        The states at all steps (steps, directions, batch, hidden), and the last hidden and cell states (directions, batch,
        hidden); what wasn't asked for, or the cell doesn't have, is of no use.
    """
    steps, batch, hidden = sizes
    directions = 2 if direction == DirectionType.BIDIRECTIONAL else 1
    last = (directions, batch, hidden)
    count = math.prod(last)
    at_h = steps * count if sequence else 0
    output = ctx.new((at_h + 2 * count,), (0,))
    functions = [word for function in activations for word in function]
    ctx.step(
        Kind.RECURRENT,
        [
            cell,
            hidden,
            direction,
            int(sequence),
            clip,
            int(input_forget),
            int(peepholes),
            *functions,
        ],
        [steps, batch, *((batch, 1) if time_first else (1, steps))],
        [inputs, weights, extra, *initial, lengths],
        output,
    )
    order = (0, 2, 1, 3) if time_first else (2, 0, 1, 3)
    size = output.dtype.itemsize
    return (
        replace(output, shape=(steps, directions, batch, hidden), order=order),
        replace(output, shape=last, order=(0, 1, 2), offset=at_h * size),
        replace(output, shape=last, order=(0, 1, 2), offset=(at_h + count) * size),
    )
