"""Elements and slices by computed indices: what is gathered, what is scattered, OneHot."""

from __future__ import annotations

import numpy as np

from pyxnn.engine import BinaryType, ScatterType
from pyxnn.graph import Graph, Node
from pyxnn.xnnpack import kernels
from pyxnn.xnnpack.lowering import Lowering
from pyxnn.xnnpack.ops import conditions
from pyxnn.xnnpack.registry import register
from pyxnn.xnnpack.values import Value


def supports_gather(node: Node, graph: Graph) -> str | None:
    """Indices of int32 or int64."""
    name = node.input(1)
    dtype = graph.dtype(name)
    if dtype not in (np.int32, np.int64):
        return f"input '{name}' is {dtype or 'of unknown type'}, not int32 or int64"
    return conditions.movable_data(node, graph)


@register("Gather", supports=supports_gather)
def lower_gather(node: Node, ctx: Lowering) -> None:
    """Gather (opsets 1 to 13): data of rank r and indices of rank q to the slices along `axis`, of rank q + r - 1."""
    data, indices = (ctx.value(name) for name in node.inputs)
    if ctx.is_initializer(node.input(0)):
        data = ctx.kept(node.input(0), lambda array: array, data.shape, "whole")
    axis = node.attribute("axis", 0) % data.rank
    ctx.define(node.output(0), kernels.gather(ctx, data, indices, axis))


@register("GatherElements", supports=supports_gather)
def lower_gather_elements(node: Node, ctx: Lowering) -> None:
    """GatherElements (opsets 11, 13): data and indices of one rank to the elements that these name along `axis`, of their shape."""
    data, indices = (ctx.value(name) for name in node.inputs)
    axis = node.attribute("axis", 0) % data.rank
    ctx.define(node.output(0), kernels.gather_elements(ctx, data, indices, axis))


@register("GatherND", supports=supports_gather)
def lower_gather_slices(node: Node, ctx: Lowering) -> None:
    """GatherND (opsets 11 to 13): data and tuples of indices into its axes behind `batch_dims`, to a slice for each tuple."""
    data, tuples = (ctx.value(name) for name in node.inputs)
    batch_dims = node.attribute("batch_dims", 0)
    ctx.define(node.output(0), kernels.gather_slices(ctx, data, tuples, batch_dims))


@register("ReverseSequence", supports=conditions.movable_data)
def lower_reverse_sequence(node: Node, ctx: Lowering) -> None:
    """ReverseSequence (opset 10): input with the first elements along `time_axis` in reverse, of each place along `batch_axis` as
    many as sequence_lens, int64, says; the two are the first axes."""
    x, lengths = (ctx.value(name) for name in node.inputs)
    order = node.attribute("batch_axis", 1), node.attribute("time_axis", 0)
    rows = x.permuted((*order, *range(2, x.rank)))
    batch, steps = rows.shape[:2]
    if lengths.shape != (batch,):
        raise ValueError(f"there are lengths {lengths.shape} for a batch of {batch}")
    step, behind = (Value.constant(np.arange(steps, dtype=np.int64) + n) for n in (0, 1))
    lengths = ctx.reshape(lengths, (batch, 1))
    turned = kernels.binary(ctx, BinaryType.SUBTRACT, lengths, behind)
    inside = kernels.binary(ctx, BinaryType.LESS, step, lengths)
    places = kernels.select(ctx, inside, turned, step)
    y = kernels.gather_slices(ctx, rows, ctx.reshape(places, (batch, steps, 1)), 1)
    ctx.define(node.output(0), y.permuted((*order, *range(2, x.rank))))


_SCATTERS = {
    "none": ScatterType.SCATTER_REPLACE,
    "add": ScatterType.SCATTER_ADD,
    "mul": ScatterType.SCATTER_MULTIPLY,
    "max": ScatterType.SCATTER_MAXIMUM,
    "min": ScatterType.SCATTER_MINIMUM,
}


def supports_scatter(node: Node, graph: Graph) -> str | None:
    """Indices of int32 or int64; reductions of numbers."""
    if node.attribute("reduction", "none") != "none":
        reason = conditions.numeric(node, graph, [0, 2])
        if reason:
            return reason
    return supports_gather(node, graph)


