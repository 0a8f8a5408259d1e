"""Folds a Pad of height and width into the Conv or pool after it.

    * Conv: the Pad is with 0.
    * AveragePool: the Pad is with 0, and the pool counts its own padding or has none; it counts padding from then on.
    * MaxPool: the Pad is with the lowest number or less; windows have no gaps and only the first output is asked for.
The Pad is in mode "constant" with amounts and value known, none of them negative, and nothing before or after the
first two axes. The operator has explicit pads or none (`auto_pad` is NOTSET or VALID), a pool rounds the output's
extents down (`ceil_mode` is 0) and stays with windows larger than its pads.
Must not fire when the padded value is used elsewhere or is a graph output.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pyxnn.graph import Graph, Node
from pyxnn.passes.rewrite import each_node, made_by, scalar

_LOWEST = float(np.finfo(np.float32).min)


def run(graph: Graph) -> bool:
    return each_node(graph, _fold)


def _fold(node: Node, graph: Graph) -> Sequence[Node] | None:
    if not node.is_op("Conv", "AveragePool", "MaxPool"):
        return None
    pad = made_by(graph, node.input(0), "Pad")
    if (
        pad is None
        or graph.sole_consumer(node.input(0)) is not node
        or node.inputs.count(node.input(0)) > 1
    ):
        return None
    rank = graph.rank(pad.input(0))
    amounts = None if rank is None else _amounts(pad, graph, rank)
    auto_pad = node.attribute("auto_pad", "NOTSET")
    if rank is None or amounts is None or auto_pad not in ("NOTSET", "VALID"):
        return None
    if amounts.min() < 0 or amounts[:, :2].any():
        return None
    own = np.zeros((2, rank - 2), np.int64)
    if auto_pad == "NOTSET" and node.attribute("pads"):
        own = np.array(node.attributes["pads"]).reshape(own.shape)
    pads = own + amounts[:, 2:]
    attributes = {name: value for name, value in node.attributes.items() if name != "auto_pad"}
    attributes["pads"] = pads.reshape(-1).tolist()
    value = scalar(graph, pad.input(2)) if pad.input(2) else 0.0
    if not node.is_op("Conv"):
        if node.attribute("ceil_mode", 0) or (pads >= node.attributes["kernel_shape"]).any():
            return None
        if node.is_op("AveragePool"):
            if own.any() and not node.attribute("count_include_pad", 0):
                return None
            attributes["count_include_pad"] = 1
        elif (
            value is None
            or value > _LOWEST
            or node.output(1)
            or max(node.attribute("dilations") or [1]) > 1
        ):
            return None
    if value != 0 and not node.is_op("MaxPool"):
        return None
    graph.replace(pad)
    return (replace(node, inputs=[pad.input(0), *node.inputs[1:]], attributes=attributes),)


def _amounts(pad: Node, graph: Graph, rank: int) -> np.ndarray | None:
    """How many elements come before and after each axis, two rows; None when that isn't known or they aren't constant."""
    given, axes = graph.constant(pad.input(1)), graph.constant(pad.input(3))
    if (
        given is None
        or pad.attribute("mode", "constant") != "constant"
        or (axes is None and pad.input(3))
    ):
        return None
    amounts = np.zeros((2, rank), np.int64)
    amounts[:, slice(None) if axes is None else axes] = given.reshape(2, -1)
    return amounts
