"""Relu and Clip become bounds of the step before them, a constant addend the bias of a product, QuantizeLinear the end of a group
that runs on integers."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import onnx

from pyxnn import quantization
from pyxnn.graph import Graph, Node, TensorType
from pyxnn.quantization import Quantization
from pyxnn.xnnpack import registry

INT8, FLOAT32 = np.dtype(np.int8), np.dtype(np.float32)


class Bounds(NamedTuple):
    """The least and the greatest value that a result may have."""

    low: float
    high: float

    def then(self, other: Bounds) -> Bounds:
        """The bounds of clamping to these first, then to others; right only where `other.low <= other.high`."""
        return Bounds(
            min(max(self.low, other.low), other.high), min(max(self.high, other.low), other.high)
        )


NO_BOUNDS = Bounds(-math.inf, math.inf)


@dataclass(frozen=True, eq=False, slots=True)
class Work:
    """A node to lower.

    Attributes:
        node: with the outputs of the last node that was fused into it. A MatMul may have a third input: a row to add. A
            MatMulInteger or ConvInteger may have a fifth, what its results are multiplied with as floats, a sixth, what is
            then added by channel, and a seventh, a computed tensor to add to them.
        bounds: what its result is clamped to.
        nodes: those of the graph that it does, in execution order.
        quantization: of the result, when the node is done on integers.
        reason: why a QuantizeLinear that follows was not fused into it; None where none follows or it was.
    """

    node: Node
    bounds: Bounds
    nodes: tuple[Node, ...]
    quantization: Quantization | None = None
    reason: str | None = None

    @property
    def operators(self) -> str:
        """Those of its nodes, such as "Conv+Relu"."""
        return "+".join(node.op_type for node in self.nodes)

    @property
    def is_fused(self) -> bool:
        """Whether it is more than its node."""
        return len(self.nodes) > 1


def clip_bounds(node: Node, constant: Callable[[str], np.ndarray | None]) -> Bounds | None:
    """What a Relu or Clip clamps to; None when `constant` doesn't know it, or when min is above max."""
    if node.op_type == "Relu":
        return Bounds(0.0, math.inf)
    limits = []
    for position, default in ((1, -math.inf), (2, math.inf)):
        array = constant(node.input(position))
        if array is None and node.input(position):
            return None
        limits.append(default if array is None else float(np.asarray(array).reshape(-1)[0]))
    return Bounds(*limits) if limits[0] <= limits[1] else None


def fuse(nodes: Iterable[Node], outputs: Collection[str], graph: Graph) -> list[Work]:
    """The nodes of a subgraph without those that the node before can do.

    These are fused when nobody else needs the value between: no other node, and not the world outside the subgraph.
      * Relu and Clip of floats, when their bounds are constant and the operator before can clamp (`Operator.clamps`).
      * Add after MatMul, when weights and addend are constant, and the weights are one matrix and the addend one row.
      * Cast to float32 and Mul after MatMulInteger and ConvInteger, when weights are constant, and the factor is one number or
        one for each column or channel; then Add, when the addend is that too, and constant; then Add of a computed tensor.
      * QuantizeLinear to int8 by constants for the whole tensor, when the operator before runs on integers
        (`registry.QuantizedOperator`), as do the DequantizeLinear nodes that make its inputs.

    Args:
        nodes: in execution order.
        outputs: names of the values that leave the subgraph.
        graph: of the nodes.
    """
    nodes = list(nodes)
    uses = Counter(name for node in nodes for name in node.uses())
    uses.update(outputs)
    made_by: dict[str, int] = {}
    works: list[Work | None] = []
    for node in nodes:
        place, work = len(works), Work(node, NO_BOUNDS, (node,))
        if node.is_op("QuantizeLinear"):
            name = node.input(0)
            if name in made_by:
                before = works[made_by[name]]
                assert before is not None
                reason = _refusal(before, node, graph, made_by, is_alone=uses[name] == 1)
                if reason is None:
                    place, work = made_by[name], _quantized(before, node, graph)
                else:
                    works[made_by[name]] = replace(before, reason=reason)
        else:
            for name in node.uses():
                if name in made_by and uses[name] == 1:
                    before = works[made_by[name]]
                    assert before is not None
                    scaled = _scaled(before, name, node, graph)
                    if scaled is not None:  # here, where its factor is known
                        works[made_by[name]], work = None, scaled
                        break
                    joined = _joined(before, name, node, graph)
                    if joined is not None:
                        place, work = made_by[name], joined
                        break
        works[place : place + 1] = [work]
        made_by.update((name, place) for name in node.defines())
    return [work for work in works if work is not None]


def _joined(before: Work, value: str, node: Node, graph: Graph) -> Work | None:
    """What does both `before` and the node after it, which uses its result `value`; None when nothing can."""
    nodes = (*before.nodes, node)
    if node.is_op("Relu", "Clip") and node.input(0) == value:
        operator = registry.find(before.node)
        bounds = clip_bounds(node, graph.constant)
        dtype = graph.dtype(value)
        if bounds is None or operator is None or not operator.clamps:
            return None
        if dtype is not None and dtype.kind in "iu":
            return None
        if before.node.is_op(*_INTEGER_PRODUCTS) and len(before.node.inputs) < 5:
            return None
        fused = replace(before.node, outputs=[*node.outputs, *before.node.outputs[1:]])
        return Work(fused, before.bounds.then(bounds), nodes)
    if node.is_op("Add") and before.node.is_op("MatMul") and not before.is_fused:
        addend = node.inputs[1 - node.inputs.index(value)]
        if not _is_row(graph.constant(addend), graph.constant(before.node.input(1))):
            return None
        inputs = [*before.node.inputs, addend]
        return Work(
            replace(before.node, inputs=inputs, outputs=list(node.outputs)), NO_BOUNDS, nodes
        )
    return None


