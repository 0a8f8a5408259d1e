"""The published figures of the models, and the digits classifier's accuracy."""

import math
import re
from collections import Counter
from collections.abc import Callable

import numpy as np
import onnx
import onnxruntime
import pytest

from tests.models import digits, layers, zoo
from tests.models.builder import Builder
from tests.models.flops import costs, flops
from tests.models.mobilenet_v2 import mobilenet_v2
from tests.models.operators import OPERATORS
from tests.models.resnet50 import resnet50
from tests.models.zoo import ZOO
from tests.support import native


def outputs(model: onnx.ModelProto, x: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(None, {session.get_inputs()[0].name: x})[0]


# Of torchvision 0.2x, timm, Ultralytics, PyTorch's examples, transformers, and those of the papers' authors.
PARAMETERS = {
    "mobilenet_v1": 4_231_976,
    "mobilenet_v2": 3_504_872,
    "mobilenet_v3": 5_483_032,
    "efficientnet_b0": 5_288_548,
    "resnet50": 25_557_032,
    "densenet121": 7_978_856,
    "inception_v3": 23_834_568,  # without the classifier that is for training alone
    "shufflenet_v2": 2_278_604,
    "squeezenet": 1_235_496,
    "convnext_tiny": 28_589_128,
    "unet": 7_763_041,
    "yolov8n": 3_157_200,
    "vit_small": 22_050_664,
    "minilm_ids": 22_713_216,
    "whisper_encoder": 8_208_384,
    "style_transfer": 1_679_235,
}
NORMALIZED = {
    *("mobilenet_v1", "mobilenet_v2", "mobilenet_v3", "efficientnet_b0", "resnet50"),
    *("densenet121", "inception_v3", "shufflenet_v2", "unet", "yolov8n"),
}
# What training doesn't learn: statistics, places of cells, factors.
FIXED = re.compile(r"running|anchors|strides|scales|scalar|causal")


@pytest.mark.parametrize("name", PARAMETERS)
def test_published_parameter_counts(name: str) -> None:
    arguments = {"batch_norm": True} if name in NORMALIZED else {}
    weights = [
        weight
        for weight in ZOO[name].make(**arguments).graph.initializer
        if weight.data_type == onnx.TensorProto.FLOAT and not FIXED.search(weight.name)
    ]
    assert sum(math.prod(weight.dims) for weight in weights) == PARAMETERS[name]


@pytest.mark.parametrize("name", ["efficientnet_b0", "gpt2", "ssd", "deep_speech"])
def test_outputs_depend_on_inputs(name: str) -> None:
    """And are neither vanishing nor exploding."""
    entry = ZOO[name]
    data = entry.make(**entry.small).SerializeToString()
    first = next(zoo.runs(entry, data, seed=1))
    second = next(zoo.runs(entry, data, seed=2))
    for key, value in first.expected.items():
        other = second.expected[key]
        assert value.shape != other.shape or np.abs(value - other).max() > 0.01
        if value.dtype == np.float32:
            assert 0.05 < value.std() < 100


@pytest.mark.parametrize(
    ("name", "layers", "norms"),
    [
        ("bert_base", 2, 5),
        ("minilm_fp16", 6, 13),
        ("gpt2", 2, 5),
        ("vit_small", 4, 9),
        ("whisper_encoder", 2, 5),
    ],
)
def test_transformers_fuse(name: str, layers: int, norms: int) -> None:
    """Attention, Gelu and normalizations are found in what PyTorch exports."""
    entry = ZOO[name]
    nodes = native.graph_of(entry.make(**entry.small).SerializeToString()).nodes
    counts = Counter(node.op_type for node in nodes)
    assert counts["Attention"] == layers <= counts["Gelu"]
    assert counts["LayerNormalization"] == norms
    assert not counts.keys() & {"Softmax", "Erf", "Pow", "Sqrt", "ReduceMean", "Div"}


def test_flops_by_hand() -> None:
    assert flops(layers.conv()) == 2 * 56 * 56 * 64 * (3 * 3 * 64)
    assert flops(layers.matmul()) == 2 * 1024**3
    assert flops(mobilenet_v2()) == 2 * 300_774_272  # "300M multiply-adds" in the paper
    assert flops(resnet50()) == 2 * 4_089_184_256  # 4.09 GMAC, torchvision's figure


@pytest.mark.parametrize("build", [mobilenet_v2, resnet50])
def test_batch_norm_is_folded_exactly(build: Callable[..., onnx.ModelProto]) -> None:
    x = np.random.default_rng(1).standard_normal((1, 3, 64, 64), dtype=np.float32)
    folded, kept = (outputs(build(size=64, batch_norm=kept), x) for kept in (False, True))
    np.testing.assert_allclose(folded, kept, rtol=1e-3, atol=1e-3)
    assert 0.1 < kept.std() < 100


def test_flops_of_other_layers() -> None:
    b = Builder("layers")
    x = b.up(b.input("x", (1, 8, 4, 4)), (8, 5), name="up")
    assert flops(b.model(x, (1, 5, 8, 8))) == 2 * (4 * 4 * 8) * (5 * 2 * 2)
    recurrent = onnx.helper.make_node("LSTM", ["x", "w", "r"], ["y"], name="lstm", hidden_size=3)
    x, y = (
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
        for name, shape in (("x", (7, 2, 5)), ("y", (7, 1, 2, 3)))
    )
    weights = [
        onnx.numpy_helper.from_array(np.zeros((1, 4 * 3, columns), np.float32), name)
        for name, columns in (("w", 5), ("r", 3))
    ]
    graph = onnx.helper.make_graph([recurrent], "lstm", [x], [y], weights)
    assert flops(onnx.helper.make_model(graph)) == 2 * 7 * 2 * (4 * 3) * (5 + 3)


@pytest.mark.parametrize(
    ("name", "multiply_adds"),
    [
        ("Einsum_1x12x128x32", 12 * 128 * 128 * 32),
        ("MultiHeadAttention_1x128x384", 12 * 128 * 128 * (32 + 32)),
        ("GroupQueryAttention_1024_1x1x768", 12 * 1024 * (64 + 64)),
        ("DeformConv_1x64x56x56", 56 * 56 * 64 * (64 * 3 * 3)),
    ],
)
def test_flops_of_operators(name: str, multiply_adds: int) -> None:
    model = OPERATORS[name].make()
    assert costs(model)[model.graph.node[-1].name].flops == 2 * multiply_adds


def test_digits_accuracy() -> None:
    images, labels = digits.held_out()
    model = onnx.load(digits.MODEL_PATH)
    assert digits.accuracy(outputs(model, images), labels) >= 0.97
    assert digits.MODEL_PATH.stat().st_size + digits.HELD_OUT_PATH.stat().st_size < 500_000
