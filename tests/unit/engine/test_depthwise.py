"""Our depthwise kernel against XNNPACK's convolution: same sums, other order, so within a few roundings."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyxnn.engine import ARENA, Engine, Kind, Ref
from tests.support.wasmtime_host import WasmtimeHost

INFINITY = float("inf")


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(WasmtimeHost())


def run_step(engine, kind, params, kernel, bias, dims, image, out_shape):
    op = engine.create_operator(kind, params, kernel, bias)
    plan = engine.create_plan()
    out = np.full(out_shape, np.nan, np.float32)
    arena = engine.allocate(image.nbytes + out.nbytes)
    plan.add(op, dims, [Ref(ARENA, 0), Ref(ARENA, image.nbytes)])
    workspace = engine.allocate(plan.reshape(1))
    plan.bind(arena, workspace)
    engine.write(arena, image)
    plan.run(1, True)
    engine.read(arena + image.nbytes, out)
    plan.close()
    op.close()
    engine.release(arena)
    engine.release(workspace)
    return out


@given(
    kernel_w=st.sampled_from([3, 5]),
    kernel_h=st.integers(1, 5),
    stride_w=st.sampled_from([1, 2]),
    stride_h=st.integers(1, 3),
    pads=st.tuples(*[st.integers(0, 4)] * 4),
    channels=st.integers(1, 140),
    batch=st.integers(1, 2),
    size=st.tuples(st.integers(1, 12), st.integers(1, 14)),
    clamped=st.booleans(),
    with_bias=st.booleans(),
)
def test_equals_xnnpack(
    engine, kernel_w, kernel_h, stride_w, stride_h, pads, channels, batch, size, clamped, with_bias
):
    top, right, bottom, left = pads
    height = max(size[0], kernel_h - top - bottom)
    width = max(size[1], kernel_w - left - right)
    random = np.random.default_rng(channels)
    image = random.standard_normal((batch, height, width, channels), np.float32)
    kernel = random.standard_normal((channels, kernel_h, kernel_w), np.float32)
    bias = random.standard_normal(channels, np.float32) if with_bias else None
    out_height = (height + top + bottom - kernel_h) // stride_h + 1
    out_width = (width + left + right - kernel_w) // stride_w + 1
    out_shape = (batch, out_height, out_width, channels)
    limits = [-0.5, 1.0] if clamped else [-INFINITY, INFINITY]
    window = [*pads, kernel_h, kernel_w, stride_h, stride_w]
    dims = [batch, height, width]
    used = engine.memory_used()
    ours = run_step(
        engine, Kind.DEPTHWISE, [*window, channels, *limits], kernel, bias, dims, image, out_shape
    )
    params = [*window, 1, 1, channels, 1, 1, channels, channels, *limits]
    theirs = run_step(engine, Kind.CONVOLUTION, params, kernel, bias, dims, image, out_shape)
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)
    assert engine.memory_used() == used


def test_nan_stays_nan(engine):
    image = np.full((1, 4, 4, 4), np.nan, np.float32)
    kernel = np.ones((4, 3, 3), np.float32)
    params = [1, 1, 1, 1, 3, 3, 1, 1, 4, -INFINITY, INFINITY]
    out = run_step(engine, Kind.DEPTHWISE, params, kernel, None, [1, 4, 4], image, (1, 4, 4, 4))
    assert np.isnan(out).all()
