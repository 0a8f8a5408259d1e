"""Builds ONNX models node by node, with seeded weights that keep activations at a sane scale."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
IR_VERSION = 8

Dims = Sequence[int | str]


class Builder:
    """One graph under construction; methods take and return value names.

    Weights are He-normal. With ``batch_norm`` every convolution of :meth:`conv` is followed by its
    BatchNormalization node; without, the same statistics are folded into weights and bias, so that
    both forms of a model compute the same function.
    """

    def __init__(
        self, name: str, *, seed: int = 0, batch_norm: bool = False, epsilon: float = 1e-5
    ) -> None:
        self.name = name
        self.batch_norm = batch_norm
        self.epsilon = epsilon
        self._random = np.random.default_rng(seed)
        self._nodes: list[onnx.NodeProto] = []
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []
        self._initializers: dict[str, onnx.TensorProto] = {}

    def input(self, name: str, shape: Dims, elem_type: int = TensorProto.FLOAT) -> str:
        self._inputs.append(helper.make_tensor_value_info(name, elem_type, shape))
        return name

    def output(self, x: str, name: str, shape: Dims, elem_type: int = TensorProto.FLOAT) -> None:
        """Makes a value a graph output, under another name."""
        for node in self._nodes:
            for names in (node.input, node.output):
                names[:] = [name if value == x else value for value in names]
        self._outputs.append(helper.make_tensor_value_info(name, elem_type, shape))

    def constant(self, name: str, array: NDArray[Any]) -> str:
        self._initializers[name] = numpy_helper.from_array(array, name)
        return name

    def scalar(self, value: float) -> str:
        return self.constant(f"scalar_{value}", np.array(value, np.float32))

    def ints(self, *values: int) -> str:
        """A constant vector of int64."""
        return self.constant(f"ints_{'_'.join(map(str, values))}", np.array(values, np.int64))

    def integer(self, value: int) -> str:
        """A constant int64 without axes."""
        return self.constant(f"integer_{value}", np.array(value, np.int64))

    def node(self, op_type: str, *inputs: str, name: str = "", **attributes: Any) -> str:
        """Adds a node with one output, named after the node, which gets a number if it has no name."""
        (output,) = self.nodes(op_type, *inputs, outputs=1, name=name, **attributes)
        return output

    def nodes(
        self, op_type: str, *inputs: str, outputs: int, name: str = "", **attributes: Any
    ) -> list[str]:
        """Adds a node with several outputs."""
        name = name or f"{op_type}_{len(self._nodes)}"
        names = [f"{name}_output_{i}" for i in range(outputs)]
        self._nodes.append(helper.make_node(op_type, list(inputs), names, name=name, **attributes))
        return names

    def normal(self, shape: Sequence[int], std: float) -> NDArray[np.float32]:
        return self._random.standard_normal(shape, dtype=np.float32) * np.float32(std)

    def uniform(self, size: int, low: float, high: float) -> NDArray[np.float32]:
        return self._random.uniform(low, high, size).astype(np.float32)

    def conv(
        self,
        x: str,
        channels: tuple[int, int],
        kernel: int | tuple[int, int],
        *,
        name: str,
        stride: int | tuple[int, int] = 1,
        pad: int | tuple[int, int] | None = None,
        groups: int = 1,
        gain: float = math.sqrt(2),
        norm: bool = True,
        bias: bool = True,
    ) -> str:
        """A 2-D convolution of (input, output) channels with its batch normalization; without `norm`, with a bias.

        Without `pad`, an odd kernel with stride 1 keeps the size.
        """
        inputs, outputs = channels
        kernel, stride = _pair(kernel), _pair(stride)
        pad = (kernel[0] // 2, kernel[1] // 2) if pad is None else _pair(pad)
        shape = (outputs, inputs // groups, *kernel)
        weight = self.normal(shape, gain / math.sqrt(math.prod(shape[1:])))
        attributes = {
            "dilations": [1, 1],
            "group": groups,
            "kernel_shape": kernel,
            "pads": pad * 2,
            "strides": stride,
        }
        if not norm:
            w = self.constant(f"{name}.weight", weight)
            b = [self.constant(f"{name}.bias", self.normal((outputs,), 0.1))] if bias else []
            return self.node("Conv", x, w, *b, name=name, **attributes)
        scale, variance = self.uniform(outputs, 0.8, 1.2), self.uniform(outputs, 0.8, 1.2)
        shift, mean = self.normal((outputs,), 0.1), self.normal((outputs,), 0.1)
        if not self.batch_norm:
            factor = scale / np.sqrt(variance + np.float32(self.epsilon))
            w = self.constant(f"{name}.weight", weight * factor[:, None, None, None])
            b = [self.constant(f"{name}.bias", shift - mean * factor)]
            return self.node("Conv", x, w, *b, name=name, **attributes)
        w = self.constant(f"{name}.weight", weight)
        y = self.node("Conv", x, w, name=name, **attributes)
        return self._batch_norm(y, scale, shift, mean, variance, name)

    def up(self, x: str, channels: tuple[int, int], *, kernel: int = 2, name: str) -> str:
        """A transposed convolution with bias that doubles the size."""
        pad = (kernel - 1) // 2
        taps = kernel**2 / 4  # of an output pixel, on average
        weight = self.normal((*channels, kernel, kernel), (channels[0] * taps) ** -0.5)
        return self.node(
            "ConvTranspose",
            x,
            self.constant(f"{name}.weight", weight),
            self.constant(f"{name}.bias", self.normal(channels[1:], 0.1)),
            name=name,
            kernel_shape=[kernel] * 2,
            output_padding=[2 - kernel + 2 * pad] * 2,
            pads=[pad] * 4,
            strides=[2, 2],
        )

    def doubled(self, x: str) -> str:
        """An image of twice the size, each pixel four times."""
        scales = self.constant("scales", np.array([1, 1, 2, 2], np.float32))
        return self.node(
            "Resize",
            x,
            "",
            scales,
            mode="nearest",
            nearest_mode="floor",
            coordinate_transformation_mode="asymmetric",
        )

    def batch_norm_alone(self, x: str, channels: int, *, name: str) -> str:
        """A batch normalization that isn't folded, as no convolution comes before it."""
        scale, variance = self.uniform(channels, 0.8, 1.2), self.uniform(channels, 0.8, 1.2)
        shift, mean = self.normal((channels,), 0.1), self.normal((channels,), 0.1)
        return self._batch_norm(x, scale, shift, mean, variance, name)

    def _batch_norm(
        self,
        x: str,
        scale: NDArray[np.float32],
        shift: NDArray[np.float32],
        mean: NDArray[np.float32],
        variance: NDArray[np.float32],
        name: str,
    ) -> str:
        statistics = {"weight": scale, "bias": shift, "running_mean": mean, "running_var": variance}
        names = [self.constant(f"{name}.bn.{key}", array) for key, array in statistics.items()]
        return self.node("BatchNormalization", x, *names, name=f"{name}.bn", epsilon=self.epsilon)

    def linear(self, x: str, inputs: int, outputs: int, *, name: str) -> str:
        w = self.constant(f"{name}.weight", self.normal((outputs, inputs), 1 / math.sqrt(inputs)))
        b = self.constant(f"{name}.bias", self.normal((outputs,), 0.1))
        return self.node("Gemm", x, w, b, name=name, alpha=1.0, beta=1.0, transB=1)

    def pool(
        self, op_type: str, x: str, kernel: int, stride: int, pad: int = 0, **attributes: Any
    ) -> str:
        """MaxPool or AveragePool with square windows."""
        attributes |= {
            "kernel_shape": [kernel] * 2,
            "pads": [pad] * 4,
            "strides": [stride] * 2,
        }
        return self.node(op_type, x, **attributes)

    def classifier(self, x: str, channels: int, classes: int) -> str:
        """What most image classifiers end with."""
        x = self.node("GlobalAveragePool", x, name="pool")
        x = self.node("Flatten", x, name="flatten", axis=1)
        return self.linear(x, channels, classes, name="classifier")

    def model(
        self, x: str | None = None, shape: Dims = (), *, name: str = "output"
    ) -> onnx.ModelProto:
        """The finished model, with the value `x`, if given, as one more output."""
        if x is not None:
            self.output(x, name, shape)
        graph = helper.make_graph(
            self._nodes, self.name, self._inputs, self._outputs, list(self._initializers.values())
        )
        opsets = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(
            graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="pyxnn"
        )
        onnx.checker.check_model(model)
        return model


def _pair(value: int | tuple[int, int]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else value
