"""Runs a single step of the engine, for tests of operator kinds."""

from collections.abc import Sequence

import numpy as np

from pyxnn.engine import ARENA, Engine, Kind, Ref


def run_step(
    engine: Engine,
    kind: Kind,
    params: Sequence[int | float],
    dims: Sequence[int],
    inputs: Sequence[np.ndarray],
    out_shape: Sequence[int],
    kernel: np.ndarray | None = None,
    bias: np.ndarray | None = None,
    dtype: type = np.float32,
) -> np.ndarray:
    """Create an operator, run it once in a plan of its own, free everything, return the output, which is of ``dtype``."""
    out = np.empty(out_shape, dtype)
    out.reshape(-1).view(np.uint8).fill(255)  # NaN, if it is of floats
    offsets = np.cumsum([0, *((array.nbytes + 63) // 64 * 64 for array in inputs)]).tolist()
    op = engine.create_operator(kind, params, kernel, bias)
    plan = engine.create_plan([(op, dims, [Ref(ARENA, offset) for offset in offsets])])
    arena = workspace = 0
    try:
        workspace = engine.allocate(plan.reshape(1))
        arena = engine.allocate(offsets[-1] + out.nbytes)
        plan.bind(arena, workspace)
        for offset, array in zip(offsets, inputs, strict=False):
            engine.write(arena + offset, np.ascontiguousarray(array))
        engine.write(arena + offsets[-1], out)
        assert plan.run(1, True)
        engine.read(arena + offsets[-1], out)
    finally:
        plan.close()
        op.close()
        engine.release(arena)
        engine.release(workspace)
    return out
