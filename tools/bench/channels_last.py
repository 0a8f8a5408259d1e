"""Writes an ONNX model as the list of steps that TensorFlow's libraries would run: channels last, activations fused.

The same list is played by tests/bench/tfjs.js with tfjs's operators and by tools/bench/convert.py with TensorFlow's.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper, shape_inference

Step = dict[str, Any]

BINARY = {"Add": "add", "Div": "div", "Mul": "mul"}
# Gelu as PyTorch's exporter spells it out: x * (erf(x / sqrt(2)) + 1) * 0.5
GELU = ("Div", "Erf", "Add", "Mul", "Mul")


class UntranslatableError(Exception):
    """The model has something that this translator doesn't know."""


@dataclass
class Program:
    """Steps, each with its operator, the names of its inputs and its output, and attributes.

    Attributes:
        input_shape: of the one input, "input".
        output: name of the one output.
    """

    input_shape: list[int]
    output: str = ""
    steps: list[Step] = field(default_factory=list)
    constants: dict[str, NDArray[np.float32]] = field(default_factory=dict)

    def write(self, path: Path) -> None:
        """Writes the steps to `path`, and the constants beside it in a file that ends with .bin."""
        offset, places = 0, {}
        with path.with_suffix(".bin").open("wb") as file:
            for name, array in self.constants.items():
                places[name] = {"shape": array.shape, "offset": offset}
                offset += file.write(np.ascontiguousarray(array, np.float32).tobytes())
        content = {
            "input_shape": self.input_shape,
            "output": self.output,
            "steps": self.steps,
            "constants": places,
        }
        path.write_text(json.dumps(content))


def translate(model: onnx.ModelProto) -> Program:
    """The program that computes what `model` does.

    Raises:
        UntranslatableError: there is a node that it has no step for.
    """
    return _Translator(model).program


