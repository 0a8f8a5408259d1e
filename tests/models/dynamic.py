"""Float models with their products on 8-bit integers by onnxruntime's own tool: weights int8, activations quantized as they come."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
from onnxruntime.quantization import QuantType, quantize_dynamic


def dynamic(make: Callable[..., onnx.ModelProto]) -> Callable[..., onnx.ModelProto]:
    """What makes the model on integers."""

    def make_dynamic(**arguments: Any) -> onnx.ModelProto:
        with tempfile.TemporaryDirectory() as folder:
            source, target = Path(folder) / "float.onnx", Path(folder) / "quantized.onnx"
            onnx.save(make(**arguments), source)
            quantize_dynamic(source, target, weight_type=QuantType.QInt8)
            return onnx.load(target)

    return make_dynamic
