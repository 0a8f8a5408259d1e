"""Float models quantized by onnxruntime's own tool: QDQ form, u8 activations, s8 weights per channel."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
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


def quantized(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with its convolutions and products on 8-bit integers."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "float.onnx", Path(folder) / "quantized.onnx"
        onnx.save(model, source)
        quantize_static(
            source,
            target,
            _Samples(model),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        return onnx.load(target)


class _Samples(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, model: onnx.ModelProto) -> None:
        self._samples = samples(model)

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        return next(self._samples, None)
