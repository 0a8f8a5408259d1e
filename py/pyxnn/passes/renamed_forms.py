"""Small differences between opsets: other names, other defaults.

* Scatter (opsets 9, 10) is ScatterElements.
* CastLike is Cast to the type of its second input, where that is known.
* GridSample below opset 20: mode "bilinear" is "linear", "bicubic" is "cubic".
* RoiAlign below opset 16: `coordinate_transformation_mode` is "output_half_pixel".
* DFT below opset 20: `axis`, 1 unless given, is an input.
* QuantizeLinear and DequantizeLinear below opset 19 are as there, where onnx.reference begins to know them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import onnx

from pyxnn.graph import Graph, Node
from pyxnn.passes.rewrite import each_node

_MODES = {"bilinear": "linear", "bicubic": "cubic"}


def run(graph: Graph) -> bool:
    return each_node(graph, _rename)


def _rename(node: Node, graph: Graph) -> Sequence[Node] | None:
    if node.is_op("Scatter"):
        return (replace(node, op_type="ScatterElements", since=11),)
    if node.is_op("CastLike") and (dtype := graph.dtype(node.input(1))) is not None:
        attributes = {**node.attributes, "to": onnx.helper.np_dtype_to_tensor_dtype(dtype)}
        return (replace(node, op_type="Cast", inputs=[node.input(0)], attributes=attributes),)
    if node.is_op("GridSample") and node.since < 20:
        mode = node.attribute("mode", "bilinear")
        return (
            replace(node, attributes={**node.attributes, "mode": _MODES.get(mode, mode)}, since=20),
        )
    if node.is_op("RoiAlign") and node.since < 16:
        form = {"coordinate_transformation_mode": "output_half_pixel"}
        return (replace(node, attributes={**node.attributes, **form}, since=16),)
    if node.is_op("DFT") and node.since < 20:
        attributes = dict(node.attributes)
        axis = graph.add_constant(np.array(attributes.pop("axis", 1)), f"{node.output(0)}_axis")
        inputs = [node.input(0), node.input(1), axis]
        return (replace(node, inputs=inputs, attributes=attributes, since=20),)
    if node.is_op("QuantizeLinear", "DequantizeLinear") and node.since < 19:
        return (replace(node, since=19),)
    return None
