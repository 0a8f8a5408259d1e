"""Models for tests, demo and benchmark: exact published architectures with seeded weights."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import onnx

from tests.models import digits, layers
from tests.models.mobilenet_v2 import mobilenet_v2
from tests.models.resnet50 import resnet50

MODELS: dict[str, Callable[[], onnx.ModelProto]] = {
    "mobilenet_v2": mobilenet_v2,
    "resnet50": resnet50,
    "conv3x3_56x56x64": layers.conv,
    "matmul_1024": layers.matmul,
    "relu_1": layers.relu,
    "digits": lambda: onnx.load(digits.MODEL_PATH),
}


def write_demo_models(directory: Path) -> None:
    """Writes the files that the demo page offers."""
    directory.mkdir(parents=True, exist_ok=True)
    for path in (digits.MODEL_PATH, digits.HELD_OUT_PATH):
        shutil.copyfile(path, directory / path.name)
    (directory / "mobilenet_v2.onnx").write_bytes(mobilenet_v2().SerializeToString())
