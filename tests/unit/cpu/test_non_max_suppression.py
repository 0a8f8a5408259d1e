"""NonMaxSuppression against native onnxruntime: the same boxes in the same sequence."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper

import pyxnn
from tests.support import native


def run(boxes, scores, limits, **attributes):
    inputs = ["b", "s", *(name if name in limits else "" for name in ("most", "iou", "least"))]
    while not inputs[-1]:
        inputs.pop()
    node = helper.make_node("NonMaxSuppression", inputs, ["y"], **attributes)
    feeds = {"b": boxes, "s": scores}
    data = native.build([node], feeds, ["y"], limits, dtype=np.int64)
    with pyxnn.InferenceSession(data) as session:
        (got,) = session.run(None, feeds)
    (want,) = native.run_native(data, feeds)
    np.testing.assert_array_equal(got, want, strict=True)


@given(
    st.tuples(st.integers(1, 2), st.integers(1, 3), st.sampled_from([1, 7, 40, 64, 65, 200])),
    st.integers(0, 1),
    st.sampled_from([0, 1, 12, 70, 300]),
    st.sampled_from([0.0, 0.25, 0.5, 1.0]),
    st.sampled_from([None, 0.0, 0.4, 2.0]),
    st.booleans(),
)
def test_choice(sizes, is_center, most, overlap, least, equal_scores):
    """Corners in any sequence; scores that are equal."""
    batch, classes, count = sizes
    random = np.random.default_rng(count)
    boxes = random.uniform(0, 10, (batch, count, 4)).astype(np.float32)
    scores = random.uniform(0, 1, (batch, classes, count)).astype(np.float32)
    if equal_scores:
        scores = np.round(scores * 4) / np.float32(4)
    limits = {"most": np.array([most]), "iou": np.array([overlap], np.float32)}
    if least is not None:
        limits["least"] = np.array([least], np.float32)
    run(boxes, scores, limits, center_point_box=is_center)


@pytest.mark.parametrize("limits", [{}, {"most": np.array(3)}])
def test_limits_that_are_absent(limits):
    boxes = np.array([[[0, 0, 1, 1], [0, 0, 1, 1], [5, 5, 6, 6], [2, 2, 2, 2]]], np.float32)
    run(boxes, np.array([[[0.5, 0.9, -1, 0.1]]], np.float32), limits)
