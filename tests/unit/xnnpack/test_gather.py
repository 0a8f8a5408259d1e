"""Gather against native onnxruntime, and indices outside the data. Copies are exact."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from onnx import helper

from pyxnn import errors
from tests.support import native

TABLE = np.random.default_rng(0).standard_normal((10, 6), np.float32)


def lookup(data, indices, axis, **kwargs):
    feeds = {"i": indices} if kwargs.get("constants") else {"t": data, "i": indices}
    node = helper.make_node("Gather", ["t", "i"], ["y"], name="words", axis=axis)
    return native.build([node], feeds, ["y"], **kwargs), feeds


@given(
    shape=arrays.array_shapes(min_dims=1, max_dims=4, max_side=6),
    data=st.data(),
    dtype=st.sampled_from([np.int32, np.int64]),
    constant=st.booleans(),
    dynamic=st.booleans(),
)
def test_gather(shape, data, dtype, constant, dynamic):
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    index = st.integers(-shape[axis], shape[axis] - 1)
    sides = arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5)
    indices = data.draw(arrays.arrays(dtype, sides, elements=index))
    table = np.random.default_rng(1).standard_normal(shape, np.float32)
    model, feeds = lookup(
        table, indices, axis, constants={"t": table} if constant else {}, dynamic=dynamic
    )
    native.compare(model, feeds)


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
@pytest.mark.parametrize("index", [10, -11, 2**31 - 1, -(2**31)])
def test_an_index_outside_names_the_node_and_leaves_the_subgraph_usable(dtype, index):
    good, bad = np.array([1, -1], dtype), np.array([0, index], dtype)
    model, _ = lookup(TABLE, good, 0, constants={"t": TABLE})
    part = native.subgraph(model)
    message = rf"INVALID_ARGUMENT.*Gather node. Name:'words'.*idx={index} .*\[-10,9\]"
    for run in (part.run, part.profile):
        with pytest.raises(errors.InvalidArgument, match=message):
            run({"i": bad})
    np.testing.assert_array_equal(part.run({"i": good})["y"], TABLE[good])
    part.close()


def test_a_wide_index_is_not_cut_to_32_bits():
    model, _ = lookup(TABLE, np.zeros(1, np.int64), 0, constants={"t": TABLE})
    part = native.subgraph(model)
    with pytest.raises(errors.InvalidArgument):
        part.run({"i": np.array([2**32], np.int64)})
    part.close()


def test_refusals():
    model, _ = lookup(np.zeros((2, 3), np.complex64), np.zeros(1, np.int64), 0, dtype=np.complex64)
    assert native.refusal(model) == "input 't' is complex64, not of a type that kernels move"
