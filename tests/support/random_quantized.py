"""Random graphs with most of their values, and their weights, as 8-bit integers: see `random_graphs`."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import onnx
from hypothesis import strategies as st
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from tests.support import random_graphs

WEIGHTED = {"Conv": 0, "ConvTranspose": 1, "Gemm": 1, "MatMul": 1}
"""Operators with weights as their second input, and the axis of these that has a scale for each output channel."""


class Case(NamedTuple):
    """A model and its feeds."""

    model: onnx.ModelProto
    feeds: dict[str, np.ndarray]


@st.composite
def graphs(draw: Any, most: int = 12) -> Case:
    """Graphs of up to so many operators between conversions, with uint8 or int8 activations and weights of either kind."""
    data, feeds = draw(random_graphs.graphs(most))
    model = onnx.load_from_string(data)
    random = np.random.default_rng(draw(st.integers(0, 9999)))
    return Case(_Quantizer(model, feeds, random).quantized(), feeds)


class _Quantizer:
    def __init__(
        self, model: onnx.ModelProto, feeds: dict[str, np.ndarray], random: np.random.Generator
    ) -> None:
        self._model = model
        self._random = random
        self._type = np.dtype(random.choice([np.uint8, np.int8]))
        self._constants = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
        names = [name for node in model.graph.node for name in node.output if name]
        results = ReferenceEvaluator(_with_outputs(model, names)).run(names, feeds)
        self._values = feeds | dict(zip(names, results, strict=True))
        self._nodes: list[onnx.NodeProto] = []
        self._added: list[onnx.TensorProto] = []

    def quantized(self) -> onnx.ModelProto:
        graph = self._model.graph
        nodes, outputs = list(graph.node), {output.name for output in graph.output}
        names = {value.name: self._through(value.name) for value in graph.input}
        for node in nodes:
            inputs = [self._weights(node, i) or names.get(x, x) for i, x in enumerate(node.input)]
            del node.input[:]
            node.input.extend(inputs)
            self._nodes.append(node)
            for name in filter(None, node.output):
                is_float = self._values[name].dtype == np.float32
                if is_float and name not in outputs and self._random.random() < 0.85:
                    names[name] = self._through(name)
        del graph.node[:]
        graph.node.extend(self._nodes)
        graph.initializer.extend(self._added)
        used = {name for node in self._nodes for name in node.input}
        kept = [tensor for tensor in graph.initializer if tensor.name in used]
        del graph.initializer[:]
        graph.initializer.extend(kept)
        return self._model

    def _through(self, name: str) -> str:
        """The name of a value that went through integers."""
        value = self._values[name]
        least, most = min(float(value.min()), 0.0), max(float(value.max()), 0.0)
        limits = np.iinfo(self._type)
        # A part of the range is cut off, or left unused; no scale is a round number.
        scale = np.float32(max(most - least, 1e-3) / 255 * self._random.uniform(0.9, 1.2))
        zero = np.clip(np.rint(limits.min - least / scale), limits.min, limits.max)
        parameters = [
            self._constant(f"{name}_scale", scale),
            self._constant(f"{name}_zero", self._type.type(zero)),
        ]
        integers, numbers = f"{name}_q", f"{name}_d"
        self._nodes.append(helper.make_node("QuantizeLinear", [name, *parameters], [integers]))
        self._nodes.append(helper.make_node("DequantizeLinear", [integers, *parameters], [numbers]))
        return numbers

    def _weights(self, node: onnx.NodeProto, position: int) -> str | None:
        """The name of an operator's weights out of integers; None for all other inputs, and for a few weights."""
        axis, array = WEIGHTED.get(node.op_type), self._constants.get(node.input[position])
        if axis is None or position != 1 or array is None or array.ndim < 2:
            return None
        kind = str(self._random.choice(["none", "by channel", "symmetric", "asymmetric"]))
        if kind == "none" or not array.size:
            return None
        if any(attribute.name == "transB" and attribute.i for attribute in node.attribute):
            axis = 0
        name = f"{node.output[0]}_w"
        if kind == "by channel" and node.op_type != "ConvTranspose":
            around = tuple(a for a in range(array.ndim) if a != axis)
            scale = np.maximum(np.abs(array).max(axis=around) / 127, 1e-4).astype(np.float32)
            shape = [-1 if a == axis else 1 for a in range(array.ndim)]
            integers = np.rint(array / scale.reshape(shape)).astype(np.int8)
            zero = np.zeros(scale.shape, np.int8)
        else:
            dtype = np.int8 if kind == "symmetric" else np.uint8
            limits = np.iinfo(dtype)
            scale = np.float32(max(float(np.abs(array).max()), 1e-3) / 127)
            zero = np.array(0 if kind == "symmetric" else self._random.integers(100, 150), dtype)
            raw = np.rint(array / scale) + zero
            integers = np.clip(raw, limits.min, limits.max).astype(dtype)
        inputs = [
            self._constant(f"{name}_q", integers),
            self._constant(f"{name}_scale", scale),
            self._constant(f"{name}_zero", zero),
        ]
        self._nodes.append(helper.make_node("DequantizeLinear", inputs, [name], axis=axis))
        return name

    def _constant(self, name: str, value: Any) -> str:
        self._added.append(numpy_helper.from_array(np.asarray(value), name))
        return name


def _with_outputs(model: onnx.ModelProto, names: list[str]) -> onnx.ModelProto:
    whole = onnx.ModelProto()
    whole.CopyFrom(model)
    del whole.graph.output[:]
    whole.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    return whole