class _Translator:
    """Goes over the nodes once; `_names` says which value of the program each value of the model is."""

    def __init__(self, model: onnx.ModelProto) -> None:
        graph = shape_inference.infer_shapes(model, strict_mode=True, data_prop=True).graph
        self._arrays = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
        self._shapes = {name: list(array.shape) for name, array in self._arrays.items()}
        for value in (*graph.input, *graph.value_info, *graph.output):
            self._shapes[value.name] = [d.dim_value for d in value.type.tensor_type.shape.dim]
        self._nodes = list(graph.node)
        self._uses: dict[str, list[onnx.NodeProto]] = {}
        for node in graph.node:
            for name in node.input:
                self._uses.setdefault(name, []).append(node)
        self._images = any(node.op_type == "Conv" for node in graph.node)
        (source,) = graph.input
        self._names = {source.name: "input"}
        self.program = Program(self._shape(source.name))
        while self._nodes:
            self._node(self._nodes.pop(0))
        self.program.output = self._names[graph.output[0].name]

    def _shape(self, name: str) -> list[int]:
        """The value's shape in the program: images have their channels last."""
        shape = self._shapes[name]
        return [shape[0], *shape[2:], shape[1]] if self._images and len(shape) == 4 else shape

    def _node(self, node: onnx.NodeProto) -> None:
        attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        if node.op_type in BINARY:
            if not self._gelu(node):
                self._step(BINARY[node.op_type], node, node.input)
            return
        act: Callable[[onnx.NodeProto, dict[str, Any]], None] | None
        act = getattr(self, f"_{node.op_type.lower()}", None)
        if act is None:
            raise UntranslatableError(f"{node.op_type} has no translation")
        act(node, attributes)

    def _step(self, op: str, node: onnx.NodeProto, inputs: Any, **attributes: Any) -> Step:
        """Adds a step that computes the node's output."""
        names = [self._value(name) for name in inputs]
        step = {"op": op, "inputs": names, "output": node.name, **attributes}
        self.program.steps.append(step)
        self._names[node.output[0]] = node.name
        return step

    def _value(self, name: str) -> str:
        if name not in self._names:
            self._constant(name, self._arrays[name])
        return self._names[name]

    def _constant(self, name: str, array: NDArray[Any]) -> None:
        self.program.constants[name] = array.astype(np.float32)
        self._names[name] = name

    def _next(self, node: onnx.NodeProto, *op_types: str) -> onnx.NodeProto | None:
        """The node after, if it alone uses the result and is one of `op_types`."""
        users = self._uses.get(node.output[0], [])
        return users[0] if len(users) == 1 and users[0].op_type in op_types else None

    def _fuse(self, node: onnx.NodeProto, step: Step) -> None:
        """Has the step produce what `node`, which comes after it, would; drops the node."""
        self._nodes.remove(node)
        self._names[node.output[0]] = step["output"]

    def _activate(self, node: onnx.NodeProto, step: Step) -> None:
        """Fuses the Relu or Clip that follows, if any."""
        after = self._next(node, "Relu", "Clip")
        if after:
            step["activation"] = self._activation(after)
            self._fuse(after, step)

    def _activation(self, node: onnx.NodeProto) -> str:
        if node.op_type == "Relu":
            return "relu"
        if [float(self._arrays[name]) for name in node.input[1:]] != [0, 6]:
            raise UntranslatableError("Clip to other bounds than 0 and 6")
        return "relu6"

    def _conv(self, node: onnx.NodeProto, attributes: dict[str, Any]) -> None:
        kernel = node.input[1]
        weights = self._arrays[kernel]
        groups, pads = attributes.get("group", 1), attributes["pads"]
        if groups not in (1, len(weights)) or len(set(pads)) != 1:
            raise UntranslatableError(f"Conv {node.name}: groups or uneven padding")
        bias = node.input[2] if len(node.input) == 3 else f"{node.name}.zeros"
        self._arrays.setdefault(bias, np.zeros(len(weights), np.float32))
        depthwise = groups != 1
        self._constant(kernel, weights.transpose((2, 3, 0, 1) if depthwise else (2, 3, 1, 0)))
        step = self._step(
            "depthwise" if depthwise else "conv",
            node,
            [node.input[0], kernel, bias],
            stride=attributes["strides"][0],
            pad=pads[0],
            activation=None,
        )
        self._activate(node, step)

    def _convtranspose(self, node: onnx.NodeProto, attributes: dict[str, Any]) -> None:
        weights = self._arrays[node.input[1]]
        size = list(weights.shape[2:])
        if attributes["strides"] != size or any(attributes.get("pads", [])) or len(node.input) != 3:
            raise UntranslatableError(f"ConvTranspose {node.name}: windows that meet, or no bias")
        self._constant(node.input[1], weights.transpose(2, 3, 1, 0))
        shape = self._shape(node.output[0])
        self._step("deconv", node, node.input, stride=size[0], shape=shape)

    def _gemm(self, node: onnx.NodeProto, attributes: dict[str, Any]) -> None:
        if not attributes.get("transB") or len(node.input) != 3:
            raise UntranslatableError(f"Gemm {node.name}: not a fully-connected layer")
        self._constant(node.input[1], self._arrays[node.input[1]].T)
        self._step("linear", node, node.input, activation=None)

    def _matmul(self, node: onnx.NodeProto, _: dict[str, Any]) -> None:
        if node.input[1] not in self._arrays:
            self._step("matmul", node, node.input)
            return
        step = self._step("linear", node, node.input, activation=None)
        after = self._next(node, "Add")
        if after:
            (bias,) = (name for name in after.input if name != node.output[0])
            if bias in self._arrays and self._arrays[bias].ndim == 1:
                step["inputs"].append(self._value(bias))
                self._fuse(after, step)

    def _gelu(self, node: onnx.NodeProto) -> bool:
        """Writes one step for five nodes that are a Gelu beginning with `node`."""
        pattern, current = [node], node
        for op_type in GELU[1:]:
            after = self._next(current, op_type)
            if after is None:
                return False
            pattern.append(after)
            current = after
        if node.op_type != GELU[0] or node.input[0] not in pattern[3].input:
            return False
        step = self._step("gelu", node, node.input[:1])
        for other in pattern[1:]:
            self._fuse(other, step)
        return True

    def _relu(self, node: onnx.NodeProto, _: dict[str, Any]) -> None:
        self._step(self._activation(node), node, node.input[:1])

    _clip = _relu

    def _maxpool(self, node: onnx.NodeProto, attributes: dict[str, Any]) -> None:
        before = self.program.steps[-1]
        if not before.get("activation"):  # zeros are as good as -inf where nothing is below zero
            raise UntranslatableError("MaxPool of what may be negative")
        size, stride = attributes["kernel_shape"][0], attributes["strides"][0]
        self._step("maxpool", node, node.input, size=size, stride=stride, pad=attributes["pads"][0])

    def _averagepool(self, node: onnx.NodeProto, attributes: dict[str, Any]) -> None:
        if any(attributes.get("pads", [])):
            raise UntranslatableError("AveragePool with padding")
        size, stride = attributes["kernel_shape"][0], attributes["strides"][0]
        self._step("avgpool", node, node.input, size=size, stride=stride)

    def _globalaveragepool(self, node: onnx.NodeProto, _: dict[str, Any]) -> None:
        flatten = self._next(node, "Flatten")
        step = self._step("mean", node, node.input, keep=flatten is None)
        if flatten:
            self._fuse(flatten, step)

    def _batchnormalization(self, node: onnx.NodeProto, attributes: dict[str, Any]) -> None:
        x, *names = node.input
        scale, shift, mean, variance = (self._arrays[name].astype(np.float64) for name in names)
        scale /= np.sqrt(variance + attributes.get("epsilon", 1e-5))
        self._constant(names[0], scale)
        self._constant(names[1], shift - mean * scale)
        self._activate(node, self._step("affine", node, [x, *names[:2]], activation=None))

    def _concat(self, node: onnx.NodeProto, attributes: dict[str, Any]) -> None:
        if attributes["axis"] != 1 or len(self._shapes[node.output[0]]) != 4:
            raise UntranslatableError("Concat of other things than channels")
        self._step("concat", node, node.input)

    def _sigmoid(self, node: onnx.NodeProto, _: dict[str, Any]) -> None:
        self._step("sigmoid", node, node.input)

    def _hardsigmoid(self, node: onnx.NodeProto, attributes: dict[str, Any]) -> None:
        if abs(attributes.get("alpha", 0.2) - 1 / 6) > 1e-6 or attributes.get("beta", 0.5) != 0.5:
            raise UntranslatableError("HardSigmoid of another slope than HardSwish's")
        self._step("hardsigmoid", node, node.input)

    def _reshape(self, node: onnx.NodeProto, _: dict[str, Any]) -> None:
        self._step("reshape", node, node.input[:1], shape=self._shapes[node.output[0]])

    def _transpose(self, node: onnx.NodeProto, attributes: dict[str, Any]) -> None:
        self._step("transpose", node, node.input, order=attributes["perm"])

    def _softmax(self, node: onnx.NodeProto, _: dict[str, Any]) -> None:
        self._step("softmax", node, node.input)

    def _layernormalization(self, node: onnx.NodeProto, attributes: dict[str, Any]) -> None:
        self._step("layernorm", node, node.input, epsilon=attributes["epsilon"])
