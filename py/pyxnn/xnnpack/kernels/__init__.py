"""The engine's operators as functions on values: each adds a step and returns its output.

Here, and nowhere else, is known which words `pyxnn.h` asks of each kind, which orders of axes its kernels take, and what
they can't do themselves: more than 6 dimensions, bounds after the fact. A module is a family of kinds; `nest` and `windows`
are what several have in common.
"""

from pyxnn.xnnpack.kernels.attention import EVERYTHING, Sight, attention, linear_attention, rotary
from pyxnn.xnnpack.kernels.cast import cast
from pyxnn.xnnpack.kernels.convolution import (
    MOST_MINIMAL_CHANNELS,
    convolution,
    convolution_nd,
    deconvolution,
)
from pyxnn.xnnpack.kernels.elementwise import (
    binary,
    clamp,
    function,
    multiply_add,
    select,
    unary,
)
from pyxnn.xnnpack.kernels.indexing import (
    gather,
    gather_elements,
    gather_slices,
    gather_windows,
    pick,
    scatter_elements,
    scatter_slices,
    tensor_scatter,
    unpool,
)
from pyxnn.xnnpack.kernels.integers import (
    Scaling,
    Weights,
    convolution_integer,
    dynamic_quantize,
    matmul_integer,
)
from pyxnn.xnnpack.kernels.matmul import batch_matmul, fully_connected, matmul_nbits
from pyxnn.xnnpack.kernels.movement import (
    concat,
    cut,
    expand,
    frames,
    pad,
    pad_pixels,
    repeat,
    transpose,
)
from pyxnn.xnnpack.kernels.nest import nest_words
from pyxnn.xnnpack.kernels.normalization import local_response, normalize, normalize_qs8
from pyxnn.xnnpack.kernels.order import arg_extreme, running, top_k
from pyxnn.xnnpack.kernels.pooling import mean_pool_qs8, pool, roi_align, roi_pool
from pyxnn.xnnpack.kernels.quantization import (
    binary_qs8,
    dequantize,
    lookup,
    mean_qs8,
    narrow,
    quantize,
    widen,
)
from pyxnn.xnnpack.kernels.quantized import (
    Channels,
    Requantization,
    batch_matmul_qs8,
    convolution_qs8,
    fully_connected_qs8,
)
from pyxnn.xnnpack.kernels.recurrent import RECURRENT_UNITS, recurrent
from pyxnn.xnnpack.kernels.reduction import reduce
from pyxnn.xnnpack.kernels.resampling import Taps, grid_sample, resample, resample_qs8
from pyxnn.xnnpack.kernels.softmax import softmax, softmax_qs8
from pyxnn.xnnpack.kernels.windows import MAX_SLIDES, Slide, Window

__all__ = [
    "EVERYTHING",
    "MAX_SLIDES",
    "MOST_MINIMAL_CHANNELS",
    "RECURRENT_UNITS",
    "Channels",
    "Requantization",
    "Scaling",
    "Sight",
    "Slide",
    "Taps",
    "Weights",
    "Window",
    "arg_extreme",
    "attention",
    "batch_matmul",
    "batch_matmul_qs8",
    "binary",
    "binary_qs8",
    "cast",
    "clamp",
    "concat",
    "convolution",
    "convolution_integer",
    "convolution_nd",
    "convolution_qs8",
    "cut",
    "deconvolution",
    "dequantize",
    "dynamic_quantize",
    "expand",
    "frames",
    "fully_connected",
    "fully_connected_qs8",
    "function",
    "gather",
    "gather_elements",
    "gather_slices",
    "gather_windows",
    "grid_sample",
    "linear_attention",
    "local_response",
    "lookup",
    "matmul_integer",
    "matmul_nbits",
    "mean_pool_qs8",
    "mean_qs8",
    "multiply_add",
    "narrow",
    "nest_words",
    "normalize",
    "normalize_qs8",
    "pad",
    "pad_pixels",
    "pick",
    "pool",
    "quantize",
    "recurrent",
    "reduce",
    "repeat",
    "resample",
    "resample_qs8",
    "roi_align",
    "roi_pool",
    "rotary",
    "running",
    "scatter_elements",
    "scatter_slices",
    "select",
    "softmax",
    "softmax_qs8",
    "tensor_scatter",
    "top_k",
    "transpose",
    "unary",
    "unpool",
    "widen",
]
