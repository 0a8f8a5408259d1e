"""The published figures of the models, and the digits classifier's accuracy."""

import math
from collections.abc import Callable

import numpy as np
import onnx
import onnxruntime
import pytest

from tests.models import digits, layers
from tests.models.flops import flops
from tests.models.mobilenet_v2 import mobilenet_v2
from tests.models.resnet50 import resnet50


def outputs(model: onnx.ModelProto, x: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(None, {session.get_inputs()[0].name: x})[0]


@pytest.mark.parametrize(
    ("build", "parameters"), [(mobilenet_v2, 3_504_872), (resnet50, 25_557_032)]
)
def test_published_parameter_counts(build: Callable[..., onnx.ModelProto], parameters: int) -> None:
    weights = [w for w in build(batch_norm=True).graph.initializer if "running" not in w.name]
    assert sum(math.prod(w.dims) for w in weights if w.dims) == parameters


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


def test_digits_accuracy() -> None:
    images, labels = digits.held_out()
    model = onnx.load(digits.MODEL_PATH)
    assert digits.accuracy(outputs(model, images), labels) >= 0.97
    assert digits.MODEL_PATH.stat().st_size + digits.HELD_OUT_PATH.stat().st_size < 500_000
