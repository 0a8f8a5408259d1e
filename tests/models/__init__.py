"""Models for tests, demo and benchmark: exact published architectures with seeded weights."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import onnx

from tests.models import digits, layers
from tests.models.decoder import decoder
from tests.models.densenet import densenet121
from tests.models.dynamic import dynamic
from tests.models.efficientnet import efficientnet_b0
from tests.models.few_bits import few_bits
from tests.models.minilm import minilm
from tests.models.mobilenet_v2 import mobilenet_v2
from tests.models.mobilenet_v3 import mobilenet_v3
from tests.models.quantized import int8
from tests.models.resnet50 import resnet50
from tests.models.unet import unet
from tests.models.yolov8 import yolov8n

Make = Callable[[], onnx.ModelProto]

# Float models that are there on 8-bit integers throughout.
CALIBRATED: dict[str, Make] = {
    "mobilenet_v2": mobilenet_v2,
    "mobilenet_v3": mobilenet_v3,
    "efficientnet_b0": efficientnet_b0,
    "resnet50": resnet50,
    "unet": partial(unet, size=128),
    "minilm": minilm,
}

# Float models that are there on fewer bits, too.
ORIGINS: dict[str, Make] = {**CALIBRATED, "decoder": decoder}

# Models on fewer bits, and the float models that they are made from; decoding, each weight is there for one row.
STATIC = {f"{name}_int8": name for name in CALIBRATED}
DECODING = dict.fromkeys(
    ("decoder_8_bits", "decoder_few_bits", "decoder_few_bits_by_int8"), "decoder"
)
QUANTIZED = {**STATIC, "minilm_dynamic": "minilm", "minilm_few_bits": "minilm", **DECODING}

# What the benchmark measures; a line more is a model more.
BENCHMARK: dict[str, Make] = {
    "mobilenet_v2": mobilenet_v2,
    "mobilenet_v2_int8": int8(mobilenet_v2),
    "resnet50": resnet50,
    "minilm": minilm,
    "minilm_dynamic": dynamic(minilm),
    "efficientnet_b0": efficientnet_b0,
    "densenet121": densenet121,
    "yolov8n": yolov8n,
    "matmul_512": partial(layers.matmul, rows=512, inner=512, columns=512),
    "matmul_512_computed": partial(layers.matmul_computed, size=512),
    "matmul_1024": layers.matmul,
    "matmul_1024_computed": layers.matmul_computed,
}

# Single layers of published networks: ResNet-50's and MobileNetV2's, MobileNetV3's of 5x5.
LAYERS: dict[str, Make] = {
    "conv1x1_56x56x24x144": partial(layers.conv, channels=24, outputs=144, size=56, kernel=1),
    "conv1x1_56x56x64x256": partial(layers.conv, channels=64, outputs=256, size=56, kernel=1),
    "conv1x1_14x14x256x1024": partial(layers.conv, channels=256, outputs=1024, size=14, kernel=1),
    "conv1x1_7x7x320x1280": partial(layers.conv, channels=320, outputs=1280, size=7, kernel=1),
    "conv3x3_56x56x64": layers.conv,
    "conv3x3_28x28x128": partial(layers.conv, channels=128, size=28),
    "conv3x3_14x14x256": partial(layers.conv, channels=256, size=14),
    "conv3x3_7x7x512": partial(layers.conv, channels=512, size=7),
    "conv3x3s2_224x224x3x32": partial(layers.conv, channels=3, outputs=32, size=224, stride=2),
    "conv3x3s2_56x56x128": partial(layers.conv, channels=128, size=56, stride=2),
    "conv3x3s2_28x28x256": partial(layers.conv, channels=256, size=28, stride=2),
    "conv3x3s2_14x14x512": partial(layers.conv, channels=512, size=14, stride=2),
    "depthwise3x3_112x112x32": partial(layers.depthwise, channels=32, size=112),
    "depthwise3x3_56x56x144": partial(layers.depthwise, channels=144, size=56),
    "depthwise3x3_14x14x384": partial(layers.depthwise, channels=384, size=14),
    "depthwise3x3_7x7x960": partial(layers.depthwise, channels=960, size=7),
    "depthwise5x5_28x28x120": partial(layers.depthwise, channels=120, size=28, kernel=5),
    "depthwise5x5_14x14x480": partial(layers.depthwise, channels=480, size=14, kernel=5),
    "depthwise5x5_14x14x672": partial(layers.depthwise, channels=672, size=14, kernel=5),
    "depthwise5x5_7x7x960": partial(layers.depthwise, channels=960, size=7, kernel=5),
    "fully_connected_1x2048x1000": partial(layers.matmul, rows=1, inner=2048, columns=1000),
    "few_bits_1x4096x11008": partial(few_bits(layers.matmul), rows=1, inner=4096, columns=11008),
    "fully_connected_8x2048x1000": partial(layers.matmul, rows=8, inner=2048, columns=1000),
    "fully_connected_128x2048x1000": partial(layers.matmul, rows=128, inner=2048, columns=1000),
}

MODELS: dict[str, Make] = {
    **BENCHMARK,
    **ORIGINS,
    **{name: int8(CALIBRATED[origin]) for name, origin in STATIC.items()},
    "minilm_few_bits": few_bits(minilm),
    "decoder_8_bits": few_bits(decoder, 8),
    "decoder_few_bits": few_bits(decoder),
    "decoder_few_bits_by_int8": few_bits(decoder, level=4),
    **LAYERS,
    "relu_1": layers.relu,
    "digits": lambda: onnx.load(digits.MODEL_PATH),
}


def write_demo_models(directory: Path) -> None:
    """Writes the files that the demo page offers."""
    directory.mkdir(parents=True, exist_ok=True)
    for path in (digits.MODEL_PATH, digits.HELD_OUT_PATH):
        shutil.copyfile(path, directory / path.name)
    (directory / "mobilenet_v2.onnx").write_bytes(mobilenet_v2().SerializeToString())
