"""Concat, Split and Slice for nothing: a tensor that is copied to or from a part of another lies there from the start.

Lowering lays down a COPY for each part. Where source and target can share their bytes it is left out again: DenseNet's growing
concatenations are all one buffer that each convolution writes its own columns of, and the halves that ShuffleNet or a YOLO neck
splits off are read where they are. What has to hold:
  * Seen as as many rows as the copy has, all tensors that share bytes have in each column the same content, which follows from
    the copies between them, or lie in different columns.
  * Each byte of theirs is written once.
  * Each step that reads or writes one of them can have its rows apart (see `strides`); inputs and outputs of the subgraph,
    which are copied as they are, stay dense.
"""

from __future__ import annotations

from collections import ChainMap, Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import NamedTuple

from pyxnn.engine import Kind
from pyxnn.xnnpack import strides
from pyxnn.xnnpack.steps import Step
from pyxnn.xnnpack.strides import Slab, restrided
from pyxnn.xnnpack.values import Buffer, Value


class _Columns(NamedTuple):
    """Bytes [start, stop) of each row, which hold what `origin` holds from byte `first` of its rows on."""

    start: int
    stop: int
    origin: Buffer
    first: int

    def cut(self, start: int, stop: int) -> _Columns:
        """Those of them that are among [start, stop)."""
        begin = max(start, self.start)
        return _Columns(begin, min(stop, self.stop), self.origin, self.first + begin - self.start)

    def shifted(self, distance: int) -> _Columns:
        return self._replace(start=self.start + distance, stop=self.stop + distance)

    def agrees_with(self, other: _Columns) -> bool:
        """Whether these columns hold the same as others wherever they are the same columns."""
        if self.stop <= other.start or other.stop <= self.start:
            return True
        return self.origin is other.origin and self.first - self.start == other.first - other.start


@dataclass(eq=False, slots=True)
class _Group:
    """Tensors that share their bytes, in rows.

    Attributes:
        places: from which byte of a row to which each tensor lies; all counted from an arbitrary one.
        columns: what the rows hold.
    """

    places: dict[Buffer, tuple[int, int]]
    columns: list[_Columns]

    def shifted(self, distance: int) -> _Group:
        places = {
            b: (start + distance, stop + distance) for b, (start, stop) in self.places.items()
        }
        return _Group(places, [columns.shifted(distance) for columns in self.columns])

    def slabs(self, rows: int) -> dict[Buffer, Slab]:
        first = min(start for start, _ in self.places.values())
        pitch = max(stop for _, stop in self.places.values()) - first
        home = Buffer(rows * pitch)
        return {
            buffer: Slab(home, stop - start, start - first, pitch if rows > 1 else stop - start)
            for buffer, (start, stop) in self.places.items()
        }


class _Part(NamedTuple):
    """Bytes [start, stop) of each row of a buffer."""

    buffer: Buffer
    row: int
    start: int
    stop: int


class _Copy(NamedTuple):
    """A COPY of parts of rows; None where source or target is none."""

    rows: int
    source: _Part | None
    target: _Part | None


def _copy_of(step: Step) -> _Copy | None:
    """A COPY as a copy of parts of rows; None when it is something else."""
    axes = strides.nest(step)
    if axes[-1][1:] != (1, 1):
        axes.append((1, 1, 1))
    (rows, *pitches), (channels, *_) = [(1, 0, 0), *axes][-2:]
    if len(axes) > 2:
        return None
    values = (*step.inputs, step.output)
    source, target = (
        _part(value, rows, channels, pitch) for value, pitch in zip(values, pitches, strict=True)
    )
    return _Copy(rows, source, target)


def _part(value: Value, rows: int, channels: int, pitch: int) -> _Part | None:
    if not isinstance(value.source, Buffer):
        return None
    size, nbytes = value.dtype.itemsize, value.source.nbytes
    row = nbytes if rows == 1 else pitch * size
    stop = value.offset + channels * size
    if rows * row != nbytes or stop > row:
        return None
    return _Part(value.source, row, value.offset, stop)


def join(
    steps: Sequence[Step], inputs: Mapping[str, Value], results: Mapping[str, Value]
) -> tuple[list[Step], dict[str, Value], dict[str, Value]]:
    """Leaves out the copies that it can.

    Args:
        steps: in execution order.
        inputs: tensors that are written before the first step.
        results: tensors that are read after the last one.

    Returns:
        The same, some of them in other buffers.
    """
    steps, inputs, results = list(steps), dict(inputs), dict(results)
    copy_of = cache(_copy_of)
    rows_of = {copy.rows for step in steps if step.kind is Kind.COPY and (copy := copy_of(step))}
    # A concatenation of pixels may hold one of channels, not the other way round.
    for rows in sorted(rows_of, reverse=True):
        joining = _Joining(steps, inputs.values(), results.values(), rows, copy_of)
        slabs = joining.slabs
        if not slabs:
            continue
        steps = [_restrided(step, slabs) for step in steps if not joining.is_idle(step)]
        for values in (inputs, results):
            values.update((name, _moved(value, slabs)) for name, value in values.items())
    return steps, inputs, results


def _restrided(step: Step, slabs: Mapping[Buffer, Slab]) -> Step:
    moved = restrided(step, slabs)
    assert moved is not None, "was tried before"
    return moved


