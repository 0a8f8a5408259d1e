"""Single operators as models, at sizes that they have in published networks: what a kernel does without a network around it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper, shape_inference

OPSET = 24
RUN_UP = 256  # rows and columns
IR_VERSION = 11

FLOAT, FLOAT16, BFLOAT16 = TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16
UINT8, INT64, BOOL = TensorProto.UINT8, TensorProto.INT64, TensorProto.BOOL
FLOAT8 = TensorProto.FLOAT8E4M3FN

Shape = tuple[int, ...]


class Single(NamedTuple):
    """A model of one operator, its last node; the nodes before make inputs, so that these lie as a kernel left them, and
    wake the pool's workers.

    Attributes:
        work: vector operations that a good implementation needs for four elements, of the first input or of the output,
            whichever has more; the multiply-adds of products aside. A division is 6 and a root 10: that many go by
            meanwhile; 6, too, each level that an element sinks in a heap. What has to keep NaN takes three for a maximum.
        again: what must be read more than once: how many more times, and so many bytes.
    """

    make: Callable[[], onnx.ModelProto]
    work: float = 0
    again: tuple[int, int] = (0, 0)


class Made(NamedTuple):
    """An input that a node makes.

    Attributes:
        scale: of magnitudes of normal numbers; 0 stands for normal numbers themselves.
        channels_last: how an image lies in memory.
    """

    shape: Shape
    type: int = FLOAT
    scale: float = 0
    channels_last: bool = False


Input = Shape | Made | NDArray[Any] | None


def single(
    op_type: str,
    *inputs: Input,
    note: str = "",
    work: float = 0,
    again: tuple[int, int] = (0, 0),
    outputs: int | Sequence[Shape] = 1,
    **attributes: Any,
) -> tuple[str, Single]:
    """An operator on inputs: shapes of normal numbers, others that are made, constants, or None for one that isn't there.

    Its name says its operator, the note, and the first input's shape. Where onnx doesn't know the shapes of its outputs,
    these are the first input's, unless `outputs` has them.
    """
    shape = "x".join(str(extent) for extent in _shape(inputs[0]))
    name = "_".join(filter(None, (op_type, note, shape)))
    shapes = [_shape(inputs[0])] * outputs if isinstance(outputs, int) else outputs
    make = partial(_model, op_type, inputs, shapes, attributes)
    return name, Single(make, work, again)


def _shape(input: Input) -> Shape:
    return input.shape if isinstance(input, (Made, np.ndarray)) else input or ()


def _model(
    op_type: str,
    inputs: tuple[Input, ...],
    outputs: Sequence[Shape],
    attributes: dict[str, Any],
) -> onnx.ModelProto:
    made = [Made(i) if isinstance(i, tuple) and not isinstance(i, Made) else i for i in inputs]
    size = max(math.prod(i.shape) for i in made if isinstance(i, Made))
    nodes: list[onnx.NodeProto] = []
    constants: list[onnx.TensorProto] = []

    def constant(array: NDArray[Any]) -> str:
        constants.append(numpy_helper.from_array(array, f"constant_{len(constants)}"))
        return constants[-1].name

    def node(op_type: str, *inputs: str, **attributes: Any) -> str:
        output = f"made_{len(nodes)}"
        nodes.append(helper.make_node(op_type, inputs, [output], name=output, **attributes))
        return output

    def make(made: Made, number: int) -> str:
        count = math.prod(made.shape)
        x = "input"
        if count < size:
            x = node("Slice", x, constant(np.array([0])), constant(np.array([count])))
        lies = made.shape
        if made.channels_last:
            lies = (made.shape[0], *made.shape[2:], made.shape[1])
        x = node("Reshape", x, constant(np.array(lies)))
        if made.scale:
            x = node("Mul", node("Abs", x), constant(np.array(made.scale, np.float32)))
        else:
            x = node("LeakyRelu", x, alpha=0.5 + number / 16)
        if made.type == BOOL:
            x = node("Greater", x, constant(np.array(0, np.float32)))
        elif made.type != FLOAT:
            x = node("Cast", x, to=made.type)
        rank = len(lies)
        return (
            node("Transpose", x, perm=[0, rank - 1, *range(1, rank - 1)])
            if made.channels_last
            else x
        )

    # A run-up: half a millisecond after which workers are awake, as they are in the middle of a network.
    one = node("Slice", "input", constant(np.array([0])), constant(np.array([1])))
    ones = node("Add", constant(np.ones((RUN_UP, RUN_UP), np.float32)), one)
    run_up = node("MatMul", ones, constant(np.ones((RUN_UP, RUN_UP), np.float32)))

    names = []
    for number, each in enumerate(made):
        if isinstance(each, Made):
            names.append(make(each, number))
        else:
            names.append("" if each is None else constant(each))
    results = [f"output_{number}" for number in range(len(outputs))]
    nodes.append(helper.make_node(op_type, names, results, name=op_type, **attributes))
    graph = helper.make_graph(
        nodes,
        op_type,
        [helper.make_tensor_value_info("input", FLOAT, [size])],
        [],
        constants,
    )
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)
    known = {value.name: value for value in shape_inference.infer_shapes(model).graph.value_info}
    model.graph.output.append(known[run_up])
    for name, shape in zip(results, outputs, strict=True):
        floats = helper.make_tensor_value_info(name, FLOAT, shape)
        model.graph.output.append(known.get(name, floats))
    return model


def _both(op_type: str, *more: Input, scale: float = 0, **how: Any) -> Iterator[tuple[str, Single]]:
    """A function of activations that the second-level cache holds, and of some that it doesn't."""
    for shape in (SMALL, LARGE):
        yield single(op_type, Made(shape, scale=scale), *more, **how)


