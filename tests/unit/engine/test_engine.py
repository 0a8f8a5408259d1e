"""Operators, plans, memory and errors of the engine, on the real binary."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyxnn import errors
from pyxnn.engine import ARENA, BinaryType, Element, Engine, Kind, ReduceType, Ref, UnaryType
from tests.support.steps import run_step
from tests.support.wasmtime_host import WasmtimeHost

INFINITY = float("inf")
RANDOM = np.random.default_rng(7)
UNLIMITED = [-INFINITY, INFINITY]


def normal(*shape: int) -> np.ndarray:
    return RANDOM.standard_normal(shape, np.float32)


def fully_connected(engine: Engine, rows_in: int = 32, rows_out: int = 64, **limits: float):
    kernel = normal(rows_out, rows_in)
    params = [rows_in, rows_out, *UNLIMITED, 0]
    return engine.create_operator(Kind.FULLY_CONNECTED, params, kernel), kernel


# Kinds against NumPy. Tolerances: sums of k products of unit normals in another order differ by about k roundings of
# 6e-8 of a result of about sqrt(k); functions approximated by polynomials are good to a few units in the last place.


@pytest.mark.parametrize("limits", [(-1.0, 1.0), (0.0, INFINITY), UNLIMITED])
@pytest.mark.parametrize("transposed", [0, 1])
@pytest.mark.parametrize(("rows", "columns"), [(9, 21), (1, 21), (1, 16), (1, 3)])
def test_fully_connected(engine, rows, columns, transposed, limits):
    a, b, bias = normal(rows, 33), normal(33, columns), normal(columns)
    kernel = b if transposed else b.T
    params, dims = [33, columns, *limits, transposed], [rows, 33, columns]
    out = run_step(engine, Kind.FULLY_CONNECTED, params, dims, [a], (rows, columns), kernel, bias)
    np.testing.assert_allclose(out, np.clip(a @ b + bias, *limits), rtol=1e-5, atol=1e-5)


def test_fully_connected_in_turns(engine):
    """So many weights that columns are taken in turns: 256 KB of them, all rows in each."""
    a, b = normal(9, 2050), normal(2050, 45)
    params, dims = [2050, 45, *UNLIMITED, 1], [9, 2050, 45]
    out = run_step(engine, Kind.FULLY_CONNECTED, params, dims, [a], (9, 45), b)
    np.testing.assert_allclose(out, a @ b, rtol=1e-4, atol=2e-4)


@pytest.mark.parametrize("limits", [(-1.0, 1.0), UNLIMITED])
@pytest.mark.parametrize("channels", [3, 4, 16, 21, 44])
def test_factors_by_channel(engine, channels, limits):
    """A convolution of each channel by itself with a window of one pixel, of pixels that lie apart."""
    x, factor, addend = normal(1, 7, 9, channels + 5), normal(channels), normal(channels)
    params = [1, 1, 1, 1, 1, 1, channels, 1, 1, 0, *limits]
    dims = [1, 7, 9, 0, 0, 0, 0, channels + 5, channels]
    out = run_step(engine, Kind.CONVOLUTION, params, dims, [x], (1, 7, 9, channels), factor, addend)
    expected = np.clip(x[..., :channels] * factor + addend, *limits)
    np.testing.assert_allclose(out, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("transpose_b", [0, 1])
def test_batch_matmul(engine, transpose_b):
    a, b = normal(3, 2, 5, 7), normal(1, 2, 7, 11)
    dims = [2, 3, 2, 1, 2, 5, 7, 11]
    given_b = np.swapaxes(b, 2, 3) if transpose_b else b
    out = run_step(engine, Kind.BATCH_MATMUL, [transpose_b], dims, [a, given_b], (3, 2, 5, 11))
    np.testing.assert_allclose(out, a @ b, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("batch", [((3, 2), (1, 2)), ((1, 2), (3, 1)), ((), ())])
@pytest.mark.parametrize("depth", [1, 4, 7])
@pytest.mark.parametrize("rows", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("columns", [1, 6, 8, 19])
def test_small_matmul(engine, batch, rows, depth, columns):
    a, b = normal(*batch[0], rows, depth), normal(*batch[1], depth, columns)
    dims = [len(batch[0]), *batch[0], *batch[1], rows, depth, columns]
    expected = a @ b
    out = run_step(engine, Kind.SMALL_MATMUL, [], dims, [a, b], expected.shape)
    np.testing.assert_allclose(out, expected, rtol=1e-5, atol=1e-5)


def test_small_matmul_of_batches_that_do_not_fit(engine):
    op, refs = engine.create_operator(Kind.SMALL_MATMUL, []), [Ref(ARENA, 0)] * 3
    plan = engine.create_plan([(op, [1, 2, 3, 1, 1, 1], refs)])
    with pytest.raises(errors.Fail, match="invalid parameter"):
        plan.reshape(1)


@pytest.mark.parametrize(
    ("kind", "function"),
    [
        (BinaryType.ADD, np.add),
        (BinaryType.SUBTRACT, np.subtract),
        (BinaryType.MULTIPLY, np.multiply),
        (BinaryType.DIVIDE, np.divide),
        (BinaryType.MAXIMUM, np.maximum),
        (BinaryType.MINIMUM, np.minimum),
    ],
)
def test_binary(engine, kind, function):
    a, b = normal(3, 1, 5), normal(4, 5)
    out = run_step(
        engine, Kind.BINARY, [kind], [3, 3, 4, 5, 5, 0, 1, 0, 5, 1, 20, 5, 1], [a, b], (3, 4, 5)
    )
    np.testing.assert_array_equal(out, function(a, b))


@pytest.mark.parametrize("broadcast", [(), (0,), (1,), (0, 1), (2,), (0, 2)])
@pytest.mark.parametrize("swapped", [False, True])
def test_binary_of_rows_that_lie_apart(engine, broadcast, swapped):
    """Parts of wider tensors, one of them broadcast along some axes; what is around the output stays as it was."""
    extents, wide = (3, 4, 5), (3, 4, 9)
    shape = tuple(1 if axis in broadcast else extent for axis, extent in enumerate(extents))
    a, b = normal(*wide), normal(*shape[:2], 5 + shape[2])
    strides_b = [0 if axis in broadcast else s // 4 for axis, s in enumerate(b.strides)]
    strides = [[36, 9, 1], strides_b][:: -1 if swapped else 1]
    dims = [3, *extents, *strides[0], *strides[1], 36, 9, 1]
    inputs = [b, a] if swapped else [a, b]
    out = run_step(engine, Kind.BINARY, [BinaryType.SUBTRACT], dims, inputs, wide)
    first, second = (array[..., : 5 if array is a else shape[2]] for array in inputs)
    np.testing.assert_array_equal(out[..., :5], first - second)
    assert np.isnan(out[:-1, ..., 5:]).all()


@pytest.mark.parametrize("strides", [(2, 1, 1), (1, 2, 1), (1, 1, 2), (0, 0, 1), (2, 0, 2)])
def test_binary_of_columns_that_lie_apart(engine, strides):
    a, b = normal(16), normal(16)
    out = run_step(engine, Kind.BINARY, [BinaryType.ADD], [1, 5, *strides], [a, b], (16,))
    first, second, output = (np.arange(5) * stride for stride in strides)
    np.testing.assert_array_equal(out[output], a[first] + b[second])


@pytest.mark.parametrize("factors", [(3, 4, 21), (3, 1, 21), (21,), (4, 1), (1,)])
@pytest.mark.parametrize("addends", [(3, 4, 21), (21,), (4, 1)])
@pytest.mark.parametrize("input_step", [1, 2])
def test_multiply_add(engine, factors, addends, input_step):
    """Rows that lie apart, factors and addends that broadcast, all of it clamped but for NaN."""
    extents, low, high = (3, 4, 21), -0.5, 1.5
    x, output = normal(3, 4, 21 * input_step), (3, 4, 25)
    x[1, 2, 3 * input_step] = np.nan
    arrays = [normal(*factors), normal(*addends)]
    broadcast = [np.broadcast_to(array, extents) for array in arrays]
    strides = [[s // 4 for s in array.strides] for array in (x[..., ::input_step], *broadcast)]
    dims = [3, *extents, *(s for each in strides for s in each), 100, 25, 1]
    out = run_step(engine, Kind.MULTIPLY_ADD, [low, high], dims, [x, *arrays], output)
    expected = np.clip(x[..., ::input_step] * broadcast[0] + broadcast[1], low, high)
    np.testing.assert_allclose(out[..., :21], expected, rtol=1e-6, atol=1e-6)  # one rounding or two
    assert np.isnan(out[:-1, ..., 21:]).all()


@pytest.mark.parametrize("dims", [[], [1, 4, 1, 1]])
def test_binary_refuses(engine, dims):
    x = normal(16)
    with pytest.raises(errors.Fail):
        run_step(engine, Kind.BINARY, [BinaryType.ADD], dims, [x, x], (16,))


@pytest.mark.parametrize(
    ("kind", "p0", "p1", "function"),
    [
        (UnaryType.CLAMP, -0.5, 0.5, lambda x: np.clip(x, -0.5, 0.5)),
        (UnaryType.HARDSWISH, 0.0, 0.0, lambda x: x * np.clip(x / 6 + 0.5, 0, 1)),
        (UnaryType.ABS, 0.0, 0.0, np.abs),
        (UnaryType.NEGATE, 0.0, 0.0, np.negative),
        (UnaryType.SQUARE_ROOT, 0.0, 0.0, np.sqrt),
        (UnaryType.LEAKY_RELU, 0.1, 0.0, lambda x: np.where(x < 0, np.float32(0.1) * x, x)),
        (UnaryType.FLOOR, 0.0, 0.0, np.floor),
        (UnaryType.CEILING, 0.0, 0.0, np.ceil),
        (UnaryType.ROUND, 0.0, 0.0, np.round),
    ],
)
def test_unary(engine, kind, p0, p1, function):
    x = normal(3, 17) * 3
    if kind == UnaryType.SQUARE_ROOT:
        x = np.abs(x)
    out = run_step(engine, Kind.UNARY, [kind, p0, p1], [3, 17, 17, 17], [x], (3, 17))
    np.testing.assert_allclose(out, function(x), rtol=2e-6, atol=1e-6)


@pytest.mark.parametrize(("first", "axes"), [(1, (0, 2)), (0, (1,))])
@pytest.mark.parametrize(
    ("kind", "function"),
    [
        (ReduceType.SUM, np.sum),
        (ReduceType.MEAN, np.mean),
        (ReduceType.PRODUCT, np.prod),
        (ReduceType.GREATEST, np.max),
        (ReduceType.LEAST, np.min),
        (ReduceType.L1, lambda x, axes: abs(x).sum(axes)),
        (ReduceType.SUM_SQUARE, lambda x, axes: (x * x).sum(axes)),
        (ReduceType.L2, lambda x, axes: np.sqrt((x * x).sum(axes))),
        (ReduceType.LOG_SUM, lambda x, axes: np.log(x.sum(axes))),
        (ReduceType.LOG_SUM_EXP, lambda x, axes: np.log(np.exp(x).sum(axes))),
    ],
)
def test_reduce(engine, kind, function, first, axes):
    x = abs(normal(5, 6, 7))
    expected = function(x, axes)
    params = [kind, Element.FLOAT32]
    out = run_step(engine, Kind.REDUCE, params, [first, 3, 5, 6, 7], [x], expected.shape)
    np.testing.assert_allclose(out, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.float32, np.float64])
@given(data=st.data())
def test_transpose(engine, dtype, data):
    """Whole squares of each size of elements, and what is left of them."""
    extents = data.draw(st.lists(st.sampled_from([2, 3, 4, 7, 8, 17, 40]), min_size=2, max_size=4))
    permutation = data.draw(st.permutations(range(len(extents))))
    x = (normal(*extents) * 50).astype(dtype)
    expected = np.transpose(x, permutation)
    dims = [len(extents), *extents, *permutation]
    out = run_step(engine, Kind.TRANSPOSE, [x.itemsize], dims, [x], expected.shape, dtype=dtype)
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("dtype", [np.int8, np.float32])
@given(wide=st.integers(1, 70), narrow=st.integers(1, 9))
def test_transpose_of_few_rows_or_columns(engine, dtype, wide, narrow):
    for shape in [(wide, narrow), (narrow, wide), (2, wide, narrow), (2, narrow, wide)]:
        x = np.arange(np.prod(shape)).astype(dtype).reshape(shape)
        permutation = (*range(x.ndim - 2), x.ndim - 1, x.ndim - 2)
        expected, dims = np.transpose(x, permutation), [x.ndim, *shape, *permutation]
        out = run_step(engine, Kind.TRANSPOSE, [x.itemsize], dims, [x], expected.shape, dtype=dtype)
        np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.float32, np.float64])
@given(data=st.data())
def test_copy_between_strides(engine, dtype, data):
    """To a dense output: a part of the input, backwards, repeated, or every so manieth element."""
    extents = data.draw(st.lists(st.sampled_from([1, 2, 3, 5, 17, 40]), min_size=1, max_size=4))
    x = np.arange(4 * np.prod(extents), dtype=np.int64).astype(dtype)
    steps = st.sampled_from([0, 1, 2, -1])
    strides = [data.draw(steps) * step for step in strides_of(extents)]
    out_strides = strides_of(extents)
    start = sum(
        -stride * (extent - 1)
        for stride, extent in zip(strides, extents, strict=True)
        if stride < 0
    )
    expected = np.lib.stride_tricks.as_strided(
        x[start:], extents, [stride * x.itemsize for stride in strides]
    )
    words = [word & 0xFFFFFFFF for word in (*extents, *strides, *out_strides)]
    op = engine.create_operator(Kind.COPY, [x.itemsize])
    far = (x.nbytes + 63) // 64 * 64
    refs = [Ref(ARENA, start * x.itemsize), Ref(ARENA, far)]
    plan = engine.create_plan([(op, [len(extents), *words], refs)])
    plan.reshape(1)
    out = np.empty(extents, dtype)
    arena = engine.allocate(far + out.nbytes)
    engine.write(arena, x)
    plan.bind(arena, 0)
    plan.run(1, True)
    engine.read(arena + far, out)
    np.testing.assert_array_equal(out, expected)
    plan.close()
    op.close()
    engine.release(arena)


def strides_of(extents):
    return [int(np.prod(extents[axis + 1 :])) for axis in range(len(extents))]


# Plans


def test_plans_of_two_shapes_share_the_weights(engine):
    used = engine.memory_used()
    op, kernel = fully_connected(engine, 512, 512)
    weights = engine.memory_used() - used
    plans = {}
    for rows in (1, 40):
        refs = [Ref(ARENA, 0), Ref(ARENA, rows * 2048)]
        plan = engine.create_plan([(op, [rows, 512, 512], refs)])
        plan.reshape(1)
        plans[rows] = plan, engine.allocate(2 * rows * 2048)
        plan.bind(plans[rows][1], 0)
    op.close()
    for rows in (1, 40, 1):
        plan, arena = plans[rows]
        x, out = normal(rows, 512), np.empty((rows, 512), np.float32)
        engine.write(arena, x)
        plan.run(1, True)
        engine.read(arena + rows * 2048, out)
        np.testing.assert_allclose(out, x @ kernel.T, rtol=1e-4, atol=1e-4)
    beyond_weights = engine.memory_used() - used - weights - 2 * 41 * 2048
    assert beyond_weights < 32 << 10
    for plan, arena in plans.values():
        plan.close()
        engine.release(arena)
    assert engine.memory_used() == used


def test_profile_times_each_step(engine):
    op, _ = fully_connected(engine)
    plan = engine.create_plan([(op, [8, 32, 64], [Ref(ARENA, 0), Ref(ARENA, 1024)])] * 3)
    plan.reshape(1)
    arena = engine.allocate(4096)
    plan.bind(arena, 0)
    times = plan.profile(1, True)
    assert len(times) == 3
    assert all(time >= 0 for time in times)
    engine.release(arena)


def test_operators_and_plans_are_freed_when_collected(engine):
    used = engine.memory_used()
    for _ in range(20):
        op, _ = fully_connected(engine)
        engine.create_plan([(op, [8, 32, 64], [Ref(ARENA, 0), Ref(ARENA, 1024)])])
        del op
    assert engine.memory_used() == used


# Errors: each leaves the engine as it was.


@pytest.fixture
def unchanged(engine):
    used = engine.memory_used()
    yield
    assert engine.memory_used() == used


@pytest.mark.usefixtures("unchanged")
class TestErrors:
    def test_unknown_kind(self, engine):
        with pytest.raises(errors.Fail, match="no operator kind 99"):
            engine.create_operator(99, [])

    def test_number_of_parameters(self, engine):
        with pytest.raises(errors.Fail, match="softmax takes 1 parameter words, not 2"):
            engine.create_operator(Kind.SOFTMAX, [0, 1])

    def test_invalid_parameter(self, engine):
        params = [3, 3, 0, 1, 1, 1, 1, 4, 4, 0, *UNLIMITED]
        with pytest.raises(errors.Fail, match="invalid parameter while creating convolution"):
            engine.create_operator(Kind.CONVOLUTION, params, normal(4, 3, 3, 4))

    def test_no_kernel_for_it(self, engine):
        params = [7, 7, 1, 1, 4, *UNLIMITED]
        with pytest.raises(errors.NotImplemented, match="depthwise"):
            engine.create_operator(Kind.DEPTHWISE, params, normal(4, 7, 7))

    def test_number_of_tensors(self, engine):
        op, _ = fully_connected(engine)
        with pytest.raises(errors.Fail, match="takes 2 tensors, not 1"):
            engine.create_plan([(op, [8, 32, 64], [Ref(ARENA, 0)])])

    def test_a_step_after_others(self, engine):
        op, _ = fully_connected(engine)
        steps = [(op, [8, 32, 64], [Ref(ARENA, 0)] * count) for count in (2, 2, 3)]
        with pytest.raises(errors.Fail, match="takes 2 tensors, not 3"):
            engine.create_plan(steps)

    @pytest.mark.parametrize("missing", [1, 2, 7])
    def test_words_that_end_within_a_step(self, engine, missing):
        op, _ = fully_connected(engine)
        words = np.uint32([op.address, 1, 8, 2, ARENA, 0, ARENA, 64])
        engine.write(engine.scratch, words)
        with pytest.raises(errors.Fail, match="end within step 0"):
            engine.check(
                "pyxnn_plan_create", engine.scratch, len(words) - missing, 1, engine.scratch
            )

    @pytest.mark.parametrize("dims", [[], [8, 32, 64, 1]])
    def test_number_of_dims(self, engine, dims):
        op, _ = fully_connected(engine)
        plan = engine.create_plan([(op, dims, [Ref(ARENA, 0), Ref(ARENA, 1024)])])
        with pytest.raises(errors.Fail, match=f"does not take {len(dims)} dims words"):
            plan.reshape(1)

    @pytest.mark.parametrize("strides", [[31, 64], [32, 63]])
    def test_rows_that_overlap(self, engine, strides):
        op, _ = fully_connected(engine)
        plan = engine.create_plan([(op, [8, *strides], [Ref(ARENA, 0), Ref(ARENA, 1024)])])
        with pytest.raises(errors.Fail, match="invalid parameter"):
            plan.reshape(1)

    def test_pads_of_a_convolution_without(self, engine):
        params = [3, 3, 1, 1, 1, 1, 1, 4, 4, 0, *UNLIMITED]
        op = engine.create_operator(Kind.CONVOLUTION, params, normal(4, 3, 3, 4))
        plan = engine.create_plan(
            [(op, [1, 8, 8, 1, 0, 0, 0, 4, 4], [Ref(ARENA, 0), Ref(ARENA, 1024)])]
        )
        with pytest.raises(errors.Fail, match="invalid parameter"):
            plan.reshape(1)

    @pytest.mark.parametrize(
        ("kind", "params", "dims"),
        [
            (Kind.TRANSPOSE, [4], [17, *[1] * 34]),
            (Kind.REDUCE, [0, 0], [0, 9, *[1] * 9]),
        ],
    )
    def test_number_of_dimensions(self, engine, kind, params, dims):
        op = engine.create_operator(kind, params)
        plan = engine.create_plan([(op, dims, [Ref(ARENA, 0), Ref(ARENA, 64)])])
        with pytest.raises(errors.Fail, match="invalid parameter"):
            plan.reshape(1)

    def test_order_of_calls(self, engine):
        op, _ = fully_connected(engine)
        plan = engine.create_plan([(op, [8, 32, 64], [Ref(ARENA, 0), Ref(ARENA, 1024)])])
        with pytest.raises(errors.Fail, match="must be reshaped before it is bound"):
            plan.bind(0, 0)
        plan.reshape(1)
        with pytest.raises(errors.Fail, match="must be bound before it is run"):
            plan.run(1, True)


def test_out_of_memory_is_an_error_and_not_a_trap():
    small = Engine(WasmtimeHost(max_pages=512))
    used = small.memory_used()
    with pytest.raises(errors.RuntimeException, match="could not allocate 1073741824 bytes"):
        small.allocate(1 << 30)
    rows = 2048
    with pytest.raises(
        errors.RuntimeException, match="out of memory while creating fully connected"
    ):
        # The copy of the weights fits into 32 MiB, the packed weights beside it do not.
        fully_connected(small, rows, rows)
    assert small.memory_used() == used
    op, _ = fully_connected(small)
    op.close()
    assert small.memory_used() == used
