"""Einsum, as products of matrices."""

from __future__ import annotations

import math
import string
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from pyxnn.engine import BinaryType, ReduceType
from pyxnn.graph import Graph, Node
from pyxnn.xnnpack import kernels
from pyxnn.xnnpack.lowering import Lowering
from pyxnn.xnnpack.ops import conditions
from pyxnn.xnnpack.ops.matmul import zeros
from pyxnn.xnnpack.registry import register
from pyxnn.xnnpack.values import Value

_ELLIPSIS = "..."


class _Term(NamedTuple):
    """A tensor and the label of each of its axes."""

    value: Value
    labels: list[str]


def supports_einsum(node: Node, graph: Graph) -> str | None:
    """No label stands twice in one term."""
    terms, _ = _split(node)
    if any(len(set(term)) < len(term) for term in terms):
        return "a label stands twice in one term"
    return conditions.floating(node, graph)


@register("Einsum", supports=supports_einsum)
def lower_einsum(node: Node, ctx: Lowering) -> None:
    """Einsum (opset 12): tensors whose axes have labels to the sum of their products over the labels that the output lacks.

    Two at a time: labels of both that are still needed are a batch, those that aren't are the columns and rows of a product
    of matrices. An extent of 1 broadcasts.
    """
    labels, output = _split(node)
    values = [ctx.value(name) for name in node.inputs]
    if len(values) != len(labels):
        raise ValueError(f"there are {len(values)} inputs for {len(labels)} terms")
    terms = [_named(value, term) for value, term in zip(values, labels, strict=True)]
    hidden = sorted(
        {label for term in terms for label in term.labels if label.isdigit()}, reverse=True
    )
    wanted = _replace_ellipsis(output, hidden)
    extents = _extents(terms)
    terms = [_without_ones(ctx, term, extents) for term in terms]
    result = terms[0]
    for place, term in enumerate(terms[1:], 1):
        later = {label for other in terms[place + 1 :] for label in other.labels}
        key = (ctx.weights_key(*node.inputs), node.attributes["equation"], place)
        result = _product(ctx, result, term, {*wanted, *later}, key)
    result = _summed(ctx, result, wanted)
    ctx.define(
        node.output(0), result.value.permuted([result.labels.index(name) for name in wanted])
    )


def _split(node: Node) -> tuple[list[list[str]], list[str]]:
    """The labels of each term and those of the output; an ellipsis is one label."""
    equation = node.attributes["equation"].replace(" ", "").replace(_ELLIPSIS, ".")
    left, arrow, right = equation.partition("->")
    if not arrow:
        once = [label for label in string.ascii_letters if left.count(label) == 1]
        right = "." * ("." in left) + "".join(sorted(once))
    return [list(term) for term in left.split(",")], list(right)


def _named(value: Value, labels: list[str]) -> _Term:
    """A tensor with a label for each axis; those under an ellipsis are counted from the last."""
    hidden = value.rank - len(labels) + 1 if "." in labels else 0
    names = _replace_ellipsis(labels, [str(number) for number in reversed(range(hidden))])
    if len(names) != value.rank:
        raise ValueError(f"its term {''.join(labels)} doesn't fit an input {value.shape}")
    return _Term(value, names)


def _replace_ellipsis(labels: list[str], names: list[str]) -> list[str]:
    return [name for label in labels for name in (names if label == "." else [label])]


def _extents(terms: Sequence[_Term]) -> dict[str, int]:
    """By label.

    Raises:
        ValueError: those of one label differ, and neither is 1.
    """
    extents: dict[str, int] = {}
    for term in terms:
        for label, extent in zip(term.labels, term.value.shape, strict=True):
            if extents.setdefault(label, extent) == 1:
                extents[label] = extent
            elif extent not in (1, extents[label]):
                raise ValueError(f"the extents {extents[label]} and {extent} of '{label}' differ")
    return extents


def _without_ones(ctx: Lowering, term: _Term, extents: Mapping[str, int]) -> _Term:
    """A term without the axes that are broadcast."""
    axes = list(zip(term.labels, term.value.shape, strict=True))
    kept = [(label, extent) for label, extent in axes if extent == extents[label]]
    if len(kept) == len(axes):
        return term
    value = ctx.reshape(term.value, tuple(extent for _, extent in kept))
    return _Term(value, [label for label, _ in kept])


def _product(ctx: Lowering, a: _Term, b: _Term, needed: Collection[str], key: object) -> _Term:
    """The product of two terms, summed over the labels that aren't needed any more."""
    a, b = _summed(ctx, a, {*needed, *b.labels}), _summed(ctx, b, {*needed, *a.labels})
    if a.value.is_constant and not b.value.is_constant:
        a, b = b, a
    shared = [label for label in a.labels if label in b.labels]
    batch = [label for label in shared if label in needed]
    inner = [label for label in shared if label not in needed]
    rows = [label for label in a.labels if label not in shared]
    columns = [label for label in b.labels if label not in shared]
    left = _arranged(a, [*batch, *rows, *inner])
    right = _arranged(b, [*batch, *inner, *columns])
    labels = [*batch, *rows, *columns]
    if not inner:
        ones = (*left.shape, *[1] * len(columns))
        others = (*right.shape[: len(batch)], *[1] * len(rows), *right.shape[len(batch) :])
        pair = ctx.reshape(left, ones), ctx.reshape(right, others)
        return _Term(kernels.binary(ctx, BinaryType.MULTIPLY, *pair), labels)
    count = len(batch)
    row_extents = left.shape[count : count + len(rows)]
    column_extents = right.shape[count + len(inner) :]
    depth = math.prod(right.shape[count : count + len(inner)])
    left = ctx.reshape(left, (*left.shape[:count], math.prod(row_extents), depth))
    right = ctx.reshape(right, (*right.shape[:count], depth, math.prod(column_extents)))
    extents = left.shape[:count]
    if depth == 0:
        product = zeros((*extents, left.shape[-2], right.shape[-1]))
    elif isinstance(right.source, np.ndarray) and not batch:
        kernel = ctx.row_major(right).source
        assert isinstance(kernel, np.ndarray)
        product = kernels.fully_connected(ctx, left, kernel, None, key, transposed=True)
    else:
        product = kernels.batch_matmul(ctx, left, right)
    return _Term(ctx.reshape(product, (*extents, *row_extents, *column_extents)), labels)


def _arranged(term: _Term, labels: Sequence[str]) -> Value:
    return term.value.permuted([term.labels.index(label) for label in labels])


def _summed(ctx: Lowering, term: _Term, needed: Collection[str]) -> _Term:
    """A term without the axes that nothing needs."""
    axes = [axis for axis, label in enumerate(term.labels) if label not in needed]
    if not axes:
        return term
    kept = [axis for axis in range(term.value.rank) if axis not in axes]
    value = kernels.reduce(ctx, ReduceType.SUM, term.value, axes)
    shape = tuple(term.value.shape[axis] for axis in kept)
    return _Term(ctx.reshape(value, shape), [term.labels[axis] for axis in kept])
