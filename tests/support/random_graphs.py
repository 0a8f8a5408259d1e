"""Random graphs: a table of operators, and for each how to draw its inputs and attributes.

A line more in `OPERATORS` is an operator more. What it draws from is a `Maker`; whether a node may stay, the maker sees
by running it with onnx.reference.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from hypothesis import strategies as st
from onnx import helper
from onnx.reference import ReferenceEvaluator

from tests.support import native

OPSET = 18
_MOST_ELEMENTS = 4000
_LARGEST = 50.0
_MOST_CHOICES = 63  # that onnx.reference's GatherElements takes from


Case = tuple[bytes, dict[str, np.ndarray]]
"""A model and its feeds."""


class Maker:
    """A graph that grows; `values` are the floats that there are so far, constants left out."""

    def __init__(self, draw: Any) -> None:
        self.draw = draw
        self.random = np.random.default_rng(draw(st.integers(0, 9999)))
        self.nodes: list[onnx.NodeProto] = []
        self.feeds: dict[str, np.ndarray] = {}
        self.constants: dict[str, np.ndarray] = {}
        self.values: dict[str, np.ndarray] = {}
        self.booleans: dict[str, np.ndarray] = {}
        for name in ("a", "b")[: draw(st.integers(1, 2))]:
            rank = draw(st.sampled_from([4, 4, 3, 2]))
            shape = draw(st.tuples(st.integers(1, 2), *[st.integers(1, 6)] * (rank - 1)))
            self.feeds[name] = self.values[name] = self.random.standard_normal(shape, np.float32)

    def pick(self, *ranks: int) -> str | None:
        """The name of a value of one of some ranks, None when there is none."""
        names = [name for name, value in self.values.items() if not ranks or value.ndim in ranks]
        return self.draw(st.sampled_from(names)) if names else None

    def alike(self, accepts: Callable[[tuple[int, ...]], bool]) -> str | None:
        """The name of a value whose shape is accepted."""
        names = [name for name, value in self.values.items() if accepts(value.shape)]
        return self.draw(st.sampled_from(names)) if names else None

    def axis(self, x: str) -> int:
        return self.draw(st.integers(0, self.values[x].ndim - 1))

    def any(self, *choices: Any) -> Any:
        return self.draw(st.sampled_from(choices))

    def constant(self, array: Any) -> str:
        name = f"k{len(self.constants)}"
        self.constants[name] = np.asarray(array)
        return name

    def weights(self, *shape: int) -> str:
        """Normal numbers, smaller the more of them add up."""
        scale = max(np.prod(shape[1:]), 1) ** -0.5
        return self.constant((scale * self.random.standard_normal(shape)).astype(np.float32))

    def node(
        self, op_type: str, inputs: list[str], outputs: int = 1, **attributes: Any
    ) -> list[str]:
        """Adds a node, unless its results are too large, empty or no numbers; returns their names."""
        names = [f"v{len(self.nodes)}_{place}" for place in range(outputs)]
        node = helper.make_node(op_type, inputs, names, **attributes)
        known = {**self.constants, **self.values, **self.booleans}
        evaluator = ReferenceEvaluator(node, opsets={"": OPSET})
        results = evaluator.run(None, {name: known[name] for name in inputs if name})
        for result in results:
            fits = 0 < result.size <= _MOST_ELEMENTS and result.dtype == np.float32
            if not fits or not np.isfinite(result).all() or abs(result).max() > _LARGEST:
                return []
        self.nodes.append(node)
        self.values.update(zip(names, map(np.asarray, results), strict=True))
        return names

    def boolean(self, op_type: str, inputs: list[str]) -> str:
        """Adds a node that gives booleans, which nobody else picks; returns their name."""
        name = f"v{len(self.nodes)}_0"
        node = helper.make_node(op_type, inputs, [name])
        known = {**self.constants, **self.values, **self.booleans}
        evaluator = ReferenceEvaluator(node, opsets={"": OPSET})
        (result,) = evaluator.run(None, {name: known[name] for name in inputs})
        self.nodes.append(node)
        self.booleans[name] = result
        return name


Draw = Callable[[Maker, str], object]


def _unary(**attributes: Any) -> Draw:
    return lambda make, op_type: make.node(op_type, [make.pick()], **attributes)


def _binary(make: Maker, op_type: str) -> None:
    x = make.pick()
    shape = make.values[x].shape
    kind = make.any("value", "value", "number", "row", "channel")
    if kind == "value":
        y = make.alike(lambda other: _broadcast(shape, other))
    elif kind == "number" or len(shape) < 2:
        y = make.constant(np.float32(make.any(0, 1, -0.5, 2)))
    else:
        y = (
            make.weights(shape[-1])
            if kind == "row"
            else make.weights(shape[1], *[1] * (len(shape) - 2))
        )
    make.node(op_type, [x, y] if make.any(True, False) else [y, x])


def _broadcast(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    return all(x == y or 1 in (x, y) for x, y in zip(a[::-1], b[::-1], strict=False))


def _clip(make: Maker, op_type: str) -> None:
    low, high = (make.constant(np.float32(limit)) for limit in (make.any(-1, 0), make.any(0.5, 6)))
    make.node(op_type, [make.pick(), make.any("", low), make.any("", high)])


def _swish(make: Maker, op_type: str) -> None:
    x = make.pick()
    for gate in make.node(make.any("Sigmoid", "HardSigmoid"), [x]):
        make.node("Mul", [x, gate])


def _hard_swish(make: Maker, op_type: str) -> None:
    x = make.pick()
    three, zero, six = (make.constant(np.float32(number)) for number in (3, 0, 6))
    for shifted in make.node("Add", [x, three]):
        for gate in make.node("Clip", [shifted, zero, six]):
            for product in make.node("Mul", [x, gate]):
                make.node("Div", [product, six])


def _conv(make: Maker, op_type: str) -> None:
    x = make.pick(4)
    if x is None:
        return
    channels, kernel = make.values[x].shape[1], make.any(1, 3)
    depthwise, outputs = make.any(True, False), make.any(1, 2, 5)
    transposed = op_type == "ConvTranspose"
    if depthwise:
        outputs, shape = channels, (channels, 1)
    else:
        shape = (channels, outputs) if transposed else (outputs, channels)
    names = [x, make.weights(*shape, kernel, kernel)]
    if make.any(True, False):
        names.append(make.weights(outputs))
    attributes = {"pads": [kernel // 2] * 4, "group": channels if depthwise else 1}
    make.node(op_type, names, strides=[make.any(1, 2)] * 2, **attributes)


def _pool(make: Maker, op_type: str) -> None:
    x = make.pick(4)
    if x is not None and min(make.values[x].shape[2:]) >= 2:
        pads = [make.any(0, 1)] * 4
        more = {"count_include_pad": make.any(0, 1)} if op_type == "AveragePool" else {}
        make.node(op_type, [x], kernel_shape=[2, 2], pads=pads, **more)


def _batch_norm(make: Maker, op_type: str) -> None:
    x = make.pick(2, 3, 4)
    if x is not None:
        channels = make.values[x].shape[1]
        variance = make.constant(make.random.uniform(0.5, 2, channels).astype(np.float32))
        make.node(op_type, [x, *(make.weights(channels) for _ in range(3)), variance])


def _layer_norm(make: Maker, op_type: str) -> None:
    x = make.pick(2, 3, 4)
    if x is not None:
        row = make.values[x].shape[-1]
        make.node(op_type, [x, make.weights(row), make.weights(row)], epsilon=0.1)


def _matmul(make: Maker, op_type: str) -> None:
    x = make.pick(2, 3, 4)
    if x is None:
        return
    shape = make.values[x].shape
    computed = make.alike(
        lambda other: (
            len(other) >= 2 and other[-2] == shape[-1] and _broadcast(shape[:-2], other[:-2])
        )
    )
    weights = make.weights(shape[-1], make.any(1, 3, 4))
    make.node(op_type, [x, computed if computed and make.any(True, False) else weights])


def _gemm(make: Maker, op_type: str) -> None:
    x = make.pick(2)
    if x is None:
        return
    trans_a, trans_b, columns = make.any(0, 1), make.any(0, 1), make.any(1, 3)
    depth = make.values[x].shape[0 if trans_a else 1]
    weights = make.weights(*((columns, depth) if trans_b else (depth, columns)))
    addend = make.any([], [make.weights(columns)], [make.weights()])
    scales = {"alpha": make.any(1.0, 0.5), "beta": make.any(1.0, 2.0)}
    make.node(op_type, [x, weights, *addend], transA=trans_a, transB=trans_b, **scales)


def _einsum(make: Maker, op_type: str) -> None:
    x = make.pick(3)
    if x is not None:
        rows = make.weights(make.values[x].shape[2], 3)
        equation = make.any("bij,jk->bik", "bij,jk->bki", "bij,jk->ik")
        make.node(op_type, [x, rows], equation=equation)


def _transpose(make: Maker, op_type: str) -> None:
    x = make.pick(2, 3, 4, 5)
    if x is not None:
        make.node(op_type, [x], perm=make.draw(st.permutations(range(make.values[x].ndim))))


def _reshape(make: Maker, op_type: str) -> None:
    x = make.pick(2, 3, 4)
    if x is None:
        return
    shape = list(make.values[x].shape)
    at = make.draw(st.integers(0, len(shape) - 2))
    merged = [*shape[:at], -1, *shape[at + 2 :]]
    target = make.any(merged, [*shape[:at], 1, *shape[at:]], shape[::-1], [0, -1])
    make.node(op_type, [x, make.constant(np.array(target, np.int64))])


def _unsqueeze(make: Maker, op_type: str) -> None:
    x = make.pick(1, 2, 3, 4)
    if x is not None:
        axes = make.constant(np.array([make.axis(x)], np.int64))
        for longer in make.node("Unsqueeze", [x, axes]):
            make.node(make.any("Squeeze", "Relu"), [longer])


def _concat(make: Maker, op_type: str) -> None:
    x = make.pick(2, 3, 4)
    if x is not None:
        shape = make.values[x].shape
        others = [make.alike(lambda other: other == shape) for _ in range(make.any(0, 1, 2))]
        make.node(op_type, [x, *filter(None, others)], axis=make.axis(x))


def _slice(make: Maker, op_type: str) -> None:
    x = make.pick(2, 3, 4)
    if x is not None:
        bounds = ([make.any(0, 1, -2)], [make.any(2, 99, -1)], [make.axis(x)], [make.any(1, 2)])
        make.node(op_type, [x, *(make.constant(np.array(bound, np.int64)) for bound in bounds)])


def _split(make: Maker, op_type: str) -> None:
    x = make.pick(2, 3, 4)
    if x is not None:
        axis = make.axis(x)
        if make.values[x].shape[axis] % 2 == 0:
            make.node(op_type, [x], 2, axis=axis, num_outputs=2)


def _pad(make: Maker, op_type: str) -> None:
    x = make.pick(2, 3, 4)
    if x is not None:
        rank = make.values[x].ndim
        amounts = make.draw(st.lists(st.integers(0, 1), min_size=rank, max_size=rank))
        if rank == 4 and make.any(True, False):
            amounts[:2] = [0, 0]
        make.node(op_type, [x, make.constant(np.array(amounts * 2, np.int64))])


def _resize(make: Maker, op_type: str) -> None:
    x = make.pick(4)
    if x is not None:
        scales = make.constant(np.array([1, 1, make.any(1, 2), 2], np.float32))
        make.node(op_type, [x, "", scales], mode=make.any("linear", "nearest"))


def _expand(make: Maker, op_type: str) -> None:
    x = make.pick(1, 2, 3)
    if x is not None:
        shape = make.values[x].shape
        make.node(op_type, [x, make.constant(np.array([make.any(1, 2), *shape], np.int64))])


def _reduce(make: Maker, op_type: str) -> None:
    x = make.pick(1, 2, 3, 4)
    if x is not None:
        axes = make.constant(np.array([make.axis(x)], np.int64))
        make.node(op_type, [x, axes], keepdims=make.any(0, 1))


def _where(make: Maker, op_type: str) -> None:
    x = make.pick()
    shape = make.values[x].shape
    y = make.alike(lambda other: _broadcast(shape, other))
    chosen = make.random.random(shape[-2:]) > 0.5
    make.node(op_type, [make.constant(chosen), *make.draw(st.permutations([x, y]))])


def _compare(make: Maker, op_type: str) -> None:
    """A comparison, whose result chooses or is a factor: of what is fed, since both sides have the same of it."""
    x = make.any(*make.feeds)
    y = make.any(*make.feeds)
    if not _broadcast(make.values[x].shape, make.values[y].shape):
        y = make.constant(np.float32(0))
    test = make.boolean(make.any("Less", "GreaterOrEqual"), [x, y])
    if make.any(True, False):
        make.node("Where", [test, x, y])
    else:
        make.node("Cast", [test], to=onnx.TensorProto.FLOAT)


def _prelu(make: Maker, op_type: str) -> None:
    x = make.pick(2, 3, 4)
    if x is not None:
        shape = make.values[x].shape
        slope = (
            make.weights(shape[1], *[1] * (len(shape) - 2)) if len(shape) > 2 else make.weights(1)
        )
        make.node(op_type, [x, slope])


def _instance_norm(make: Maker, op_type: str) -> None:
    x = make.pick(3, 4)
    if x is not None and np.prod(make.values[x].shape[2:]) > 1:
        channels = make.values[x].shape[1]
        make.node(op_type, [x, make.weights(channels), make.weights(channels)], epsilon=0.1)


def _chain(make: Maker, x: str, *steps: tuple[str, list[int | str], dict[str, Any]]) -> None:
    """Nodes whose inputs are names, or places in the sequence of `x` and their results."""
    made = [x]
    for op_type, inputs, attributes in steps:
        names = [made[one] if isinstance(one, int) else one for one in inputs]
        results = make.node(op_type, names, **attributes)
        if not results:
            return
        made += results


def _layer_norm_of_primitives(make: Maker, op_type: str) -> None:
    x = make.pick(2, 3, 4)
    if x is None:
        return
    row = make.values[x].shape[-1]
    two, epsilon = (make.constant(np.float32(number)) for number in (2, 0.1))
    axes = make.constant(np.array([-1]))
    _chain(
        make,
        x,
        ("ReduceMean", [0, axes], {}),
        ("Sub", [0, 1], {}),
        ("Pow", [2, two], {}),
        ("ReduceMean", [3, axes], {}),
        ("Add", [4, epsilon], {}),
        ("Sqrt", [5], {}),
        ("Div", [2, 6], {}),
        ("Mul", [7, make.weights(row)], {}),
        ("Add", [8, make.weights(row)], {}),
    )


def _gelu_of_primitives(make: Maker, op_type: str) -> None:
    root, one, half = (make.constant(np.float32(number)) for number in (2**0.5, 1, 0.5))
    steps = ("Div", [0, root]), ("Erf", [1]), ("Add", [2, one]), ("Mul", [0, 3]), ("Mul", [4, half])
    _chain(make, make.pick(), *((op_type, inputs, {}) for op_type, inputs in steps))


def _attention_of_primitives(make: Maker, op_type: str) -> None:
    """Queries, keys and values are one value."""
    x = make.pick(3, 4)
    if x is None:
        return
    *outer, rows, size = make.values[x].shape
    axes = [*range(len(outer)), len(outer) + 1, len(outer)]
    scale = make.constant(np.float32(size**-0.5))
    masked = make.any(True, False)
    mask = make.constant(make.random.standard_normal(rows).astype(np.float32))
    _chain(
        make,
        x,
        ("Transpose", [0], {"perm": axes}),
        ("MatMul", [0, 1], {}),
        ("Mul", [2, scale], {}),
        *([("Add", [3, mask], {})] if masked else []),
        ("Softmax", [-1], {"axis": -1}),
        ("MatMul", [-1, 0], {}),
    )


def _depth_to_space(make: Maker, op_type: str) -> None:
    x = make.pick(4)
    if x is None:
        return
    _, channels, height, width = make.values[x].shape
    if op_type == "DepthToSpace" and channels % 4 == 0:
        make.node(op_type, [x], blocksize=2, mode=make.any("DCR", "CRD"))
    elif op_type == "SpaceToDepth" and height % 2 == width % 2 == 0:
        make.node(op_type, [x], blocksize=2)


def _tile(make: Maker, op_type: str) -> None:
    x = make.pick(1, 2, 3)
    if x is not None:
        repeats = [make.any(1, 2) for _ in make.values[x].shape]
        make.node(op_type, [x, make.constant(np.array(repeats, np.int64))])


def _cum_sum(make: Maker, op_type: str) -> None:
    x = make.pick(1, 2, 3, 4)
    if x is not None:
        axis = make.constant(np.array(make.axis(x)))
        make.node(op_type, [x, axis], reverse=make.any(0, 1), exclusive=make.any(0, 1))


def _lstm(make: Maker, op_type: str) -> None:
    """A layer over rows, whose hidden states are used, and the last ones."""
    x = make.pick(3)
    if x is not None:
        weights = [make.weights(1, 12, make.values[x].shape[2]), make.weights(1, 12, 3)]
        make.node(op_type, [x, *weights], 3, hidden_size=3)


def _softmax(make: Maker, op_type: str) -> None:
    x = make.pick(1, 2, 3, 4)
    if x is not None:
        make.node(op_type, [x], axis=make.axis(x))


def _global_pool(make: Maker, op_type: str) -> None:
    x = make.pick(4)
    if x is not None:
        make.node(op_type, [x])


def _gather(make: Maker, op_type: str) -> None:
    x = make.alike(bool)
    if x is None:
        return
    axis = make.axis(x)
    shape = list(make.values[x].shape)
    if op_type == "GatherElements" and shape[axis] > _MOST_CHOICES:
        return
    shape[axis] = make.any(1, 3)
    indices = make.random.integers(-make.values[x].shape[axis], make.values[x].shape[axis], shape)
    if op_type == "Gather":
        indices = indices.reshape(-1)[:3]
    make.node(op_type, [x, make.constant(indices)], axis=axis)


def _scatter(make: Maker, op_type: str) -> None:
    x = make.alike(bool)
    if x is None:
        return
    shape = make.values[x].shape
    axis = make.axis(x)
    indices = make.random.integers(-shape[axis], shape[axis], shape)
    inputs = [x, make.constant(indices), make.alike(lambda other: other == shape)]
    make.node(op_type, inputs, axis=axis, reduction=make.any("add", "max", "min"))


OPERATORS: dict[str, Draw] = {
    **dict.fromkeys(("Abs", "Exp", "Neg", "Relu", "Sigmoid", "Softplus", "Tanh"), _unary()),
    **dict.fromkeys(("Elu", "HardSwish", "Identity", "LeakyRelu", "Mish"), _unary()),
    **dict.fromkeys(("Cos", "Erf", "Selu", "Sin", "Softsign"), _unary()),
    "HardSigmoid": _unary(alpha=1 / 6),
    "Cast": _unary(to=onnx.TensorProto.FLOAT),
    **dict.fromkeys(("Add", "Add", "Max", "Min", "Mul", "Sub"), _binary),
    "Clip": _clip,
    "PRelu": _prelu,
    "Where": _where,
    "comparison": _compare,
    "x * sigmoid(x)": _swish,
    "x * relu6(x + 3) / 6": _hard_swish,
    **dict.fromkeys(("Conv", "ConvTranspose"), _conv),
    **dict.fromkeys(("AveragePool", "MaxPool"), _pool),
    **dict.fromkeys(("GlobalAveragePool", "GlobalMaxPool"), _global_pool),
    "BatchNormalization": _batch_norm,
    "LayerNormalization": _layer_norm,
    "InstanceNormalization": _instance_norm,
    "layer normalization": _layer_norm_of_primitives,
    "gelu": _gelu_of_primitives,
    "attention": _attention_of_primitives,
    "LSTM": _lstm,
    "MatMul": _matmul,
    "Gemm": _gemm,
    "Einsum": _einsum,
    "Transpose": _transpose,
    "Reshape": _reshape,
    "Unsqueeze": _unsqueeze,
    "Concat": _concat,
    **dict.fromkeys(("Gather", "GatherElements"), _gather),
    "ScatterElements": _scatter,
    "Slice": _slice,
    "Split": _split,
    "Pad": _pad,
    "Resize": _resize,
    "Expand": _expand,
    "Tile": _tile,
    **dict.fromkeys(("DepthToSpace", "SpaceToDepth"), _depth_to_space),
    "CumSum": _cum_sum,
    **dict.fromkeys(("ReduceMax", "ReduceMean", "ReduceSum"), _reduce),
    **dict.fromkeys(("ReduceL2", "ReduceLogSumExp", "ReduceMin", "ReduceSumSquare"), _reduce),
    **dict.fromkeys(("LogSoftmax", "Softmax"), _softmax),
}


@st.composite
def graphs(draw: Any, most: int = 30) -> Case:
    """Graphs of up to so many nodes, with outputs in the middle, values used again, and extents known or not."""
    make = Maker(draw)
    count = draw(st.integers(2, most))
    kinds = st.lists(st.sampled_from(list(OPERATORS)), min_size=count, max_size=count)
    for op_type in draw(kinds):
        if len(make.nodes) < most:
            OPERATORS[op_type](make, op_type)
    if not make.nodes:
        make.node("Relu", [next(iter(make.values))])
    made = [name for node in make.nodes for name in node.output]
    used = {name for node in make.nodes for name in node.input}
    outputs = [name for name in made if name not in used or make.random.random() < 0.1]
    feeds = {name: array for name, array in make.feeds.items() if name in used}
    constants = {name: array for name, array in make.constants.items() if name in used}
    data = native.build(
        make.nodes,
        feeds,
        outputs,
        constants,
        opset=OPSET,
        dynamic=draw(st.booleans()),
        dtype=tuple(np.bool_ if name in make.booleans else np.float32 for name in outputs),
    )
    return data, feeds
