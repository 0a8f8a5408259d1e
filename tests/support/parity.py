"""One model through native onnxruntime and through pyxnn's CPU provider."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

import pyxnn
from tests.support import exact


def assert_parity(
    model: bytes, feeds: Mapping[str, np.ndarray], rtol: float = 1e-4, atol: float = 1e-5
) -> None:
    """Types, shapes and, within the tolerance, values are the same, optimized or not."""
    expected = exact.session(model, optimized=False).run(None, dict(feeds))
    for level in (
        pyxnn.GraphOptimizationLevel.ORT_ENABLE_ALL,
        pyxnn.GraphOptimizationLevel.ORT_DISABLE_ALL,
    ):
        ours = pyxnn.SessionOptions()
        ours.graph_optimization_level = level
        with pyxnn.InferenceSession(model, ours, providers=exact.CPU) as session:
            actual = session.run(None, feeds)
        for got, wanted in zip(actual, expected, strict=True):
            assert got.dtype == wanted.dtype
            np.testing.assert_allclose(got, wanted, rtol, atol, strict=True)