@register("ScatterElements", supports=supports_scatter)
def lower_scatter_elements(node: Node, ctx: Lowering) -> None:
    """ScatterElements (opsets 11 to 18): data with the elements that indices name along `axis` replaced by updates, or added to,
    multiplied, or bound as `reduction` says; indices and updates have one shape."""
    data, indices, updates = (ctx.value(name) for name in node.inputs)
    type = _SCATTERS[node.attribute("reduction", "none")]
    axis = node.attribute("axis", 0) % data.rank
    output = kernels.scatter_elements(ctx, type, data, indices, updates, axis)
    ctx.define(node.output(0), output)


@register("ScatterND", supports=supports_scatter)
def lower_scatter_slices(node: Node, ctx: Lowering) -> None:
    """ScatterND (opsets 11 to 18): data with the slices that tuples of indices name replaced by updates, or added to, multiplied,
    or bound as `reduction` says."""
    data, tuples, updates = (ctx.value(name) for name in node.inputs)
    type = _SCATTERS[node.attribute("reduction", "none")]
    ctx.define(node.output(0), kernels.scatter_slices(ctx, type, data, tuples, updates))


@register("MaxUnpool", supports=conditions.movable_data, planned=(2,))
def lower_max_unpool(node: Node, ctx: Lowering) -> None:
    """MaxUnpool (opsets 9 to 22): what MaxPool has left and where it was, to a tensor that is 0 elsewhere, of the shape that undoes
    MaxPool's, or of output_shape, in which the places are those of the former all the same."""
    x, places = (ctx.value(name) for name in node.inputs[:2])
    kernel = node.attributes["kernel_shape"]
    strides = node.attribute("strides") or [1] * len(kernel)
    pads = np.array(node.attribute("pads") or [0] * 2 * len(kernel)).reshape(2, -1).sum(0)
    pooled = zip(x.shape[2:], kernel, strides, pads.tolist(), strict=True)
    extents = [(n - 1) * step + size - pad for n, size, step, pad in pooled]
    output = kernels.unpool(ctx, x, places, extents)
    wanted = ctx.constant(node.input(2))
    if wanted is not None:
        ends = zip(output.shape, wanted.tolist(), strict=True)
        output = kernels.pad(ctx, output, [(0, want - have) for have, want in ends])
    ctx.define(node.output(0), output)


def supports_one_hot(node: Node, graph: Graph) -> str | None:
    """Indices of numbers; a depth that is known when a plan is made."""
    return conditions.numeric(node, graph, [0]) or conditions.movable(node, graph, [2])


@register("OneHot", supports=supports_one_hot, planned=(1,))
def lower_one_hot(node: Node, ctx: Lowering) -> None:
    """OneHot (opsets 9, 11): indices, depth and two values to a new axis, of the first value but for the second where an index
    points; negative ones count from the end, and those outside [-depth, depth) point nowhere."""
    indices, values = ctx.value(node.input(0)), ctx.value(node.input(2))
    depth = int(ctx.array(node.input(1)).reshape(()).item())
    axis = node.attribute("axis", -1) % (indices.rank + 1)
    indices = kernels.cast(ctx, indices, np.dtype(np.int64))
    # Each row is a window of three rows' length, in which the second value stands behind one row and behind two: where an index and
    # where a negative one points. Windows that begin before the first or behind the last such place have none of these.
    zero, extent, end = (Value.constant(np.array(n, np.int64)) for n in (0, depth, 2 * depth + 1))
    place = kernels.binary(ctx, BinaryType.SUBTRACT, extent, indices)
    place = kernels.binary(ctx, BinaryType.MAXIMUM, place, zero)
    place = kernels.binary(ctx, BinaryType.MINIMUM, place, end)
    row = np.isin(np.arange(3 * depth + 1), (depth, 2 * depth))
    if isinstance(values.source, np.ndarray):
        whole = Value.constant(values.source[row.astype(int)])
    else:
        whole = kernels.pick(ctx, values, {0: row.astype(np.int32)})
    output = kernels.gather_windows(ctx, whole, place, depth)
    order = [*range(output.rank - 1)]
    order.insert(axis, output.rank - 1)
    ctx.define(node.output(0), output.permuted(tuple(order)))
