"""The engine's transposed convolution, where XNNPACK's own would read outside its memory."""

import numpy as np
import pytest

from pyxnn import errors
from pyxnn.engine import ARENA, Engine, Kind, Ref


def reshape(engine: Engine, pixels: int, stride: int, crop: int) -> None:
    """Plans a signal of some pixels, a kernel of three, and an output without its last pixels."""
    params = [1, 3, 1, stride, 1, 1, 1, 1, 1, 1, float("-inf"), float("inf")]
    operator = engine.create_operator(
        Kind.DECONVOLUTION, params, np.ones((1, 1, 1, 3, 1), np.float32)
    )
    dims, refs = [1, 1, pixels, 0, crop, 0, 0, 1, 1], [Ref(ARENA, 0), Ref(ARENA, 64)]
    plan = engine.create_plan([(operator, dims, refs)])
    try:
        plan.reshape(1)
    finally:
        plan.close()
        operator.close()


def test_output_smaller_than_the_stride(engine):
    reshape(engine, pixels=1, stride=3, crop=0)
    with pytest.raises(errors.NotImplemented):
        reshape(engine, pixels=1, stride=3, crop=1)
    reshape(engine, pixels=2, stride=3, crop=3)
