"""The names and numbers of ``wasm/include/pyxnn.h``, for Python."""

from enum import IntEnum
from typing import NamedTuple

ARENA = 0
ABSOLUTE = 1


class Status(IntEnum):
    """What a call into the engine returns (``enum pyxnn_status``)."""

    OK = 0
    OUT_OF_MEMORY = 1
    INVALID_ARGUMENT = 2
    UNSUPPORTED = 3
    WORKER_LOST = 4
    FAILED = 5
    INVALID_INPUT = 6


class Kind(IntEnum):
    """Operator kinds (``enum pyxnn_kind``); the header lists the words and tensors of each."""

    CONVOLUTION = 1
    FULLY_CONNECTED = 2
    BATCH_MATMUL = 3
    BINARY = 4
    UNARY = 5
    REDUCE = 6
    SOFTMAX = 7
    TRANSPOSE = 8
    COPY = 9
    DEPTHWISE = 10
    DECONVOLUTION = 11
    FUNCTION = 12
    GATHER = 13
    TYPED_BINARY = 14
    SELECT = 15
    CAST = 16
    ARG_EXTREME = 17
    TOP_K = 18
    RUNNING = 19
    PICK = 21
    RESAMPLE = 22
    POOL = 23
    CONVOLUTION_ND = 24
    CONVOLUTION_COMPUTED = 25
    GRID_SAMPLE = 26
    ATTENTION = 27
    TENSOR_SCATTER = 28
    RECURRENT = 29
    NORMALIZE = 30
    LOCAL_RESPONSE = 31
    CONVOLUTION_QS8 = 32
    FULLY_CONNECTED_QS8 = 33
    QUANTIZE = 35
    DEQUANTIZE = 36
    LOOKUP = 37
    DYNAMIC_QUANTIZE = 38
    CONVOLUTION_INTEGER = 39
    CONVOLUTION_INTEGER_COMPUTED = 40
    DEPTHWISE_QS8 = 41
    ROI_ALIGN = 42
    ROI_POOL = 43
    BINARY_QS8 = 44
    SCATTER = 45
    MATMUL_NBITS = 46
    MEAN_QS8 = 47
    ROTARY = 48
    WINOGRAD = 49
    BATCH_MATMUL_QS8 = 50
    SOFTMAX_QS8 = 51
    NORMALIZE_QS8 = 52
    MEAN_POOL_QS8 = 53
    SMALL_MATMUL = 54
    WIDEN = 55
    NARROW = 56
    LINEAR_ATTENTION = 57
    WINOGRAD_QS8 = 58
    UNPOOL = 59
    MULTIPLY_ADD = 60


class BinaryType(IntEnum):
    """Elementwise operations on two tensors (``enum pyxnn_binary_type``)."""

    ADD = 0
    SUBTRACT = 1
    MULTIPLY = 2
    DIVIDE = 3
    MAXIMUM = 4
    MINIMUM = 5
    POWER = 6
    PRELU = 7
    EQUAL = 8
    LESS = 9
    LESS_EQUAL = 10
    AND = 11
    OR = 12
    XOR = 13
    MODULO = 14
    REMAINDER = 15
    SHIFT_LEFT = 16
    SHIFT_RIGHT = 17
    SHIFT_RIGHT_SIGNED = 18


class Element(IntEnum):
    """Types of elements (``enum pyxnn_element``)."""

    FLOAT32 = 0
    INT32 = 1
    INT64 = 2
    UINT8 = 3
    BOOL = 4
    INT8 = 5
    INT16 = 6
    UINT16 = 7
    UINT32 = 8
    UINT64 = 9
    FLOAT64 = 10
    FLOAT16 = 11
    BFLOAT16 = 12


class ScatterType(IntEnum):
    """What becomes of an element and its update (``enum pyxnn_scatter_type``)."""

    SCATTER_REPLACE = 0
    SCATTER_ADD = 1
    SCATTER_MULTIPLY = 2
    SCATTER_MAXIMUM = 3
    SCATTER_MINIMUM = 4


class UnaryType(IntEnum):
    """Elementwise operations on one tensor (``enum pyxnn_unary_type``)."""

    CLAMP = 0
    HARDSWISH = 1
    ABS = 2
    NEGATE = 3
    SQUARE_ROOT = 4
    LEAKY_RELU = 5
    FLOOR = 6
    CEILING = 7
    ROUND = 8
    SQUARE = 9