def _moved(value: Value, slabs: Mapping[Buffer, Slab]) -> Value:
    """A dense value where its buffer's slab is."""
    if not isinstance(value.source, Buffer) or value.source not in slabs:
        return value
    slab = slabs[value.source]
    return replace(value, source=slab.buffer, offset=value.offset + slab.start)


class _Joining:
    """Which tensors share their bytes, going by the copies of one number of rows."""

    def __init__(
        self,
        steps: Sequence[Step],
        inputs: Iterable[Value],
        results: Iterable[Value],
        rows: int,
        copy_of: Callable[[Step], _Copy | None],
    ) -> None:
        self._rows = rows
        self._copy_of = copy_of
        self._steps: defaultdict[Buffer, list[Step]] = defaultdict(list)
        self._writers: defaultdict[Buffer, list[Step]] = defaultdict(list)
        written = Counter({buffer: buffer.nbytes for buffer in _buffers(inputs)})
        self._fixed = {*written, *_buffers(results)}
        copies = [step for step in steps if self._copy(step)]
        copied = {*_buffers(value for step in copies for value in (*step.inputs, step.output))}
        for step in steps:
            for buffer in copied.intersection(_buffers((*step.inputs, step.output))):
                self._steps[buffer].append(step)
                if buffer is step.output.source:
                    self._writers[buffer].append(step)
                    written[buffer] += step.output.nbytes
        self._rewritten = {buffer for buffer, count in written.items() if count > buffer.nbytes}
        self._contents: dict[Buffer, list[_Columns]] = {}
        self._groups: dict[Buffer, _Group] = {}
        self.slabs: dict[Buffer, Slab] = {}
        for step in copies:
            self._join(step)

    def _copy(self, step: Step) -> _Copy | None:
        """A step as a copy of parts of so many rows."""
        copy = self._copy_of(step) if step.kind is Kind.COPY else None
        return copy if copy is not None and copy.rows == self._rows else None

    def _content(self, buffer: Buffer) -> list[_Columns]:
        """What the rows of a buffer hold, as far back as copies go."""
        content = self._contents.get(buffer)
        if content is None:
            content = []
            copies = [self._copy(step) for step in self._writers[buffer]]
            for copy in copies:
                if copy is None or copy.target is None:
                    copies = []
                    break
                content += self._copied(copy.source, copy.target)
            if not copies:
                content = [_Columns(0, buffer.nbytes // self._rows, buffer, 0)]
            self._contents[buffer] = content
        return content

    def _copied(self, source: _Part | None, target: _Part) -> list[_Columns]:
        """What the columns of a copy's target hold."""
        if source is None or source.buffer in self._rewritten:
            return [_Columns(target.start, target.stop, target.buffer, target.start)]
        return [
            columns.cut(source.start, source.stop).shifted(target.start - source.start)
            for columns in self._content(source.buffer)
            if columns.start < source.stop and source.start < columns.stop
        ]

    def _ends(self, step: Step) -> tuple[_Part, _Part] | None:
        """Source and target of a copy that both are parts of so many rows."""
        copy = self._copy(step)
        if copy is None or copy.source is None or copy.target is None:
            return None
        return copy.source, copy.target

    def is_idle(self, step: Step) -> bool:
        """Whether a step copies a tensor to where it is."""
        ends = self._ends(step)
        if ends is None:
            return False
        source, target = ends
        group = self._groups.get(source.buffer)
        return (
            group is not None
            and target.buffer in group.places
            and group.places[source.buffer][0] + source.start
            == group.places[target.buffer][0] + target.start
        )

    def _group(self, part: _Part) -> _Group:
        group = self._groups.get(part.buffer)
        return group or _Group({part.buffer: (0, part.row)}, self._content(part.buffer))

    def _join(self, step: Step) -> None:
        """Lets source and target of a copy share bytes, if they can."""
        ends = self._ends(step)
        if ends is None:
            return
        source, target = ends
        if source.buffer in self._rewritten or target.buffer in self._rewritten:
            return
        first, second = self._group(source), self._group(target)
        if source.buffer in second.places:
            return
        start, _ = first.places[source.buffer]
        goal, _ = second.places[target.buffer]
        first = first.shifted(goal + target.start - start - source.start)
        if not all(a.agrees_with(b) for a in first.columns for b in second.columns):
            return
        columns = dict.fromkeys([*first.columns, *second.columns])
        both = _Group({**first.places, **second.places}, list(columns))
        slabs = both.slabs(self._rows)
        if self._can_have(slabs):
            self.slabs.update(slabs)
            self._groups.update(dict.fromkeys(both.places, both))

    def _can_have(self, slabs: dict[Buffer, Slab]) -> bool:
        """Whether those whose rows would come apart may be where `slabs` says."""
        places = ChainMap(slabs, self.slabs)
        for buffer, slab in slabs.items():
            if _is_apart(slab) and not _is_apart(self.slabs.get(buffer)):
                if buffer in self._fixed:
                    return False
                others = (step for step in self._steps[buffer] if not self._ends(step))
                if any(restrided(step, places) is None for step in others):
                    return False
        return True


def _is_apart(slab: Slab | None) -> bool:
    return slab is not None and slab.row < slab.pitch


def _buffers(values: Iterable[Value]) -> list[Buffer]:
    return [value.source for value in values if isinstance(value.source, Buffer)]
