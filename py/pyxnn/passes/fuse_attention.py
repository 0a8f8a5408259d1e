"""Makes one Attention (opset 23) of the nodes that exporters write it with.

    MatMul(Softmax(scores), v), the softmax over the last axis, with NaN made 0 or not, and scores = MatMul(q, k), then in any
    sequence
    * Mul or Div by a constant scalar, before any mask; also on q and on k, before the product,
    * Add of a mask, on either side,
    * Where with a condition and a constant scalar of -1e30 or less, -inf too, for what is masked; either way round
where q, v and k, which is transposed, are (batch, heads, rows, size), or (heads, rows, size).
Must not fire when a value between is used elsewhere or is a graph output, when ranks aren't known, when batches or heads
differ or a mask makes them more, nor where XNNPACK would not run the Attention.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from pyxnn import xnnpack
from pyxnn.body import Body
from pyxnn.graph import Dim, Graph, Node, Shape
from pyxnn.passes.rewrite import each_node, swallow


class _Masked(NamedTuple):
    """Where with a condition: what it gives where it is true, or else, counts; the others become `fill`."""

    condition: str
    keeps_true: bool
    fill: float


@dataclass
class _Scores:
    """What is known of scores while their nodes are followed upwards."""

    nodes: set[Node]
    q: str = ""
    k: str = ""
    scale: float = 1.0
    masks: list[str | _Masked] = field(default_factory=list)


def run(graph: Graph) -> bool:
    return each_node(graph, _fuse)


def _fuse(node: Node, graph: Graph) -> Sequence[Node] | None:
    if not node.is_op("MatMul"):
        return None
    softmax, nodes = _softmax(graph, node.input(0))
    rank = graph.rank(node.input(0))
    if softmax is None or rank is None or softmax.attribute("axis", -1) not in (-1, rank - 1):
        return None
    for scores in _scores(graph, softmax.input(0), _Scores({node, softmax, *nodes})):
        body = _body(node, graph, scores)
        if body is not None and swallow(graph, scores.nodes, node):
            return body.nodes
    return None


def _softmax(graph: Graph, name: str) -> tuple[Node | None, set[Node]]:
    """The Softmax that makes a value, and the nodes in between that make 0 of NaN."""
    choice = graph.producer(name)
    nodes: set[Node] = set()
    if choice is not None and choice.is_op("Where"):
        test = graph.producer(choice.input(0))
        is_guard = test is not None and test.is_op("IsNaN") and test.input(0) == choice.input(2)
        if test is None or not is_guard or _scalar(graph, choice.input(1)) != 0:
            return None, nodes
        nodes = {choice, test}
        choice = graph.producer(choice.input(2))
    if choice is None or not choice.is_op("Softmax") or choice.since < 13:
        return None, nodes
    return choice, nodes


def _scores(graph: Graph, name: str, found: _Scores) -> Iterator[_Scores]:
    """The ways to see a value as scores, given what was found below it."""
    node = graph.producer(name)
    if node is None:
        return
    nodes = {*found.nodes, node}
    if node.is_op("MatMul"):
        yield _with_scaled_operands(
            graph, node, _Scores(nodes, scale=found.scale, masks=found.masks)
        )
    elif node.is_op("Mul", "Div"):
        for scaled, factor in _scaled(graph, node):
            inner = _Scores(nodes, scale=found.scale * factor, masks=found.masks)
            yield from (way for way in _scores(graph, scaled, inner) if way.masks == found.masks)
    elif node.is_op("Add"):
        for scores, mask in (node.inputs, node.inputs[::-1]):
            inner = _Scores(nodes, scale=found.scale, masks=[*found.masks, mask])
            yield from _scores(graph, scores, inner)
    elif node.is_op("Where"):
        condition, a, b = node.inputs
        for scores, other, keeps_true in ((a, b, True), (b, a, False)):
            fill = _scalar(graph, other)
            if fill is not None and fill <= -1e30:
                masks = [*found.masks, _Masked(condition, keeps_true, fill)]
                yield from _scores(graph, scores, _Scores(nodes, scale=found.scale, masks=masks))


def _scaled(graph: Graph, node: Node) -> Iterator[tuple[str, float]]:
    """What a node scales, and by which constant."""
    a, b = node.inputs
    factor = _scalar(graph, b)
    if node.is_op("Div"):
        if factor:
            yield a, 1 / factor
        return
    if factor is not None:
        yield a, factor
    factor = _scalar(graph, a)
    if factor is not None:
        yield b, factor


def _with_scaled_operands(graph: Graph, product: Node, scores: _Scores) -> _Scores:
    """The scores with what scales q and k taken into their scale."""
    operands = []
    for name in product.inputs:
        node = graph.producer(name)
        if node is not None and node.is_op("Mul", "Div") and graph.sole_consumer(name) is product:
            for scaled, factor in _scaled(graph, node):
                if graph.rank(scaled) == graph.rank(name):
                    scores.nodes.add(node)
                    scores.scale *= factor
                    name = scaled
                    break
        operands.append(name)
    scores.q, scores.k = operands
    return scores


def _scalar(graph: Graph, name: str) -> float | None:
    array = graph.constant(name)
    return float(array.item()) if array is not None and array.size == 1 and array.ndim < 2 else None


def _body(node: Node, graph: Graph, scores: _Scores) -> Body | None:
    """The nodes in the place of the last one; None where the shapes don't allow it."""
    v = node.input(1)
    shapes = [graph.shape(name) for name in (scores.q, scores.k, v)]
    if any(shape is None or len(shape) not in (3, 4) for shape in shapes):
        return None
    q_shape, k_shape, v_shape = (shape for shape in shapes if shape is not None)
    outer = q_shape[:-2]
    if any(len(shape) != len(q_shape) for shape in (k_shape, v_shape)):
        return None
    if any(map(_differ, (*outer, *outer), (*k_shape[:-2], *v_shape[:-2]))):
        return None
    whole = (*q_shape[:-1], k_shape[-1])
    if not all(_fits(graph, mask, whole) for mask in scores.masks):
        return None
    body = Body(graph, node)
    q, k = scores.q, _transposed(body, scores.k)
    mask = _mask(body, scores)
    if len(q_shape) == 3:
        q, k, v = (body.add("Unsqueeze", name, body.constant([0])) for name in (q, k, v))
    y = body.add("Attention", q, k, v, mask, scale=scores.scale)
    if xnnpack.supports(body.nodes[-1], graph) is not None:
        return None
    body.give(0, body.add("Squeeze", y, body.constant([0])) if len(q_shape) == 3 else y)
    return body


