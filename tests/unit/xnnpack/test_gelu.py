"""Erf and Gelu against native onnxruntime.

Tolerances: both erf and tanh are approximations good to a few units in the last place of 1, here as there, and Gelu multiplies
them by up to 12.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from onnx import helper

from tests.support import native

values = arrays.arrays(
    np.float32,
    arrays.array_shapes(min_dims=0, max_dims=5, max_side=6),
    elements=st.floats(-12, 12, width=32),
)


@given(x=values, opset=st.sampled_from([9, 13, 20]))
def test_erf(x, opset):
    node = helper.make_node("Erf", ["x"], ["y"])
    native.compare(native.build([node], {"x": x}, ["y"], opset=opset), {"x": x}, atol=4e-7)


@pytest.mark.parametrize("attributes", [{}, {"approximate": "none"}, {"approximate": "tanh"}])
@given(x=values)
def test_gelu(attributes, x):
    node = helper.make_node("Gelu", ["x"], ["y"], **attributes)
    native.compare(native.build([node], {"x": x}, ["y"], opset=20), {"x": x}, atol=2e-6)


def test_keeps_the_layout_of_its_input():
    x, w = np.ones((1, 4, 6, 6), np.float32), np.ones((5, 4, 1, 1), np.float32)
    nodes = [helper.make_node("Conv", ["x", "w"], ["h"]), helper.make_node("Erf", ["h"], ["y"])]
    part = native.subgraph(native.build(nodes, {"x": x}, ["y"], {"w": w}))
    steps = native.tasks(part, {"x": x})
    part.close()
    assert steps == ["Transpose before h", "Conv h", "Erf y", "Transpose before output y"]
