"""A model to measure: its input, what it should give, and its files in the format of each library."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from tests.models.flops import flops
from tests.models.quantized import samples
from tests.support import exact
from tools import cache
from tools.bench import channels_last, tflite
from tools.run import BUILD

DATA = BUILD / "bench"
PRODUCTS = ("MatMul", "Gemm", "MatMulNBits")
Array = NDArray[np.float32]
Format = Literal["onnx", "json", "tflite"]


@dataclass(frozen=True)
class Case:
    """A model with one float input, and what native onnxruntime makes of it.

    Attributes:
        origin: the float model that a quantized one was made from, by `tests.models.quantized`.
    """

    name: str
    model: onnx.ModelProto
    input: Array
    origin: onnx.ModelProto | None = None

    @classmethod
    def random(
        cls, name: str, model: onnx.ModelProto, origin: onnx.ModelProto | None = None
    ) -> Case:
        """Normal random numbers as input, always the same."""
        shape = [dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim]
        numbers = np.random.default_rng(0).standard_normal(shape, np.float32)
        return cls(name, model, numbers, origin)

    @property
    def input_name(self) -> str:
        return self.model.graph.input[0].name

    @cached_property
    def flops(self) -> int:
        return flops(self.model)

    @cached_property
    def weights(self) -> int:
        """Bytes of the constants that products take."""
        sizes = {
            tensor.name: numpy_helper.to_array(tensor).nbytes
            for tensor in self.model.graph.initializer
        }
        products = [node for node in self.model.graph.node if node.op_type in PRODUCTS]
        return sum(sizes.get(name, 0) for node in products for name in node.input)

    @cached_property
    def expected(self) -> Array:
        """The output of native onnxruntime."""
        session = exact.session(self.model.SerializeToString())
        output: Array = session.run(None, {self.input_name: self.input})[0]
        return output

    def write(self, format: Format) -> tuple[str, dict[str, Any]]:
        """Puts the model and its input where the pages fetch them; returns the model's address and the feed.

        Raises:
            UntranslatableError: the model can't be had in the format.
        """
        DATA.mkdir(parents=True, exist_ok=True)
        model, data = DATA / f"{self.name}.{format}", self.input
        if format == "onnx":
            _write(model, self.model.SerializeToString())
        else:
            data = _channels_last(data)
            if format == "tflite":
                cache.place(self._tflite(), model)
            elif self.origin:
                raise channels_last.UntranslatableError("it has no 8-bit kernels")
            else:
                channels_last.translate(self.model).write(model)
        numbers = DATA / f"{self.name}.{format}.input"
        _write(numbers, data.tobytes())
        feed = {"name": self.input_name, "shape": data.shape, "url": f"/data/{numbers.name}"}
        return f"/data/{model.name}", feed

    def _tflite(self) -> Path:
        if self.origin is None:
            return tflite.tflite(self.name, self.model)
        calibration = [_channels_last(feed[self.input_name]) for feed in samples(self.origin)]
        return tflite.tflite(self.name, self.origin, calibration)


def _channels_last(array: Array) -> Array:
    return np.ascontiguousarray(array.transpose(0, 2, 3, 1)) if array.ndim == 4 else array


def _write(path: Path, content: bytes) -> None:
    """Leaves a file alone that is what it should be, so that the browser needn't fetch it again."""
    if not path.exists() or path.read_bytes() != content:
        path.write_bytes(content)
