"""Random graphs of 2 to 30 nodes against native onnxruntime, optimized and not, at shapes that change.

Tolerance: errors of up to 30 operators add up, and values stay below 50.
"""

from __future__ import annotations

from contextlib import suppress

import numpy as np
from hypothesis import HealthCheck, given, settings
from onnxruntime.capi import onnxruntime_pybind11_state as state

import pyxnn
from pyxnn import GraphOptimizationLevel
from tests.support import native, random_graphs

FIXED = state.Fail, state.InvalidArgument, state.RuntimeException
"""What onnxruntime raises when the shapes are fixed, by the model or by a constant."""

LEVELS = (GraphOptimizationLevel.ORT_ENABLE_ALL, GraphOptimizationLevel.ORT_DISABLE_ALL)


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(random_graphs.graphs())
def test_random_graphs(case: random_graphs.Case) -> None:
    data, feeds = case
    larger = {name: np.concatenate([array, array]) for name, array in feeds.items()}
    runs = [(feeds, native.run_native(data, feeds))]
    with suppress(*FIXED):
        runs += [(larger, native.run_native(data, larger)), *runs]
    for level in LEVELS:
        options = pyxnn.SessionOptions()
        options.graph_optimization_level = level
        with pyxnn.InferenceSession(data, options) as session:
            for given_feeds, expected in runs:
                for got, want in zip(session.run(None, given_feeds), expected, strict=True):
                    np.testing.assert_allclose(got, want, 1e-3, 1e-3, strict=True)
