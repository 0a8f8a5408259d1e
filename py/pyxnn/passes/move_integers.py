"""Lets operators that only move elements move integers: a DequantizeLinear before them goes behind, a QuantizeLinear behind
them goes before.

    * M(DequantizeLinear(x)) becomes DequantizeLinear(M(x)); other users of the floats keep them. Where M makes more
      elements than it takes (Expand, Tile, Gather), only if a QuantizeLinear follows.
    * QuantizeLinear(M(x, ...)) becomes M(QuantizeLinear(x), ...), where nobody else uses what M makes, and M isn't one that leaves
      elements out.
Must not fire where parameters are computed or not the same for all elements, where XNNPACK would not run M on integers, nor on
a Pad or a cropping Resize whose value no integer stands for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pyxnn import quantization, xnnpack
from pyxnn.graph import Graph, Node
from pyxnn.passes.rewrite import each_node, made_by
from pyxnn.quantization import Quantization

_ALL_ELEMENTS = (
    "Concat",
    "DepthToSpace",
    "Flatten",
    "Identity",
    "MaxPool",
    "Reshape",
    "SpaceToDepth",
    "Squeeze",
    "Transpose",
    "Unsqueeze",
)
_FEWER_ELEMENTS = ("Pad", "Resize", "Slice", "Split")
_MORE_ELEMENTS = ("Expand", "Gather", "Tile")


def run(graph: Graph) -> bool:
    earlier = each_node(graph, _quantize_earlier)
    later = each_node(graph, _dequantize_later)
    return earlier or later


def _dequantize_later(node: Node, graph: Graph) -> Sequence[Node] | None:
    if not moves(node):
        return None
    before = [made_by(graph, name, "DequantizeLinear") for name in _data(node)]
    first = before[0]
    common = None if first is None else quantization.of(first, graph)
    if first is None or common is None or not common.is_per_tensor:
        return None
    for maker in before[1:]:
        other = None if maker is None else quantization.of(maker, graph)
        if other is None or not other.same_as(common):
            return None
    if node.is_op(*_MORE_ELEMENTS) and not _is_quantized(node, graph):
        return None
    sources = [maker.input(0) for maker in before if maker is not None]
    return _on_integers(node, graph, sources, common, first)


def _on_integers(
    node: Node, graph: Graph, sources: list[str], common: Quantization, dequantize: Node
) -> Sequence[Node] | None:
    outputs = [
        graph.add_value(f"{name}_integers", replace(graph.type(name), dtype=common.dtype))
        if name
        else ""
        for name in node.outputs
    ]
    moved = _with_fill(
        replace(node, inputs=[*sources, *node.inputs[len(sources) :]], outputs=outputs),
        graph,
        common,
    )
    if moved is None or xnnpack.supports(moved, graph) is not None:
        return None
    results = [
        replace(dequantize, inputs=[integers, *dequantize.inputs[1:]], outputs=[name])
        for integers, name in zip(outputs, node.outputs, strict=True)
        if name
    ]
    return moved, *results


def _quantize_earlier(node: Node, graph: Graph) -> Sequence[Node] | None:
    if not node.is_op(*_ALL_ELEMENTS) or len(node.outputs) != 1 or not moves(node):
        return None
    quantize = graph.sole_consumer(node.output(0))
    if quantize is None or not quantize.is_op("QuantizeLinear"):
        return None
    target = quantization.of(quantize, graph)
    if target is None or not target.is_per_tensor:
        return None
    sources = [
        graph.add_value(f"{name}_integers", replace(graph.type(name), dtype=target.dtype))
        for name in _data(node)
    ]
    moved = replace(node, inputs=[*sources, *node.inputs[len(sources) :]], outputs=quantize.outputs)
    if xnnpack.supports(moved, graph) is not None:
        return None
    conversions = [
        replace(quantize, inputs=[name, *quantize.inputs[1:]], outputs=[integers])
        for name, integers in zip(_data(node), sources, strict=True)
    ]
    graph.replace(quantize)
    return *conversions, moved


def _data(node: Node) -> list[str]:
    """The inputs whose elements are moved."""
    return node.inputs if node.is_op("Concat") else node.inputs[:1]


def moves(node: Node) -> bool:
    """Whether a node only moves elements."""
    if not node.is_op(*_ALL_ELEMENTS, *_FEWER_ELEMENTS, *_MORE_ELEMENTS):
        return False
    if node.is_op("Resize"):
        return node.attribute("mode", "nearest") == "nearest" and not node.attribute("antialias", 0)
    return not node.is_op("MaxPool") or not node.output(1)


def _is_quantized(node: Node, graph: Graph) -> bool:
    user = graph.sole_consumer(node.output(0))
    return user is not None and user.is_op("QuantizeLinear")


def _with_fill(node: Node, graph: Graph, common: Quantization) -> Node | None:
    """A node that fills in a number with the integer that stands for it, None when there is none; other nodes as they are."""
    if node.attribute("coordinate_transformation_mode", "") == "tf_crop_and_resize":
        integer = _standing_for(node.attribute("extrapolation_value", 0.0), common)
        attributes = {**node.attributes, "extrapolation_value": float(integer or 0)}
        return None if integer is None else replace(node, attributes=attributes)
    if not node.is_op("Pad") or node.attribute("mode", "constant") != "constant":
        return node
    value = graph.constant(node.input(2))
    if value is None and node.input(2):
        return None
    integer = _standing_for(0.0 if value is None else float(value.reshape(-1)[0]), common)
    if integer is None:
        return None
    fill = graph.add_constant(np.array(integer, common.dtype), "fill")
    return replace(node, inputs=[*node.inputs[:2], fill, *node.inputs[3:]])


def _standing_for(number: float, common: Quantization) -> int | None:
    """The integer that stands for just this number."""
    integer = common.integer(number)
    is_exact = (integer - common.zero_point) * common.scale == np.float32(number)
    return integer if is_exact else None