class FunctionType(IntEnum):
    """Elementwise functions on kernels of ours (``enum pyxnn_function_type``)."""

    ERF = 0
    GELU_TANH = 1
    EXP = 2
    LOG = 3
    SINE = 4
    COSINE = 5
    TANGENT = 6
    SIGN = 7
    POWER_OF = 8
    SOFTPLUS = 9
    MISH = 10
    ELU = 11
    THRESHOLDED_RELU = 12
    HARD_SIGMOID = 13
    SOFTSIGN = 14
    SWISH = 15
    SHRINK = 16
    RECIPROCAL = 17
    ARC_SINE = 18
    ARC_COSINE = 19
    ARC_TANGENT = 20
    HYPERBOLIC_SINE = 21
    HYPERBOLIC_COSINE = 22
    AREA_SINE = 23
    AREA_COSINE = 24
    AREA_TANGENT = 25
    GELU = 26
    SIGMOID = 27
    TANH = 28
    TO_FLOAT16 = 29
    TO_BFLOAT16 = 30


class CellType(IntEnum):
    """Recurrent cells (``enum pyxnn_cell_type``)."""

    RNN = 0
    LSTM = 1
    GRU = 2
    GRU_RESET_AFTER = 3


class DirectionType(IntEnum):
    """The ways through time (``enum pyxnn_direction_type``)."""

    FORWARD = 0
    REVERSE = 1
    BIDIRECTIONAL = 2


class ActivationType(IntEnum):
    """Activations of recurrent cells (``enum pyxnn_activation_type``)."""

    ACTIVATION_RELU = 0
    ACTIVATION_TANH = 1
    ACTIVATION_SIGMOID = 2
    ACTIVATION_AFFINE = 3
    ACTIVATION_LEAKY_RELU = 4
    ACTIVATION_THRESHOLDED_RELU = 5
    ACTIVATION_SCALED_TANH = 6
    ACTIVATION_HARD_SIGMOID = 7
    ACTIVATION_ELU = 8
    ACTIVATION_SOFTSIGN = 9
    ACTIVATION_SOFTPLUS = 10


class NormalizeType(IntEnum):
    """What values are divided by (``enum pyxnn_normalize_type``)."""

    NORMALIZE_VARIANCE = 0
    NORMALIZE_MEAN_SQUARE = 1
    NORMALIZE_DEVIATION = 2
    NORMALIZE_MAGNITUDE = 3
    NORMALIZE_EUCLIDEAN = 4


class SoftmaxType(IntEnum):
    """Softmax and its kin (``enum pyxnn_softmax_type``)."""

    SOFTMAX_ITSELF = 0
    LOG_SOFTMAX = 1
    HARDMAX = 2


class ReduceType(IntEnum):
    """Reductions (``enum pyxnn_reduce_type``)."""

    SUM = 0
    MEAN = 1
    PRODUCT = 2
    GREATEST = 3
    LEAST = 4
    L1 = 5
    SUM_SQUARE = 6
    L2 = 7
    LOG_SUM = 8
    LOG_SUM_EXP = 9


class PoolType(IntEnum):
    """What becomes of a window (``enum pyxnn_pool_type``)."""

    POOL_MAXIMUM = 0
    POOL_MEAN = 1
    POOL_NORM = 2
    POOL_ARGMAX = 3
    POOL_ARGMAX_COLUMN_MAJOR = 4


class SampleType(IntEnum):
    """How an image is read between its pixels (``enum pyxnn_sample_type``)."""

    SAMPLE_NEAREST = 0
    SAMPLE_LINEAR = 1
    SAMPLE_CUBIC = 2


class CoordinateType(IntEnum):
    """What a coordinate of a place means (``enum pyxnn_coordinate_type``)."""

    COORDINATES_BORDERS = 0
    COORDINATES_MIDDLES = 1
    COORDINATES_PIXELS = 2


class PaddingType(IntEnum):
    """What there is outside an image (``enum pyxnn_padding_type``)."""

    PADDING_ZEROS = 0
    PADDING_BORDER = 1
    PADDING_REFLECTION = 2


class Ref(NamedTuple):
    """Where a tensor lies (``struct pyxnn_ref``): ``space`` is ``ARENA`` or ``ABSOLUTE``, ``offset`` in bytes."""

    space: int
    offset: int