def _recurrent(
    op_type: str, steps: int, batch: int, inputs: int, hidden: int
) -> tuple[str, Single]:
    gates = {"LSTM": 4, "GRU": 3, "RNN": 1}[op_type]
    weights = [_weights(1, gates * hidden, columns) for columns in (inputs, hidden)]
    return single(
        op_type,
        (steps, batch, inputs),
        *weights,
        _weights(1, 2 * gates * hidden),
        hidden_size=hidden,
        note=f"{hidden}",
        work=15 * gates * hidden / max(inputs, hidden),
        again=(steps - 1, weights[1].nbytes),  # the recurrent weights, at each step
    )


def _attention(heads: int, queries: int, keys: int, size: int) -> tuple[str, Single]:
    query, key = (1, heads, queries, size), (1, heads, keys, size)
    return single("Attention", query, key, key, note=f"{keys}", work=16 * keys / size)


def _grouped_attention(heads: int, kv_heads: int, past: int, size: int) -> tuple[str, Single]:
    """One row more, behind a cache that is copied."""
    query, key, cache = (1, 1, heads * size), (1, 1, kv_heads * size), (1, kv_heads, past, size)
    present = (1, kv_heads, past + 1, size)
    return single(
        "GroupQueryAttention",
        query,
        key,
        key,
        cache,
        cache,
        _places(past),
        _places(past + 1),
        note=f"{past + 1}",
        work=16 * (past + 1) / size,
        outputs=[query, present, present],
        domain="com.microsoft",
        num_heads=heads,
        kv_num_heads=kv_heads,
    )


def _boxes(count: int, extent: int) -> NDArray[np.float32]:
    """Regions of an image: their corners."""
    ends = np.random.default_rng(0).uniform(0, extent, (count, 2, 2))
    return np.sort(ends, axis=1).reshape(count, 4).astype(np.float32)


def _maxima(channels: int, rows: int, columns: int) -> NDArray[np.int64]:
    """Where one of each four pixels lies in an image of twice the extents."""
    random = np.random.default_rng(0)
    shape = (channels, rows, columns)
    down, right = (random.integers(0, 2, shape) for _ in range(2))
    channel, row, column = np.ogrid[:channels, :rows, :columns]
    return ((channel * 2 * rows + 2 * row + down) * 2 * columns + 2 * column + right)[np.newaxis]


