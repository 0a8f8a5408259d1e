"""Lets operators that only move elements move integers: a DequantizeLinear before them goes behind, a QuantizeLinear behind
them goes before.

    * M(DequantizeLinear(x)) becomes DequantizeLinear(M(x)); other users of the floats keep them. Where M makes more
      elements than it takes (Expand, Tile, Gather), only if a QuantizeLinear follows. Scales by index of an axis go with the
      axis.
    * QuantizeLinear(M(x, ...)) becomes M(QuantizeLinear(x), ...), where nobody else uses what M makes, and M isn't one that leaves
      elements out. So it does where M is Max, Min or Where, of dequantized tensors and constants: quantizing keeps the order.
Must not fire where parameters are computed, where they are not the same for all elements and M doesn't keep their axis, where
XNNPACK would not run M on integers, nor on a Pad or a cropping Resize whose value no integer stands for.
"""

from __future__ import annotations

import math
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
    "Pad",
    "Reshape",
    "SpaceToDepth",
    "Squeeze",
    "Transpose",
    "Unsqueeze",
)
_FEWER_ELEMENTS = ("Resize", "Slice", "Split")
_MORE_ELEMENTS = ("Expand", "Gather", "Tile")
_CHOICES = ("Max", "Min", "Where")
_RESHAPING = ("Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze")


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
    if first is None or common is None:
        return None
    axis = 0 if common.is_per_tensor else _axis_behind(node, graph, common.axis)
    if axis is None:
        return None
    for maker in before[1:]:
        other = None if maker is None else quantization.of(maker, graph)
        if other is None or not other.same_as(common):
            return None
    if node.is_op(*_MORE_ELEMENTS) and not _is_quantized(node, graph):
        return None
    sources = [maker.input(0) for maker in before if maker is not None]
    if not common.is_per_tensor:
        first = replace(first, attributes={**first.attributes, "axis": axis})
    return _on_integers(node, graph, sources, common, first)


def _axis_behind(node: Node, graph: Graph, axis: int) -> int | None:
    """Where a node that takes one tensor leaves an axis; None when it doesn't, or when that isn't known."""
    rank = graph.rank(node.input(0))
    if node.is_op("Transpose") and rank is not None:
        return node.attribute("perm", list(range(rank))[::-1]).index(axis)
    if not node.is_op(*_RESHAPING):
        return None
    before, behind = (graph.type(name).static_shape for name in (node.input(0), node.output(0)))
    if before is None or behind is None:
        return None
    place = (math.prod(before[:axis]), before[axis])
    places = [(math.prod(behind[:other]), extent) for other, extent in enumerate(behind)]
    return places.index(place) if place in places else None


def _on_integers(
    node: Node, graph: Graph, sources: list[str], common: Quantization, dequantize: Node
) -> Sequence[Node] | None:
    outputs = [name and _integers(graph, name, common) for name in node.outputs]
    moved = _with_fill(
        replace(node, inputs=[*sources, *node.inputs[len(sources) :]], outputs=outputs),
        graph,
        common,
        is_exact=True,
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
    is_choice = node.is_op(*_CHOICES) and _chooses_integers(node, graph)
    if len(node.outputs) != 1 or not (is_choice or (node.is_op(*_ALL_ELEMENTS) and moves(node))):
        return None
    quantize = graph.sole_consumer(node.output(0))
    if quantize is None or not quantize.is_op("QuantizeLinear"):
        return None
    target = quantization.of(quantize, graph)
    if target is None or not target.is_per_tensor or target.scale <= 0:
        return None
    names = _data(node)
    sources = [_integers(graph, name, target) for name in names]
    inputs = dict(zip(names, sources, strict=True))
    moved = _with_fill(
        replace(
            node,
            inputs=[inputs.get(name, name) for name in node.inputs],
            outputs=quantize.outputs,
        ),
        graph,
        target,
        is_exact=False,
    )
    if moved is None or xnnpack.supports(moved, graph) is not None:
        return None
    conversions = [
        replace(quantize, inputs=[name, *quantize.inputs[1:]], outputs=[integers])
        for name, integers in inputs.items()
    ]
    graph.replace(quantize)
    return *conversions, moved


def _integers(graph: Graph, name: str, by: Quantization) -> str:
    """A new value for the integers that stand for another."""
    return graph.add_value(f"{name}_integers", replace(graph.type(name), dtype=by.dtype))


def _chooses_integers(node: Node, graph: Graph) -> bool:
    """Whether a node chooses among elements of two dequantized tensors or more, and constants."""
    computed = [name for name in _data(node) if graph.constant(name) is None]
    return len(set(computed)) > 1 and all(
        made_by(graph, name, "DequantizeLinear") is not None for name in computed
    )


def _data(node: Node) -> list[str]:
    """The inputs whose elements are moved."""
    if node.is_op("Where"):
        return node.inputs[1:]
    return node.inputs if node.is_op("Concat", "Max", "Min") else node.inputs[:1]


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


def _with_fill(node: Node, graph: Graph, common: Quantization, *, is_exact: bool) -> Node | None:
    """A node that fills in a number with the integer that stands for it; other nodes as they are.

    None when the number isn't known, or is to be met exactly and isn't.
    """
    if node.attribute("coordinate_transformation_mode", "") == "tf_crop_and_resize":
        number = node.attribute("extrapolation_value", 0.0)
    elif node.is_op("Pad") and node.attribute("mode", "constant") == "constant":
        found = _number(node.input(2), graph) if node.input(2) else 0.0
        if found is None:
            return None
        number = found
    else:
        return node
    integer = common.integer(number)
    if is_exact and (integer - common.zero_point) * common.scale != np.float32(number):
        return None
    if node.is_op("Resize"):
        return replace(node, attributes={**node.attributes, "extrapolation_value": float(integer)})
    fill = graph.add_constant(np.array(integer, common.dtype), "fill")
    return replace(node, inputs=[*node.inputs[:2], fill, *node.inputs[3:]])


def _number(name: str, graph: Graph) -> float | None:
    """A constant, or what stands for one; None when it is computed."""
    maker = made_by(graph, name, "DequantizeLinear")
    found = None if maker is None else quantization.of(maker, graph)
    value = graph.constant(name if maker is None else maker.input(0))
    if value is None or (maker is not None and found is None):
        return None
    return float((value if found is None else found.numbers(value)).reshape(-1)[0])
