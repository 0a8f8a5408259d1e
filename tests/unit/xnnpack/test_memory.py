"""The arena: buffers alive at the same time never overlap, and the peak is near the least that is possible."""

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pyxnn.engine import Kind
from pyxnn.xnnpack import memory
from pyxnn.xnnpack.memory import ALIGNMENT, Life
from pyxnn.xnnpack.steps import Label, Step
from pyxnn.xnnpack.values import Buffer, Value


def value(buffer, offset=0, count=None):
    count = buffer.nbytes // 4 if count is None else count
    return Value((count,), (0,), buffer, offset)


def step(kind, inputs, output):
    return Step(Label("", ""), kind, (), (), tuple(inputs), output)


def lower_bound(lives):
    """The largest sum of what lives at one time."""
    padded = [-(-max(life.nbytes, 1) // ALIGNMENT) * ALIGNMENT for life in lives]
    times = {life.first for life in lives}
    alive = [
        sum(n for n, life in zip(padded, lives, strict=True) if life.first <= time <= life.last)
        for time in times
    ]
    return max(alive, default=0)


lives = st.lists(
    st.builds(
        lambda nbytes, first, length: Life(nbytes, first, first + length),
        st.integers(0, 1000),
        st.integers(0, 30),
        st.integers(0, 10),
    ),
    max_size=40,
)


@given(lives)
def test_places_do_not_overlap(lives):
    offsets, size, bound = memory.place(lives)
    assert lower_bound(lives) == bound <= size
    for life in lives:
        assert offsets[life] % ALIGNMENT == 0
        assert offsets[life] + life.nbytes <= size
    for a, b in itertools.combinations(lives, 2):
        if a.first <= b.last and b.first <= a.last:
            assert offsets[a] + a.nbytes <= offsets[b] or offsets[b] + b.nbytes <= offsets[a]


@given(st.lists(st.integers(1, 10_000), min_size=1, max_size=60))
def test_a_chain_takes_the_least_bytes_possible(sizes):
    """Each result is used by the next step only."""
    lives = [Life(nbytes, index, index + 1) for index, nbytes in enumerate(sizes)]
    assert memory.place(lives).size == lower_bound(lives)


@given(st.lists(st.integers(64, 100_000), min_size=4, max_size=60), st.data())
def test_residual_networks_take_little_more(sizes, data):
    """Each result is used by the next step, some by one a few steps later too."""
    lives = [Life(nbytes, index, index + 1) for index, nbytes in enumerate(sizes)]
    for index in range(0, len(lives) - 3, 3):
        if data.draw(st.booleans()):
            lives[index].last += 2
    assert memory.place(lives).size <= 1.05 * lower_bound(lives)


@st.composite
def programs(draw):
    """Steps whose inputs are earlier results, some of them in part."""
    buffers = [Buffer(4 * draw(st.sampled_from([16, 48, 64])))]
    steps = []
    for _ in range(draw(st.integers(1, 15))):
        chosen = draw(st.lists(st.sampled_from(buffers), min_size=1, max_size=2))
        inputs = [
            value(buffer) if draw(st.booleans()) else value(buffer, 16, 2) for buffer in chosen
        ]
        size = draw(st.sampled_from([inputs[0].source.nbytes, 64, 256]))
        buffers.append(Buffer(size))
        kind = draw(st.sampled_from([Kind.UNARY, Kind.BINARY, Kind.CONVOLUTION]))
        steps.append(step(kind, inputs, value(buffers[-1])))
    outputs = draw(st.lists(st.sampled_from(buffers), min_size=1, max_size=3))
    return steps, [buffers[0]], outputs


@given(programs())
def test_every_step_reads_what_was_written(program):
    """Runs the program on tags: each step finds in its inputs what their makers wrote, and outputs survive."""
    steps, inputs, outputs = program
    offsets, size, _ = memory.arrange(steps, inputs, outputs)
    arena = np.zeros(size // 4 + 1, np.int64)

    def cells(v):
        begin = (offsets[v.source] + v.offset) // 4
        return slice(begin, begin + v.size)

    for buffer in inputs:
        arena[cells(value(buffer))] = id(buffer)
    for s in steps:
        for v in s.inputs:
            assert (arena[cells(v)] == id(v.source)).all()
        arena[cells(s.output)] = id(s.output.source)
    for buffer in outputs:
        assert (arena[cells(value(buffer))] == id(buffer)).all()


def test_elementwise_steps_write_over_their_operand():
    x, y, z = Buffer(256), Buffer(256), Buffer(256)
    steps = [step(Kind.UNARY, [value(x)], value(y)), step(Kind.UNARY, [value(y)], value(z))]
    offsets, size, _ = memory.arrange(steps, [x], [z])
    assert size == 256
    assert set(offsets.values()) == {0}


def test_not_over_an_operand_that_is_needed_later():
    x, y, z = Buffer(256), Buffer(256), Buffer(256)
    steps = [
        step(Kind.UNARY, [value(x)], value(y)),
        step(Kind.BINARY, [value(x), value(y)], value(z)),
    ]
    offsets = memory.arrange(steps, [x], [z]).offsets
    assert offsets[x] != offsets[y]


def test_not_by_a_step_that_reads_elements_twice():
    x, y = Buffer(256), Buffer(256)
    offsets = memory.arrange([step(Kind.CONVOLUTION, [value(x)], value(y))], [x], [y]).offsets
    assert offsets[x] != offsets[y]


def test_not_over_an_operand_of_which_another_is_a_part():
    x, y = Buffer(256), Buffer(256)
    parts = [value(x), value(x, 64, 1)]
    offsets = memory.arrange([step(Kind.BINARY, parts, value(y))], [x], [y]).offsets
    assert offsets[x] != offsets[y]


def test_updates_are_written_into_their_first_operand_alone():
    x, updates, y = Buffer(256), Buffer(256), Buffer(256)
    for first, second, into in ((x, updates, True), (updates, x, True), (x, x, False)):
        scatter = step(Kind.SCATTER, [value(first), value(second)], value(y))
        offsets = memory.arrange([scatter], [x, updates], [y]).offsets
        assert (offsets[y] == offsets[first]) is into
        assert first is second or offsets[y] != offsets[second]
