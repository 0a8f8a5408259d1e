"""The arena: which bytes each buffer of a plan gets.

Steps run in sequence, so a buffer lives from the step that first writes it to the step that last reads it, and two buffers
whose lives don't meet may have the same bytes. A step of a kind that handles each element by itself may write its result
over an operand that nothing needs afterwards; one that changes a part of an operand need not copy the rest then.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Generic, NamedTuple, TypeVar

from pyxnn.engine import Kind
from pyxnn.xnnpack.steps import Step
from pyxnn.xnnpack.values import Buffer, Value

Thing = TypeVar("Thing")

ALIGNMENT = 64

TRIES = 32
"""How many orders are tried before more than the lower bound will do."""

IN_PLACE = frozenset(
    {
        Kind.UNARY,
        Kind.BINARY,
        Kind.SOFTMAX,
        Kind.FUNCTION,
        Kind.NORMALIZE,
        Kind.TYPED_BINARY,
        Kind.SELECT,
        Kind.CAST,
        Kind.LOOKUP,
        Kind.BINARY_QS8,
        Kind.MULTIPLY_ADD,
    }
)
"""Kinds whose output may be an operand of as many elements of the same size."""

UPDATES = frozenset({Kind.SCATTER, Kind.TENSOR_SCATTER})
"""Kinds that change a part of their first operand: their output may be that, where no other operand has bytes of it."""


@dataclass(eq=False, slots=True)
class Life:
    """Bytes that are taken from step `first` to step `last`, both included.

    Attributes:
        size: the bytes up to the next multiple of ALIGNMENT; nothing takes some too, so no two places are the same.
    """

    nbytes: int
    first: int
    last: int
    size: int = field(init=False)

    def __post_init__(self) -> None:
        self.size = -(-max(self.nbytes, 1) // ALIGNMENT) * ALIGNMENT


class Arrangement(NamedTuple, Generic[Thing]):
    """Where things lie.

    Attributes:
        offsets: of each, a multiple of ALIGNMENT.
        size: bytes that all take.
        bound: the largest sum of bytes that live at one time, which no arrangement can go below.
    """

    offsets: dict[Thing, int]
    size: int
    bound: int


def arrange(
    steps: Sequence[Step], inputs: Iterable[Buffer], outputs: Iterable[Buffer]
) -> Arrangement[Buffer]:
    """Finds a place for every buffer.

    Args:
        steps: in the order in which they run.
        inputs: buffers that are filled before the first step.
        outputs: buffers that are read after the last step.
    """
    lives = _lives(steps, inputs, outputs)
    homes = _share(steps, lives)
    offsets, size, bound = place([lives[home] for home in dict.fromkeys(homes.values())])
    return Arrangement(
        {buffer: offsets[lives[home]] for buffer, home in homes.items()}, size, bound
    )


def _lives(
    steps: Sequence[Step], inputs: Iterable[Buffer], outputs: Iterable[Buffer]
) -> dict[Buffer, Life]:
    lives = {buffer: Life(buffer.nbytes, -1, -1) for buffer in inputs}
    for index, step in enumerate(steps):
        for value in (*step.inputs, step.output):
            if isinstance(value.source, Buffer):
                life = lives.get(value.source)
                if life is None:
                    life = lives[value.source] = Life(value.source.nbytes, index, index)
                life.last = index
    for buffer in outputs:
        lives.setdefault(buffer, Life(buffer.nbytes, -1, -1)).last = len(steps)
    return lives


def _share(steps: Sequence[Step], lives: dict[Buffer, Life]) -> dict[Buffer, Buffer]:
    """Maps each buffer to the one whose bytes it gets: itself, or an operand that its step overwrites."""
    homes = {buffer: buffer for buffer in lives}
    for index, step in enumerate(steps):
        result = step.output.source
        is_update = step.kind in UPDATES
        if not (is_update or step.kind in IN_PLACE) or not isinstance(result, Buffer):
            continue
        if lives[result].first != index or not _fills(step.output):
            continue
        for operand in step.inputs[: 1 if is_update else None]:
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
                and operand.dtype.itemsize == step.output.dtype.itemsize
                and all(_fills(value) for value in users)
                and not (is_update and len(users) > 1)
            ):
                homes[result] = home
                lives[home].last = lives[result].last
                break
    return homes


def _fills(value: Value) -> bool:
    """Whether a value is all of its buffer."""
    return isinstance(value.source, Buffer) and value.nbytes == value.source.nbytes


def place(lives: Iterable[Life]) -> Arrangement[Life]:
    """Packs lives into few bytes.

    Chains fit into the lower bound when their links are placed in sequence, at alternate ends. Where that fails, they are stacked:
    in sequence; and the largest first, what ended up on top before all others in the next try.
    """
    in_sequence = sorted(lives, key=lambda life: (life.first, -life.nbytes))
    least = _peak(in_sequence)
    offsets = _fit(in_sequence, least)
    if offsets is not None:
        return Arrangement(offsets, least, least)
    best = _stack(in_sequence, least)
    order = sorted(in_sequence, key=lambda life: -life.nbytes)
    for _ in range(TRIES):
        found = _stack(order, least)
        best = min(found, best, key=lambda arrangement: arrangement.size)
        top = max(order, key=lambda life: found.offsets[life] + life.nbytes)
        if best.size == least or top is order[0]:
            break
        order.remove(top)
        order.insert(0, top)
    return best


def _peak(in_sequence: Sequence[Life]) -> int:
    """The largest sum of bytes that live at one time."""
    peak = total = 0
    ends: list[tuple[int, int]] = []
    for life in in_sequence:
        while ends and ends[0][0] < life.first:
            total -= heappop(ends)[1]
        heappush(ends, (life.last, life.size))
        total += life.size
        peak = max(peak, total)
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
        needed = life.size
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


def _stack(order: Sequence[Life], bound: int) -> Arrangement[Life]:
    """Places lives one after the other, each as low as those before it that it meets let it."""
    offsets: dict[Life, int] = {}
    placed: list[tuple[int, int, int, int]] = []  # in the order of their offsets
    for life in order:
        needed, first, last = life.size, life.first, life.last
        offset = 0
        for start, stop, begin, end in placed:
            if begin <= last and first <= end:
                if start - offset >= needed:
                    break
                if stop > offset:
                    offset = stop
        offsets[life] = offset
        insort(placed, (offset, offset + needed, first, last))
    size = max((stop for _, stop, _, _ in placed), default=0)
    return Arrangement(offsets, size, bound)
