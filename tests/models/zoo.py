"""The zoo: published architectures with what they are fed, and how far from native onnxruntime an output may be."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.quantization import QuantType

from tests.models.bert import bert_base, minilm_ids
from tests.models.convnext import convnext_tiny
from tests.models.densenet import densenet121
from tests.models.dynamic import dynamic
from tests.models.efficientnet import efficientnet_b0
from tests.models.few_bits import few_bits
from tests.models.gpt2 import gpt2
from tests.models.half import half
from tests.models.inception import inception_v3
from tests.models.minilm import minilm
from tests.models.mobilenet_v1 import mobilenet_v1
from tests.models.mobilenet_v2 import mobilenet_v2
from tests.models.mobilenet_v3 import mobilenet_v3
from tests.models.quantized import int8
from tests.models.resnet50 import resnet50
from tests.models.shufflenet import shufflenet_v2
from tests.models.speech import deep_speech
from tests.models.squeezenet import squeezenet
from tests.models.ssd import ssd
from tests.models.style import style_transfer
from tests.models.unet import unet
from tests.models.vit import vit_small
from tests.models.whisper import whisper_encoder
from tests.models.yolov8 import yolov8n
from tests.support import exact

Array = NDArray[Any]
Feeds = dict[str, Array]

FLOAT32, FLOAT16, INT8, FEW_BITS = 1e-4, 2e-2, 0.15, 1e-3
"""Tolerances: both sides sum the same products in other orders through up to 120 layers; native
onnxruntime rounds each layer's result to float16, pyxnn only what leaves a subgraph. Of 8 bits, a
number half way between two integers that is rounded the other way grows from layer to layer in
networks that never learned: native onnxruntime differs as much from itself, optimized and not.
Their exactness is tested group by group (tests/unit/models/test_quantized.py). With weights of
4 bits, a token alone is rounded to 15 bits before each product."""


class Entry(NamedTuple):
    """A model of the zoo.

    Attributes:
        make: builds it; the published one without arguments.
        small: the arguments for tests, where time matters.
        extents: of the inputs' named dimensions, for each of the runs in sequence.
        carried: outputs that the next run is fed with, by the names of inputs.
        tolerance: of an output's greatest absolute value.
    """

    make: Callable[..., onnx.ModelProto]
    small: Mapping[str, Any] = {}
    extents: tuple[Mapping[str, int], ...] = ({},)
    carried: Mapping[str, str] = {}
    tolerance: float = FLOAT32


_SENTENCES = ({"batch": 1, "tokens": 128}, {"batch": 2, "tokens": 12})
_GROWING = tuple({"batch": 1, "tokens": tokens} for tokens in (16, 1, 1, 5))
_CACHE = {
    f"past.{layer}.{kind}": f"present.{layer}.{kind}"
    for layer in range(6)
    for kind in ("key", "value")
}

ZOO: dict[str, Entry] = {
    "mobilenet_v1": Entry(mobilenet_v1, {"size": 96}),
    "mobilenet_v2": Entry(mobilenet_v2, {"size": 96}),
    "mobilenet_v2_fp16": Entry(half(mobilenet_v2), {"size": 96}, tolerance=FLOAT16),
    "mobilenet_v3": Entry(mobilenet_v3, {"size": 96}),
    "efficientnet_b0": Entry(efficientnet_b0, {"size": 96}),
    "resnet50": Entry(resnet50, {"size": 96}),
    "densenet121": Entry(densenet121, {"size": 96}),
    "inception_v3": Entry(inception_v3, {"size": 139}),
    "shufflenet_v2": Entry(shufflenet_v2, {"size": 96}),
    "squeezenet": Entry(squeezenet, {"size": 96}),
    "convnext_tiny": Entry(convnext_tiny, {"size": 64}),
    "unet": Entry(unet, {"size": 64}),
    "yolov8n": Entry(yolov8n, {"size": 160}),
    "ssd": Entry(ssd),
    "vit_small": Entry(vit_small, {"size": 96, "layers": 4}),
    "bert_base": Entry(bert_base, {"vocabulary": 1000}, _SENTENCES),
    "minilm_ids": Entry(minilm_ids, {"vocabulary": 1000}, _SENTENCES),
    "minilm_fp16": Entry(half(minilm_ids), {"vocabulary": 1000}, _SENTENCES, tolerance=FLOAT16),
    "gpt2": Entry(gpt2, {"vocabulary": 1000, "layers": 2}, _GROWING, _CACHE),
    "whisper_encoder": Entry(whisper_encoder, {"positions": 150, "layers": 2}),
    "deep_speech": Entry(deep_speech, {"frames": 64, "hidden": 128, "layers": 2}),
    "style_transfer": Entry(style_transfer, {"size": 96}),
}

QUANTIZED = {
    "mobilenet_v2": Entry(mobilenet_v2, {"size": 96}),
    "mobilenet_v3": Entry(mobilenet_v3, {"size": 96}),
    "efficientnet_b0": Entry(efficientnet_b0, {"size": 96}),
    "resnet50": Entry(resnet50, {"size": 96}),
    "unet": Entry(unet, {"size": 64}),
    "minilm": Entry(minilm, {"tokens": 16}),
}
"""Those that are there on 8-bit integers, too: with uint8 activations, and with int8 ones."""

ZOO |= {
    f"{name}_{kind}": entry._replace(make=int8(entry.make, activation), tolerance=INT8)
    for name, entry in QUANTIZED.items()
    for kind, activation in (("u8s8", QuantType.QUInt8), ("s8s8", QuantType.QInt8))
}

ZOO |= {
    f"{name}_{kind}": ZOO[name]._replace(make=change(ZOO[name].make), tolerance=tolerance)
    for name in ("minilm_ids", "gpt2")
    for kind, change, tolerance in (("dynamic", dynamic, INT8), ("few_bits", few_bits, FEW_BITS))
}
"""With products on integers quantized as they come, and with weights of 4 bits."""


class Run(NamedTuple):
    """What goes into a run, and what native onnxruntime makes of it, by the names of outputs."""

    feeds: Feeds
    expected: Feeds


def runs(entry: Entry, model: bytes, *, seed: int = 1) -> Iterator[Run]:
    """Random inputs, always the same, and native onnxruntime's outputs."""
    session = exact.session(model)
    names = [output.name for output in session.get_outputs()]
    random = np.random.default_rng(seed)
    carried: Feeds = {}
    for extents in entry.extents:
        feeds = {
            value.name: carried[value.name]
            if value.name in carried
            else _random(value, extents, random)
            for value in session.get_inputs()
        }
        expected = dict(zip(names, session.run(None, feeds), strict=True))
        yield Run(feeds, expected)
        carried = {
            to: expected[source] for to, source in entry.carried.items() if source in expected
        }


def _random(
    value: onnxruntime.NodeArg, extents: Mapping[str, int], random: np.random.Generator
) -> Array:
    """Normal numbers, or token ids, or a mask of tokens at whose end some are left out; nothing is in a cache at first."""
    shape = [extents.get(dim, 0) if isinstance(dim, str) else dim for dim in value.shape]
    if value.type == "tensor(int64)":
        if value.name == "attention_mask":
            lengths = shape[1] - 3 * np.arange(shape[0])[:, None]
            return (np.arange(shape[1]) < lengths).astype(np.int64)
        return random.integers(0, 2 if value.name == "token_type_ids" else 1000, shape)
    dtype = np.float16 if value.type == "tensor(float16)" else np.float32
    return random.standard_normal(shape, np.float32).astype(dtype)


def error(actual: Array, expected: Array) -> float:
    """The greatest difference, as a part of the greatest expected value; infinite where types or shapes differ."""
    if actual.dtype != expected.dtype or actual.shape != expected.shape:
        return float("inf")
    if expected.size == 0:
        return 0.0
    difference = np.abs(actual.astype(np.float64) - expected).max()
    return float(difference / max(np.abs(expected.astype(np.float64)).max(), 1e-30))
