"""Float models in float16 throughout, inputs and outputs too, by onnxruntime's own tool."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import onnx
from onnxruntime.transformers.float16 import convert_float_to_float16


def half(make: Callable[..., onnx.ModelProto]) -> Callable[..., onnx.ModelProto]:
    """What makes the model in float16."""

    def make_half(**arguments: Any) -> onnx.ModelProto:
        model = make(**arguments)
        converted: onnx.ModelProto = convert_float_to_float16(model, disable_shape_infer=True)
        return converted

    return make_half
