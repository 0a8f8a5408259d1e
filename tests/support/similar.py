"""When outputs are what a backend test expects: the rules of ONNX's own runner, which itself trips over sequences of scalars.

In CPython and in Pyodide.
"""

from __future__ import annotations

from typing import Any

import numpy as np

BFLOAT16 = 2**-6  # two units in the last place


def assert_similar(expected: Any, actual: Any, rtol: float, atol: float) -> None:
    """Values are the same within the tolerance, types and shapes are the same at all."""
    if isinstance(expected, (list, tuple)):
        assert isinstance(actual, (list, tuple)), f"not a sequence but {type(actual)}"
        assert len(actual) == len(expected), f"{len(actual)} values, not {len(expected)}"
        for wanted, got in zip(expected, actual, strict=True):
            assert_similar(wanted, got, rtol, atol)
        return
    assert actual.shape == expected.shape, f"shape {actual.shape}, not {expected.shape}"
    if expected.dtype == object:  # strings
        np.testing.assert_array_equal(actual, expected)
        return
    assert actual.dtype == expected.dtype, f"type {actual.dtype}, not {expected.dtype}"
    if expected.dtype.name == "bfloat16":
        actual, expected = actual.astype(np.float32), expected.astype(np.float32)
        rtol = max(rtol, BFLOAT16)
    np.testing.assert_allclose(actual, expected, rtol, atol)
