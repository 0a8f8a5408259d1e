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

IN_PLACE = frozenset({Kind.UNARY, Kind.BINARY, Kind.SOFTMAX})
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
    """Packs lives into as few bytes as a greedy search finds: the largest first, each into the tightest gap.

    Returns:
        The offset of each, a multiple of ALIGNMENT, and the bytes that all take.
    """
    offsets: dict[Life, int] = {}
    taken: list[tuple[int, int, Life]] = []
    size = 0
    for life in sorted(lives, key=lambda life: (-life.nbytes, life.first)):
        needed = _aligned(life.nbytes)
        offset = _best_gap(life, needed, taken)
        offsets[life] = offset
        insort(taken, (offset, offset + needed, life), key=lambda entry: entry[0])
        size = max(size, offset + needed)
    return offsets, size


def _best_gap(life: Life, needed: int, taken: Sequence[tuple[int, int, Life]]) -> int:
    """The start of the smallest gap of at least `needed` bytes among the lives that meet this one."""
    best, smallest, end = -1, 0, 0
    for start, stop, other in taken:
        if other.first > life.last or other.last < life.first:
            continue
        gap = start - end
        if gap >= needed and (best < 0 or gap < smallest):
            best, smallest = end, gap
        end = max(end, stop)
    return best if best >= 0 else end


def _aligned(nbytes: int) -> int:
    return -(-nbytes // ALIGNMENT) * ALIGNMENT