_INTEGER_PRODUCTS = ("MatMulInteger", "ConvInteger")


def _scaled(before: Work, value: str, node: Node, graph: Graph) -> Work | None:
    """What makes floats of a product of integers, scales them or adds to them; None when `node` does none of that to it."""
    product = before.node
    if not product.is_op(*_INTEGER_PRODUCTS) or before.bounds != NO_BOUNDS:
        return None
    weights = graph.constant(product.input(1))
    if (
        weights is None
        or weights.size == 0
        or (product.input(3) and graph.constant(product.input(3)) is None)
    ):
        return None
    inputs = list(product.inputs)
    if node.is_op("Cast"):
        matrices = math.prod(weights.shape[:-2]) if product.op_type == "MatMulInteger" else 1
        if node.attributes["to"] != onnx.TensorProto.FLOAT or weights.ndim < 2 or matrices > 1:
            return None
        inputs += [""] * (5 - len(inputs))
    elif node.is_op("Mul", "Add") and len(inputs) in (5, 6) and len(set(node.inputs)) == 2:
        other = node.inputs[1 - node.inputs.index(value)]
        is_constant = graph.constant(other) is not None
        is_by_channel = _is_by_channel(other, product, weights, graph)
        if node.op_type == "Mul" and is_by_channel and len(inputs) == 5 and not inputs[4]:
            inputs[4] = other
        elif node.op_type == "Add" and is_by_channel and is_constant and len(inputs) == 5:
            inputs.append(other)
        elif node.op_type == "Add" and not is_constant and _is_alike(other, product, graph):
            inputs += [""] * (6 - len(inputs)) + [other]
        else:
            return None
    else:
        return None
    return Work(
        replace(product, inputs=inputs, outputs=list(node.outputs)),
        NO_BOUNDS,
        (*before.nodes, node),
    )


def _is_by_channel(name: str, product: Node, weights: np.ndarray, graph: Graph) -> bool:
    """Whether a value is known to be one float, or one for each column of a product or each channel of a convolution."""
    rank, shape = graph.rank(product.output(0)), graph.type(name).static_shape
    if graph.dtype(name) != np.float32 or rank is None or shape is None or len(shape) > rank:
        return False
    axis, count = (
        (-1, weights.shape[-1]) if product.op_type == "MatMulInteger" else (1 - rank, len(weights))
    )
    size = math.prod(shape)
    return size == 1 or (size == count and len(shape) >= -axis and shape[axis] == size)


def _is_alike(name: str, product: Node, graph: Graph) -> bool:
    """Whether a value is known to be float32 of a product's shape."""
    shape = graph.shape(product.output(0))
    return None not in (shape or (None,)) and graph.type(name) == TensorType(FLOAT32, shape)


def _is_whole(work: Work, graph: Graph, made: Collection[str]) -> bool:
    """Whether the DequantizeLinear nodes that a node takes its inputs from are in the subgraph."""
    makers = (graph.producer(name) for name in work.node.uses())
    return all(
        maker.output(0) in made
        for maker in makers
        if maker is not None and maker.is_op("DequantizeLinear")
    )


def _refusal(
    before: Work, node: Node, graph: Graph, made: Collection[str], *, is_alone: bool
) -> str | None:
    """Why `before` and the QuantizeLinear after it aren't done on integers; None when they are.

    Args:
        before: a node, and what was fused into it.
        node: the QuantizeLinear.
        graph: of both.
        made: what nodes of the subgraph have made so far.
        is_alone: whether nobody else uses the result of `before`.
    """
    operator, target = registry.find_quantized(before.node), quantization.of(node, graph)
    if operator is None:
        return f"no kernel computes {before.node.op_type} on integers"
    if not is_alone:
        return "others use its real numbers, too"
    if target is None or target.dtype != INT8 or not target.is_per_tensor:
        return "its result is not quantized to int8 by one constant scale and zero point"
    if len(list(before.node.defines())) != 1:
        return "it has several results"
    if not _is_whole(before, graph, made):
        return "its integers are made in another subgraph"
    return operator.supports(before.node, graph, target)


def _quantized(before: Work, node: Node, graph: Graph) -> Work:
    """What does `before` and the QuantizeLinear after it on integers."""
    return replace(
        before,
        node=replace(before.node, outputs=list(node.outputs)),
        nodes=(*before.nodes, node),
        quantization=quantization.of(node, graph),
    )


def _is_row(addend: np.ndarray | None, weights: np.ndarray | None) -> bool:
    """Whether the weights are one matrix, and the addend is the same for all rows of a product with them."""
    if addend is None or weights is None or weights.ndim < 2:
        return False
    return (
        math.prod(weights.shape[:-2]) == 1
        and addend.ndim < weights.ndim
        and addend.size in (1, weights.shape[-1])
        and addend.size == math.prod(addend.shape[-1:])
    )
