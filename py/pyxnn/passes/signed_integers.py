"""Makes int8 of uint8 between QuantizeLinear and DequantizeLinear: XNNPACK's kernels for int8 are the faster ones.

Integers and zero points move by 128, so the numbers that they stand for stay the same.
    * Constants that DequantizeLinear takes, and what QuantizeLinear makes for DequantizeLinear alone, become int8.
    * Constants of 2 or 4 bits that DequantizeLinear takes become int8, too: they stand for the same numbers.
    * Other uint8 tensors at the border of a group that runs on integers (inputs and outputs of the graph, say) are requantized:
      a DequantizeLinear and a QuantizeLinear to int8 are put between, or back to uint8.
Must not fire where parameters are computed or given by blocks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pyxnn import quantization, xnnpack
from pyxnn.graph import Graph, Node
from pyxnn.passes import move_integers
from pyxnn.passes.rewrite import each_node

_UINT8, _INT8 = np.dtype(np.uint8), np.dtype(np.int8)
_NARROW = ("int4", "uint4", "int2", "uint2")


def run(graph: Graph) -> bool:
    return each_node(graph, _rewrite)


def _rewrite(node: Node, graph: Graph) -> Sequence[Node] | None:
    if node.is_op("DequantizeLinear") and _is_narrow(node, graph):
        return (_widened(node, graph),)
    if not _is_unsigned(node, graph):
        return None
    if node.is_op("QuantizeLinear"):
        return _quantize(node, graph)
    if graph.constant(node.input(0)) is not None:
        return (_of_constant(node, graph),)
    return _of_border(node, graph)


def _is_unsigned(node: Node, graph: Graph) -> bool:
    return (
        node.is_op("QuantizeLinear", "DequantizeLinear")
        and quantization.integer_type(node, graph) == _UINT8
        and quantization.of(node, graph) is not None
    )


def _quantize(node: Node, graph: Graph) -> Sequence[Node] | None:
    name = node.output(0)
    users = graph.consumers(name)
    if not graph.is_output(name) and all(_is_unsigned(user, graph) for user in users):
        graph.types[name] = replace(graph.type(name), dtype=_INT8)
        for user in users:
            graph.replace(user, _signed(user, graph, name))
        return (_signed(node, graph, node.input(0)),)
    maker = graph.producer(node.input(0))
    while maker is not None and maker.is_op("Clip", "Relu"):
        maker = graph.producer(maker.input(0))
    if maker is None or not _is_group(maker):
        return None
    integers = graph.add_value(f"{name}_int8", replace(graph.type(name), dtype=_INT8))
    numbers = graph.add_value(f"{name}_float", graph.type(node.input(0)))
    to_signed = _signed(node, graph, node.input(0), integers)
    back = replace(
        to_signed,
        op_type="DequantizeLinear",
        inputs=[integers, *to_signed.inputs[1:]],
        outputs=[numbers],
    )
    return to_signed, back, replace(node, inputs=[numbers, *node.inputs[1:]])


def _is_narrow(node: Node, graph: Graph) -> bool:
    """Whether constants of less than a byte are dequantized for a node that may run on integers, all by constants."""
    array, scale = graph.constant(node.input(0)), graph.constant(node.input(1))
    return (
        array is not None
        and array.dtype.name in _NARROW
        and scale is not None
        and (not node.input(2) or graph.constant(node.input(2)) is not None)
        and not node.attribute("block_size", 0)
        and any(map(_is_group, graph.consumers(node.output(0))))
    )


def _widened(node: Node, graph: Graph) -> Node:
    """The same of int8."""
    inputs = [
        graph.add_constant(graph.initializers[name].astype(np.int8), f"{name}_int8")
        if position != 1
        else name
        for position, name in enumerate(node.inputs)
    ]
    return replace(node, inputs=inputs)


def _of_constant(node: Node, graph: Graph) -> Node:
    array = graph.initializers[node.input(0)]
    signed = (array.astype(np.int16) - 128).astype(np.int8)
    return _signed(node, graph, graph.add_constant(signed, f"{node.input(0)}_int8"))


def _of_border(node: Node, graph: Graph) -> Sequence[Node] | None:
    """A DequantizeLinear of what isn't from QuantizeLinear."""
    name = node.output(0)
    if not any(map(_is_group, graph.consumers(name))):
        return None
    numbers = graph.add_value(f"{name}_uint8", graph.type(name))
    integers = graph.add_value(f"{name}_int8", replace(graph.type(name), dtype=_INT8))
    to_signed = replace(node, op_type="QuantizeLinear", outputs=[integers], attributes=_axis(node))
    return (
        replace(node, outputs=[numbers]),
        _signed(to_signed, graph, numbers),
        _signed(node, graph, integers),
    )


def _is_group(node: Node) -> bool:
    """Whether a node runs on int8 between conversions, so isn't one that moves integers of any type."""
    return xnnpack.runs_on_integers(node) and not move_integers.moves(node)


def _signed(node: Node, graph: Graph, x: str, output: str | None = None) -> Node:
    """The same conversion from or to int8."""
    inputs = [x, node.input(1), _signed_zero_point(node, graph)]
    outputs = [output or node.output(0)]
    return replace(node, inputs=inputs, outputs=outputs, attributes=_axis(node))


def _axis(node: Node) -> dict[str, int]:
    return {"axis": node.attributes["axis"]} if "axis" in node.attributes else {}


def _signed_zero_point(node: Node, graph: Graph) -> str:
    scale, zero_point = graph.initializers[node.input(1)], graph.constant(node.input(2))
    points = np.zeros(scale.shape, np.int16) if zero_point is None else zero_point.astype(np.int16)
    return graph.add_constant(np.asarray(points - 128, np.int8), "zero_point")
