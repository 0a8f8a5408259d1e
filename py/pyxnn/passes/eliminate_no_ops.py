"""Turns nodes that give their first input as it is into Identity.

    * Concat, Max, Mean, Min, Sum of one input; Split into one output.
    * Cast to the type that the input has.
    * Transpose that leaves the axes in their places.
    * Expand, Tile and Slice with steps of 1 to the extents that the input has; Flatten and Reshape likewise,
      where one extent may be unknown.
    * Pad by nothing; Slice from each beginning to beyond each end; Clip without bounds.
    * Resize by scales of 1, or to the sizes that the input has; not one that crops.
    * Add and Sub of 0; Mul, Div and Pow by 1: constants that don't change the shape.
Must not fire when the type, shape or constant that this depends on isn't known.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from pyxnn.graph import Graph, Node
from pyxnn.passes.rewrite import each_node, identity
from pyxnn.tensor_types import dtype_of

_FAR = np.iinfo(np.int32).max
"""Exporters' end of a slice that has none; no axis is as long."""

_NEUTRAL = {"Add": 0, "Sub": 0, "Mul": 1, "Div": 1, "Pow": 1}


def run(graph: Graph) -> bool:
    return each_node(graph, _to_identity)


def _to_identity(node: Node, graph: Graph) -> Sequence[Node] | None:
    does_nothing = _NO_OPS.get(node.op_type)
    if node.domain or does_nothing is None or not does_nothing(node, graph):
        return None
    return identity(node)


def _has_one_input(node: Node, graph: Graph) -> bool:
    return len(node.inputs) == 1


def _has_one_output(node: Node, graph: Graph) -> bool:
    return len(node.outputs) == 1


def _keeps_type(node: Node, graph: Graph) -> bool:
    dtype = dtype_of(node.attributes["to"])
    return dtype is not None and dtype == graph.dtype(node.input(0))


def _keeps_shape(node: Node, graph: Graph) -> bool:
    shape = graph.type(node.input(0)).static_shape
    return shape is not None and shape == graph.shape(node.output(0))


def _keeps_axes_and_size(node: Node, graph: Graph) -> bool:
    """Whether a node that keeps the number of elements keeps the shape: all extents but one are known to be the same."""
    before, after = graph.shape(node.input(0)), graph.shape(node.output(0))
    if before is None or after is None or len(before) != len(after) or 0 in before:
        return False
    return sum(a != b or not isinstance(a, int) for a, b in zip(before, after, strict=True)) <= 1


def _keeps_axes(node: Node, graph: Graph) -> bool:
    permutation = node.attribute("perm")
    return permutation is not None and list(permutation) == sorted(permutation)


def _keeps_all(node: Node, graph: Graph) -> bool:
    if node.input(4) and not _is_constant(graph, node.input(4), 1):
        return False
    starts, ends = graph.constant(node.input(1)), graph.constant(node.input(2))
    if starts is not None and ends is not None and not starts.any() and (ends >= _FAR).all():
        return True
    return _keeps_shape(node, graph)


def _pads_nothing(node: Node, graph: Graph) -> bool:
    return _is_constant(graph, node.input(1), 0)


def _has_no_bounds(node: Node, graph: Graph) -> bool:
    return not node.input(1) and not node.input(2)


def _keeps_pixels(node: Node, graph: Graph) -> bool:
    if node.attribute("coordinate_transformation_mode") == "tf_crop_and_resize":
        return False
    scales = graph.constant(node.input(2))
    if scales is not None and scales.size:
        return bool((scales == 1).all())
    return bool(node.input(3)) and _keeps_shape(node, graph)


def _is_neutral(node: Node, graph: Graph) -> bool:
    x, operand = node.inputs
    if not _is_constant(graph, operand, _NEUTRAL[node.op_type]):
        return False
    constant, rank = graph.initializers[operand], graph.rank(x)
    is_number = rank is not None and constant.size == 1 and constant.ndim <= rank
    return is_number or _keeps_shape(node, graph)


def _is_constant(graph: Graph, name: str, number: int) -> bool:
    """Whether all elements of a value are known to be a number."""
    constant = graph.constant(name)
    if constant is None or (constant.size and constant.item(0) != number):
        return False
    return bool((constant == number).all())


_NO_OPS: dict[str, Callable[[Node, Graph], bool]] = {
    **dict.fromkeys(("Concat", "Max", "Mean", "Min", "Sum"), _has_one_input),
    "Split": _has_one_output,
    "Cast": _keeps_type,
    "Transpose": _keeps_axes,
    **dict.fromkeys(("Expand", "Tile"), _keeps_shape),
    **dict.fromkeys(("Flatten", "Reshape"), _keeps_axes_and_size),
    "Pad": _pads_nothing,
    "Slice": _keeps_all,
    "Clip": _has_no_bounds,
    "Resize": _keeps_pixels,
    **dict.fromkeys(_NEUTRAL, _is_neutral),
}
