"""Float models quantized by onnxruntime's own tool: QDQ form, s8 weights per channel, u8 or s8 activations."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

CALIBRATIONS = 4


def samples(model: onnx.ModelProto) -> Iterator[dict[str, NDArray[np.float32]]]:
    """Inputs to calibrate by: normal random numbers, always the same."""
    random = np.random.default_rng(1)
    (value,) = model.graph.input
    shape = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
    for _ in range(CALIBRATIONS):
        yield {value.name: random.standard_normal(shape, np.float32)}


def int8(
    make: Callable[..., onnx.ModelProto], activation: QuantType = QuantType.QUInt8
) -> Callable[..., onnx.ModelProto]:
    """What makes the model on 8-bit integers."""
    return lambda **arguments: quantized(make(**arguments), activation)


def quantized(model: onnx.ModelProto, activation: QuantType = QuantType.QUInt8) -> onnx.ModelProto:
    """The model with its convolutions, its products and what is around them on 8-bit integers."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "float.onnx", Path(folder) / "quantized.onnx"
        onnx.save(model, source)
        quantize_static(
            source,
            target,
            _Samples(model),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=activation,
            weight_type=QuantType.QInt8,
        )
        return onnx.load(target)


class _Samples(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, model: onnx.ModelProto) -> None:
        self._samples = samples(model)

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        return next(self._samples, None)
