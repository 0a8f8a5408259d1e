"""Orders of axes and folded shapes against NumPy."""

import itertools
import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pyxnn.xnnpack import layout

shapes = arrays.array_shapes(min_dims=0, max_dims=6, max_side=3)


def lay(array, order):
    """The bytes of an array in an order of axes."""
    return np.ascontiguousarray(array.transpose(order)).reshape(-1)


def counting(shape):
    return np.arange(math.prod(shape)).reshape(shape)


def test_channels_last():
    assert layout.channels_last(4) == (0, 2, 3, 1)
    assert layout.channels_last(3) == (0, 2, 1)
    assert layout.channels_last(2) == (0, 1)


@given(shapes, st.data())
def test_same_order(shape, data):
    """Orders are the same exactly when the bytes lie the same."""
    a, b = (tuple(data.draw(st.permutations(range(len(shape))))) for _ in range(2))
    array = counting(shape)
    same = lay(array, a).tolist() == lay(array, b).tolist()
    assert layout.same_order(shape, a, b) == same


@given(shapes, st.data())
def test_permute(shape, data):
    order, permutation = (tuple(data.draw(st.permutations(range(len(shape))))) for _ in range(2))
    array = counting(shape)
    moved = array.transpose(permutation)
    assert lay(array, order).tolist() == lay(moved, layout.permute(order, permutation)).tolist()


@given(shapes, st.data())
def test_drop(shape, data):
    order = tuple(data.draw(st.permutations(range(len(shape)))))
    axes = [axis for axis, extent in enumerate(shape) if extent == 1 and data.draw(st.booleans())]
    array = counting(shape)
    dropped = layout.drop(order, axes)
    assert lay(array, order).tolist() == lay(array.squeeze(tuple(axes)), dropped).tolist()


@given(shapes, shapes, st.data())
def test_reshape(shape, other, data):
    """In the order asked, the bytes are those of the reshaped array in the order given."""
    size = math.prod(shape)
    new_shape = tuple(other) if math.prod(other) == size else data.draw(_reshaped(shape))
    order = tuple(data.draw(st.permutations(range(len(shape)))))
    asked, given_order = layout.reshape(shape, order, new_shape)
    array = counting(shape)
    assert lay(array, asked).tolist() == lay(array.reshape(new_shape), given_order).tolist()


@st.composite
def _reshaped(draw, shape):
    """Some neighbours of a shape merged, some axes of extent 1 put in."""
    result = []
    for extent in shape:
        if result and draw(st.booleans()):
            result[-1] *= extent
        else:
            result.append(extent)
        if draw(st.booleans()):
            result.append(1)
    return tuple(result)


def test_reshape_keeps_the_layout_that_it_can():
    nhwc = (0, 2, 3, 1)
    assert layout.reshape((2, 3, 4, 5), nhwc, (2, 3, 20)) == (nhwc, (0, 2, 1))
    assert layout.reshape((2, 3, 4, 5), nhwc, (2, 3, 1, 4, 5))[0] == nhwc
    assert layout.reshape((2, 6, 4, 5), nhwc, (2, 2, 3, 4, 5)) == (nhwc, (0, 3, 4, 1, 2))
    assert layout.reshape((2, 3, 4, 5), nhwc, (2, 60)) == ((0, 1, 2, 3), (0, 1))


def test_reshape_of_shuffled_channels_asks_for_channels_last():
    """ShuffleNet: groups of channels swapped, then merged again."""
    asked, given_order = layout.reshape((1, 3, 2, 4, 4), (0, 3, 4, 2, 1), (1, 6, 4, 4))
    assert asked == (0, 3, 4, 1, 2)
    assert layout.same_order((1, 6, 4, 4), given_order, (0, 2, 3, 1))


@given(shapes, st.data())
def test_fold_transpose(shape, data):
    permutation = data.draw(st.permutations(range(len(shape))))
    extents, folded = layout.fold_transpose(shape, permutation)
    array = counting(shape)
    expected = array.transpose(permutation).reshape(-1)
    assert array.reshape(extents).transpose(folded).reshape(-1).tolist() == expected.tolist()
    assert 1 not in extents
    assert all(after != before + 1 for before, after in itertools.pairwise(folded))


@given(arrays.mutually_broadcastable_shapes(num_shapes=2, max_dims=7, max_side=3))
def test_fold_broadcast(shapes):
    rank = max(map(len, shapes.input_shapes))
    a, b = ((1,) * (rank - len(shape)) + shape for shape in shapes.input_shapes)
    folded_a, folded_b = layout.fold_broadcast(a, b)
    x, y = counting(a), 100 * counting(b)
    folded = x.reshape(folded_a) + y.reshape(folded_b)
    assert folded.reshape(-1).tolist() == (x + y).reshape(-1).tolist()


@given(shapes, st.data())
def test_fold_reduce(shape, data):
    axes = data.draw(st.sets(st.sampled_from(range(len(shape))))) if shape else set()
    extents, reduced = layout.fold_reduce(shape, axes)
    array = counting(shape)
    expected = array.sum(tuple(axes)).reshape(-1)
    assert array.reshape(extents).sum(tuple(reduced)).reshape(-1).tolist() == expected.tolist()
    assert len(extents) <= 2 * len(reduced) + 1
