"""The arena: which bytes each buffer of a plan gets.

Steps run in sequence, so a buffer lives from the step that first writes it to the step that last reads it, and two buffers
whose lives don't meet may have the same bytes. A step of a kind that handles each element by itself may write its result
over an operand that nothing needs afterwards.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pyxnn.engine import Kind
from pyxnn.xnnpack.steps import Step
from pyxnn.xnnpack.values import Buffer, Value

ALIGNMENT = 64

IN_PLACE = frozenset({Kind.UNARY, Kind.BINARY, Kind.SOFTMAX, Kind.FUNCTION, Kind.NORMALIZE})
"""Kinds whose output may be an operand of the same size."""


@dataclass(eq=False, slots=True)
class Life:
    """Bytes that are taken from step `first` to step `last`, both included."""

    nbytes: int
    first: int
    last: int


def arrange(
    steps: Sequence[Step], inputs: Iterable[Buffer], outputs: Iterable[Buffer]
) -> tuple[dict[Buffer, int], int]:
    """Finds a place for every buffer.

    Args:
        steps: in the order in which they run.
        inputs: buffers that are filled before the first step.
        outputs: buffers that are read after the last step.

    Returns:
        The offset of each buffer, a multiple of ALIGNMENT, and the size of the arena.
    """
    lives = _lives(steps, inputs, outputs)
    homes = _share(steps, lives)
    offsets, size = place([lives[home] for home in dict.fromkeys(homes.values())])
    return {buffer: offsets[lives[home]] for buffer, home in homes.items()}, size


def _lives(
    steps: Sequence[Step], inputs: Iterable[Buffer], outputs: Iterable[Buffer]
) -> dict[Buffer, Life]:
    lives = {buffer: Life(buffer.nbytes, -1, -1) for buffer in inputs}
    for index, step in enumerate(steps):
        for value in (*step.inputs, step.output):
            if isinstance(value.source, Buffer):
                life = lives.setdefault(value.source, Life(value.source.nbytes, index, index))
                life.last = index
    for buffer in outputs:
        lives.setdefault(buffer, Life(buffer.nbytes, -1, -1)).last = len(steps)
    return lives


def _share(steps: Sequence[Step], lives: dict[Buffer, Life]) -> dict[Buffer, Buffer]:
    """Maps each buffer to the one whose bytes it gets: itself, or an operand that its step overwrites."""
    homes = {buffer: buffer for buffer in lives}
    for index, step in enumerate(steps):
        result = step.output.source
        if step.kind not in IN_PLACE or not isinstance(result, Buffer):
            continue
        if lives[result].first != index or not _fills(step.output):
            continue
        for operand in step.inputs:
            if not isinstance(operand.source, Buffer):
                continue
            home = homes[operand.source]
            users = [
                value
                for value in step.inputs
                if isinstance(value.source, Buffer) and homes[value.source] is home
            ]
            if (
                lives[home].last == index
                and home.nbytes == result.nbytes
                and all(_fills(value) for value in users)
            ):
                homes[result] = home
                lives[home].last = lives[result].last
                break
    return homes


def _fills(value: Value) -> bool:
    """Whether a value is all of its buffer."""
    return isinstance(value.source, Buffer) and value.nbytes == value.source.nbytes


def place(lives: Iterable[Life]) -> tuple[dict[Life, int], int]:
    """Packs lives into few bytes: tries the largest sum of what lives at one time, then a little more, until they fit.

    Returns:
        The offset of each, a multiple of ALIGNMENT, and the bytes that all take.
    """
    in_sequence = sorted(lives, key=lambda life: (life.first, -life.nbytes))
    capacity = least = _peak(in_sequence)
    while (offsets := _fit(in_sequence, capacity)) is None:
        capacity += max(_aligned(least // 64), ALIGNMENT)
    return offsets, capacity


def _peak(in_sequence: Sequence[Life]) -> int:
    """The largest sum of bytes that live at one time."""
    peak = 0
    alive: list[Life] = []
    for life in in_sequence:
        alive = [other for other in alive if other.last >= life.first]
        alive.append(life)
        peak = max(peak, sum(_aligned(other.nbytes) for other in alive))
    return peak


def _fit(in_sequence: Sequence[Life], capacity: int) -> dict[Life, int] | None:
    """Places lives in the sequence in which they begin, in turn as low and as high as there is room; None if there isn't.

    Most results are read by the next step only, so a result and its operands are at opposite ends, and what is free is in one
    piece between them.
    """
    offsets: dict[Life, int] = {}
    alive: list[tuple[int, int, Life]] = []
    high = False
    for life in in_sequence:
        alive = [entry for entry in alive if entry[2].last >= life.first]
        needed = _aligned(life.nbytes)
        gaps = []
        end = 0
        for start, stop, _ in alive:
            if start - end >= needed:
                gaps.append((end, start))
            end = stop
        if capacity - end >= needed:
            gaps.append((end, capacity))
        if not gaps:
            return None
        offset = gaps[-1][1] - needed if high else gaps[0][0]
        high = not high
        offsets[life] = offset
        insort(alive, (offset, offset + needed, life), key=lambda entry: entry[0])
    return offsets


def _aligned(nbytes: int) -> int:
    """The next multiple of ALIGNMENT; nothing takes no bytes at all, so no two places are the same."""
    return -(-max(nbytes, 1) // ALIGNMENT) * ALIGNMENT