def _differ(a: Dim, b: Dim) -> bool:
    return isinstance(a, int) and isinstance(b, int) and a != b


def _fits(graph: Graph, mask: str | _Masked, scores: Shape) -> bool:
    """Whether a mask broadcasts to scores, as far as is known, and doesn't make them more."""
    shape = graph.shape(mask.condition if isinstance(mask, _Masked) else mask)
    if shape is None or not 0 < len(shape) <= len(scores):
        return False
    if shape[-1] == 1 != scores[-1]:
        return False
    aligned = scores[len(scores) - len(shape) :]
    return not any(a != 1 and _differ(a, b) for a, b in zip(shape, aligned, strict=True))


def _transposed(body: Body, name: str) -> str:
    """A value with its last two axes swapped."""
    graph, node = body.graph, body.graph.producer(name)
    rank = graph.rank(name)
    assert rank is not None, "checked before"
    axes = [*range(rank - 2), rank - 1, rank - 2]
    if node is not None and node.is_op("Transpose"):
        permutation = node.attribute("perm") or range(rank)[::-1]
        name, axes = node.input(0), [permutation[axis] for axis in axes]
    return name if axes == list(range(rank)) else body.add("Transpose", name, perm=axes)


def _mask(body: Body, scores: _Scores) -> str:
    """All masks as one, whose last axis has all keys; "" when there are none."""
    if not scores.masks:
        return ""
    (first, *others) = scores.masks
    if isinstance(first, _Masked) and first.keeps_true and first.fill == -math.inf and not others:
        mask = first.condition
    else:
        mask = _addend(body, first, scores.q)
        for other in others:
            mask = body.add("Add", mask, _addend(body, other, scores.q))
    keys = (body.graph.shape(scores.k) or (None,))[-1]
    shape = body.graph.shape(mask)
    if shape is None or keys is None or shape[-1] != keys:
        mask = body.add("Expand", mask, body.add("Shape", scores.k, start=-1))
    return mask


def _addend(body: Body, mask: str | _Masked, like: str) -> str:
    if not isinstance(mask, _Masked):
        return mask
    dtype = body.graph.dtype(like) or np.float32
    zero, fill = (body.constant(number, dtype) for number in (0, mask.fill))
    choices = (zero, fill) if mask.keeps_true else (fill, zero)
    return body.add("Where", mask.condition, *choices)