def _few_bits(rows: int, size: int, bits: int, note: str, level: int = 0) -> tuple[str, Single]:
    """A product with `size` columns of as many weights, in blocks of 32. One row is bound by memory."""
    block = 32
    random = np.random.default_rng(0)
    parts = [(size, size // block, block * bits // 8), (size * size // block * bits // 8,)]
    weights, zeros = (random.integers(0, 256, shape, np.uint8) for shape in parts)
    return single(
        "MatMulNBits",
        (rows, size),
        weights,
        _weights(size * size // block),
        zeros,
        note=note,
        work=size / (2 if level else 1) if rows > 1 else 0,
        domain="com.microsoft",
        K=size,
        N=size,
        bits=bits,
        block_size=block,
        accuracy_level=level,
    )


def _weights(*shape: int) -> NDArray[np.float32]:
    numbers = np.random.default_rng(0).standard_normal(shape, np.float32)
    return numbers / np.float32(math.sqrt(shape[-1]))


def _ints(*values: int) -> NDArray[np.int64]:
    return np.array(values, np.int64)


def _places(*values: int) -> NDArray[np.int32]:
    return np.array(values, np.int32)


def _floats(*values: float) -> NDArray[np.float32]:
    return np.array(values, np.float32)


# Of EfficientNet-B0 and of ResNet-50; MiniLM's; a segmentation's.
SMALL, LARGE = (1, 40, 28, 28), (1, 64, 112, 112)
TOKENS, HIDDEN = (1, 128, 384), (1, 128, 1536)
CLASSES = (1, 21, 129, 129)
SMALL_LAST, LARGE_LAST = Made(SMALL, channels_last=True), Made(LARGE, channels_last=True)

# An operator more is a line more.
OPERATORS: dict[str, Single] = dict(
    (
        # Functions
        *_both("Relu", work=1),
        *_both("LeakyRelu", work=3),
        *_both("HardSwish", work=4),
        *_both("Sigmoid", work=14),
        *_both("Swish", work=15),
        *_both("Gelu", work=19),
        *_both("Gelu", note="tanh", work=18, approximate="tanh"),
        *_both("Tanh", work=15),
        *_both("Exp", work=13),
        *_both("Log", scale=1, work=16),
        *_both("Erf", work=17),
        *_both("Sqrt", scale=1, work=10),
        *_both("Pow", _floats(2), note="2", work=1),
        *_both("Elu", work=17),
        *_both("Softplus", work=26),
        *_both("Mish", work=19),
        single("Pow", Made(LARGE, scale=1), _floats(0.7), note="0.7", work=60),
        single("Sin", LARGE, work=17),
        single("Cos", LARGE, work=17),
        single("Reciprocal", Made(LARGE, scale=1), work=6),
        single("Softsign", LARGE, work=6),
        single("Sign", LARGE, work=4),
        single("Round", LARGE, work=1),
        # Of two tensors
        single("Add", SMALL, SMALL, work=1),
        single("Add", LARGE, LARGE, work=1),
        single("Add", TOKENS, _weights(384), note="bias", work=1),
        single("Mul", SMALL_LAST, (1, 40, 1, 1), note="by_channel", work=1),
        single("Mul", LARGE_LAST, (1, 64, 1, 1), note="by_channel", work=1),
        single("Div", LARGE, Made(LARGE, scale=1), work=6),
        single("PRelu", LARGE_LAST, _weights(64, 1, 1), work=3),
        single("Greater", LARGE, LARGE, work=2),
        single("Max", LARGE, LARGE, work=3),
        single("And", Made(LARGE, BOOL), Made(LARGE, BOOL), work=0.25),
        single("Add", Made(TOKENS, INT64, 9), Made(TOKENS, INT64, 9), note="int64", work=2),
        single("Where", Made((1, 12, 128, 128), BOOL), (1, 12, 128, 128), _floats(-1), work=3),
        # Casts
        single("Cast", LARGE, to=FLOAT16, note="float16", work=10),
        single("Cast", LARGE, to=BFLOAT16, note="bfloat16", work=6),
        single("Cast", Made(LARGE, scale=9), to=UINT8, note="uint8", work=3),
        single("Cast", LARGE, to=INT64, note="int64", work=3),
        single("Cast", Made(LARGE, UINT8, 9), to=FLOAT, note="from_uint8", work=2),
        single("Cast", Made(TOKENS, INT64, 9), to=FLOAT, note="from_int64", work=3),
        single("Cast", Made(LARGE, BOOL), to=FLOAT, note="from_bool", work=2),
        # of tables, elements are taken one by one
        single("Cast", LARGE, to=FLOAT8, note="float8", work=12),
        single("Cast", Made(LARGE, FLOAT8), to=FLOAT, note="from_float8", work=6),
        # Reductions
        single("ReduceMean", LARGE, _ints(2, 3), note="pixels", work=1),
        single("ReduceMean", LARGE_LAST, _ints(2, 3), note="pixels_last", work=1),
        single("ReduceMean", HIDDEN, _ints(2), note="rows", work=1),
        single("ReduceSum", HIDDEN, _ints(1), note="columns", work=1),
        single("ReduceMax", LARGE, _ints(1), note="channels", work=3),
        single("ReduceL2", HIDDEN, _ints(2), work=1),
        single("ReduceLogSumExp", HIDDEN, _ints(2), work=14),
        single("ReduceLogSumExp", (8400, 80), _ints(1), note="short", work=14),
        single("ReduceProd", HIDDEN, _ints(2), work=1),
        single("CumSum", TOKENS, _ints(2), note="rows", work=7),
        single("CumSum", TOKENS, _ints(1), note="columns", work=1),
        single("STFT", (1, 480_000, 1), np.array(160), np.hanning(400).astype(np.float32), work=1),
        # Softmax and orders
        single("Softmax", (1, 12, 128, 128), work=16),
        single("Softmax", (1, 6, 197, 197), work=16),
        single("Softmax", (1, 4, 16, 8400), axis=2, note="middle", work=16),
        single("LogSoftmax", (64, 1000), work=16),
        single("Hardmax", (1, 12, 128, 128), work=3),
        single("ArgMax", CLASSES, axis=1, note="middle", work=3),
        single("ArgMax", (8, 50257), axis=1, note="rows", work=3),
        single("ArgMax", (8400, 80), axis=1, note="short", work=3),
        single("TopK", (1, 8400), _ints(300), outputs=2, note="300", work=32),
        single("TopK", (64, 1000), _ints(5), outputs=2, note="5", work=4),
        # Copies
        single("Gather", _weights(30522, 384), Made((1, 128), INT64, 6000), note="embedding"),
        single("Transpose", (1, 128, 12, 32), perm=[0, 2, 1, 3], note="heads"),
        # Squares of n x n are interleaved log2(n) times: a vector of four words twice, one of sixteen bytes four times.
        single("Transpose", (512, 512), perm=[1, 0], work=2),
        single("Transpose", LARGE, perm=[0, 2, 3, 1], note="to_last", work=2),
        single("Transpose", (1, 56, 56, 256), perm=[0, 3, 1, 2], note="to_first", work=2),
        single("Transpose", Made(SMALL, UINT8, 9), perm=[0, 2, 3, 1], note="uint8", work=1),
        single("Concat", _weights(1, 8, 1023, 64), (1, 8, 1, 64), axis=2, note="cache"),
        single(
            "Slice",
            LARGE,
            *[_ints(1), _ints(112), _ints(3), _ints(2)],
            note="by_2",
            again=(1, 4 * math.prod(LARGE) // 2),  # what lies between shares the cache lines
        ),
        single("Slice", LARGE, _ints(8, 8), _ints(104, 104), _ints(2, 3), note="crop"),
        single("Pad", LARGE, _ints(0, 0, 1, 1, 0, 0, 1, 1)),
        single("Pad", LARGE, _ints(0, 0, 1, 1, 0, 0, 1, 1), mode="reflect", note="reflect"),
        single("Expand", (1, 8, 1, 128, 64), _ints(1, 8, 4, 128, 64)),
        single("Tile", TOKENS, _ints(1, 1, 4)),
        single("DepthToSpace", (1, 64, 56, 56), blocksize=2),
        single("ReverseSequence", (128, 8, 256), _ints(*range(16, 144, 16))),
        single("OneHot", Made((1, 128), INT64, 200), np.array(1000), _floats(0, 1), work=1),
        # An update is checked and placed by itself: four scalar instructions, as many as vector ones.
        single(
            "ScatterElements",
            TOKENS,
            Made((1, 16, 384), INT64, 20),
            (1, 16, 384),
            axis=1,
            work=2,
        ),
        single("ScatterND", (1024, 512), Made((8, 1), INT64, 100), (8, 512)),
        single("QuantizeLinear", LARGE, _floats(0.05), np.array([128], np.uint8), work=10),
        single(
            "DequantizeLinear",
            Made(LARGE, UINT8, 9),
            _floats(0.05),
            np.array([3], np.uint8),
            work=4,
        ),
        # Normalizations
        single("LayerNormalization", TOKENS, _weights(384), _weights(384), work=7),
        single("LayerNormalization", HIDDEN, _weights(1536), _weights(1536), work=7),
        single("RMSNormalization", (1, 128, 2048), _weights(2048), work=4),
        single("InstanceNormalization", LARGE, _weights(64), _weights(64), work=5),
        single(
            "InstanceNormalization", LARGE_LAST, _weights(64), _weights(64), note="last", work=5
        ),
        single("InstanceNormalization", SMALL, _weights(40), _weights(40), work=5),
        single("GroupNormalization", LARGE, _weights(64), _weights(64), num_groups=32, work=5),
        single("BatchNormalization", LARGE, *[_floats(*[1.5] * 64)] * 4, work=1),
        single("BatchNormalization", LARGE_LAST, *[_floats(*[1.5] * 64)] * 4, note="last", work=1),
        single("MeanVarianceNormalization", LARGE, axes=[0, 2, 3], work=5),
        single("LpNormalization", HIDDEN, work=2),
        single("LRN", LARGE, size=5, work=30),
        # Images
        single("Resize", SMALL, None, _floats(1, 1, 2, 2), mode="nearest", note="nearest"),
        # Neighbours on both axes, and a shuffle: what lies side by side comes from columns that are made apart.
        single("Resize", SMALL, None, _floats(1, 1, 2, 2), mode="linear", note="linear", work=4),
        single("Resize", LARGE, None, _floats(1, 1, 2, 2), mode="linear", note="linear", work=4),
        single("Resize", SMALL, None, _floats(1, 1, 2, 2), mode="cubic", note="cubic", work=7),
        single("MaxPool", LARGE, kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4, work=9 / 4),
        single("MaxPool", (1, 128, 20, 20), kernel_shape=[5, 5], pads=[2] * 4, work=8),
        single("AveragePool", (1, 256, 56, 56), kernel_shape=[2, 2], strides=[2, 2], work=1),
        single("AveragePool", (1, 192, 35, 35), kernel_shape=[3, 3], pads=[1] * 4, work=5),
        single("GlobalAveragePool", (1, 1280, 7, 7), work=1),
        single("GlobalMaxPool", (1, 1280, 7, 7), work=3),
        single("LpPool", (1, 256, 56, 56), kernel_shape=[2, 2], strides=[2, 2], work=1 + 10 / 4),
        single(
            "MaxUnpool",
            (1, 64, 56, 56),
            _maxima(64, 56, 56),
            kernel_shape=[2, 2],
            strides=[2, 2],
            work=4,  # for each four, one is checked and placed
        ),
        single(
            "RoiAlign",
            (1, 256, 56, 56),
            _boxes(100, 56),
            np.zeros(100, np.int64),
            output_height=7,
            output_width=7,
            sampling_ratio=2,
            work=16,  # four samples of four neighbours
        ),
        single("GridSample", (1, 32, 64, 64), (1, 64, 64, 2), work=6),
        # Products with weights, and of computed operands
        single("Gemm", (1, 2048), _weights(1000, 2048), _weights(1000), transB=1),
        single(
            "ConvTranspose",
            (1, 64, 56, 56),
            _weights(64, 32, 2, 2),
            _weights(32),
            strides=[2, 2],
        ),
        single(
            "DeformConv",
            (1, 64, 56, 56),
            _weights(64, 64, 3, 3),
            Made((1, 18, 56, 56)),
            pads=[1] * 4,
            work=9 * 4,  # nine samples of four neighbours
        ),
        single("Einsum", (1, 12, 128, 32), (1, 12, 128, 32), equation="bhqd,bhkd->bhqk"),
        single("MatMul", (1, 12, 128, 32), (1, 12, 32, 128)),
        single("MatMul", (64, 16, 16), (64, 16, 16)),
        # Products with weights of few bits
        _few_bits(1, 8192, bits=4, note="4"),
        _few_bits(1, 8192, bits=4, note="4_by_int8", level=4),
        _few_bits(1, 2048, bits=4, note="4_by_int8", level=4),  # which the third-level cache holds
        _few_bits(1, 6144, bits=8, note="8"),
        _few_bits(32, 2048, bits=4, note="4"),
        _few_bits(32, 2048, bits=4, note="4_by_int8", level=4),
        # Attention and recurrent layers
        _attention(heads=12, queries=128, keys=128, size=32),
        _attention(heads=6, queries=197, keys=197, size=64),
        _attention(heads=6, queries=1500, keys=1500, size=64),
        _attention(heads=12, queries=1, keys=1024, size=64),
        single(
            "MultiHeadAttention",
            TOKENS,
            TOKENS,
            TOKENS,
            num_heads=12,
            domain="com.microsoft",
            work=16 * 128 / 32,
        ),
        _grouped_attention(heads=12, kv_heads=4, past=1023, size=64),
        single("RotaryEmbedding", (1, 12, 128, 64), (1, 128, 32), (1, 128, 32), work=2),
        _recurrent("RNN", steps=50, batch=1, inputs=256, hidden=256),
        _recurrent("LSTM", steps=50, batch=1, inputs=256, hidden=256),
        _recurrent("LSTM", steps=50, batch=8, inputs=256, hidden=256),
        _recurrent("LSTM", steps=10, batch=1, inputs=1024, hidden=1024),
        _recurrent("GRU", steps=50, batch=1, inputs=256, hidden=256),
        _recurrent("GRU", steps=50, batch=8, inputs=256, hidden=256),
    )
)
