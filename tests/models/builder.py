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

    def __init__(self, name: str, *, seed: int = 0, batch_norm: bool = False) -> None:
        self.name = name
        self.batch_norm = batch_norm
        self._random = np.random.default_rng(seed)
        self._nodes: list[onnx.NodeProto] = []
        self._inputs: list[onnx.ValueInfoProto] = []
        self._initializers: list[onnx.TensorProto] = []

    def input(self, name: str, shape: Dims) -> str:
        self._inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
        return name

    def constant(self, name: str, array: NDArray[Any]) -> str:
        self._initializers.append(numpy_helper.from_array(array, name))
        return name

    def node(self, op_type: str, *inputs: str, name: str, **attributes: Any) -> str:
        """Adds a node with one output, named after the node."""
        output = f"{name}_output_0"
        self._nodes.append(
            helper.make_node(op_type, list(inputs), [output], name=name, **attributes)
        )
        return output

    def normal(self, shape: Sequence[int], std: float) -> NDArray[np.float32]:
        return self._random.standard_normal(shape, dtype=np.float32) * np.float32(std)

    def uniform(self, size: int, low: float, high: float) -> NDArray[np.float32]:
        return self._random.uniform(low, high, size).astype(np.float32)

    def conv(
        self,
        x: str,
        channels: tuple[int, int],
        kernel: int,
        *,
        name: str,
        stride: int = 1,
        groups: int = 1,
        gain: float = math.sqrt(2),
    ) -> str:
        """A 2-D convolution of (input, output) channels with its batch normalization."""
        inputs, outputs = channels
        fan_in = inputs // groups * kernel * kernel
        weight = self.normal((outputs, inputs // groups, kernel, kernel), gain / math.sqrt(fan_in))
        scale, variance = self.uniform(outputs, 0.8, 1.2), self.uniform(outputs, 0.8, 1.2)
        shift, mean = self.normal((outputs,), 0.1), self.normal((outputs,), 0.1)
        attributes = {
            "dilations": [1, 1],
            "group": groups,
            "kernel_shape": [kernel, kernel],
            "pads": [kernel // 2] * 4,
            "strides": [stride, stride],
        }
        epsilon = 1e-5
        if not self.batch_norm:
            factor = scale / np.sqrt(variance + np.float32(epsilon))
            w = self.constant(f"{name}.weight", weight * factor[:, None, None, None])
            b = self.constant(f"{name}.bias", shift - mean * factor)
            return self.node("Conv", x, w, b, name=name, **attributes)
        w = self.constant(f"{name}.weight", weight)
        y = self.node("Conv", x, w, name=name, **attributes)
        statistics = {"weight": scale, "bias": shift, "running_mean": mean, "running_var": variance}
        names = [self.constant(f"{name}.bn.{key}", array) for key, array in statistics.items()]
        return self.node("BatchNormalization", y, *names, name=f"{name}.bn", epsilon=epsilon)

    def linear(self, x: str, inputs: int, outputs: int, *, name: str) -> str:
        w = self.constant(f"{name}.weight", self.normal((outputs, inputs), 1 / math.sqrt(inputs)))
        b = self.constant(f"{name}.bias", self.normal((outputs,), 0.1))
        return self.node("Gemm", x, w, b, name=name, alpha=1.0, beta=1.0, transB=1)

    def model(self, output: str, shape: Dims, *, name: str = "output") -> onnx.ModelProto:
        """The finished model, with the value `output` as the graph's only output `name`."""
        for node in self._nodes:
            for names in (node.input, node.output):
                names[:] = [name if value == output else value for value in names]
        graph = helper.make_graph(
            self._nodes,
            self.name,
            self._inputs,
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)],
            self._initializers,
        )
        opsets = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(
            graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="pyxnn"
        )
        onnx.checker.check_model(model)
        return model
