"""Random graphs on 8-bit integers against native onnxruntime: each group by itself, and the whole where no group rounds otherwise.

Both sides round numbers that differ in their last bits, so a group's integers may be one step apart.
"""

from __future__ import annotations

import numpy as np
from hypothesis import HealthCheck, given, settings

import pyxnn
from tests.support import native, random_quantized
from tests.support.groups import groups


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(random_quantized.graphs())
def test_random_quantized_graphs(case: random_quantized.Case) -> None:
    exact = True
    for group in groups(case.model, case.feeds):
        with pyxnn.InferenceSession(group.data) as session:
            (result,) = session.run(None, group.inputs)
        assert result.dtype == group.expected.dtype
        difference = np.abs(result.astype(np.int32) - group.expected)
        assert difference.max(initial=0) <= 1, group.output
        exact &= not difference.any()
    data = case.model.SerializeToString()
    expected = native.run_native(data, case.feeds)
    with pyxnn.InferenceSession(data) as session:
        for got, want in zip(session.run(None, case.feeds), expected, strict=True):
            assert (got.shape, got.dtype) == (want.shape, want.dtype)
            if exact:
                np.testing.assert_allclose(got, want, 1e-3, 1e-3)
