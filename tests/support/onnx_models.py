"""Small ONNX models for tests, in few words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from pyxnn import model
from pyxnn.graph import Graph

FLOAT = TensorProto.FLOAT
NEWEST = onnx.defs.onnx_opset_version()

Extents = Sequence[int | str | None]
node = helper.make_node


def proto(
    nodes: Iterable[onnx.NodeProto],
    inputs: Mapping[str, Extents | tuple[int, Extents]],
    outputs: Iterable[str] = ("y",),
    constants: Mapping[str, Any] | None = None,
    *,
    opset: int = 17,
    domains: Mapping[str, int] | None = None,
    output_type: int = FLOAT,
    **more: Any,
) -> onnx.ModelProto:
    """A model.

    Args:
        nodes: in any order.
        inputs: by name the extents of a float input, or its element type and extents.
        outputs: names.
        constants: initializers, as NumPy arrays or what makes one.
        opset: of ONNX's own domain.
        domains: versions of other domains.
        output_type: element type of the outputs.
        more: for onnx.helper.make_model.
    """
    values = []
    for name, extents in inputs.items():
        elem_type, extents = (
            extents if len(extents) == 2 and isinstance(extents[1], list) else (FLOAT, extents)
        )
        values.append(helper.make_tensor_value_info(name, elem_type, extents))
    graph = helper.make_graph(
        list(nodes),
        "test",
        values,
        [helper.make_tensor_value_info(name, output_type, None) for name in outputs],
        [
            numpy_helper.from_array(np.asarray(value), name)
            for name, value in (constants or {}).items()
        ],
    )
    imports = [helper.make_opsetid("", opset)]
    imports += [helper.make_opsetid(domain, version) for domain, version in (domains or {}).items()]
    return helper.make_model(graph, opset_imports=imports, **{"ir_version": 10, **more})


def build(*args: Any, **kwargs: Any) -> bytes:
    """The bytes of what `proto` makes."""
    return proto(*args, **kwargs).SerializeToString()


def graph(*args: Any, **kwargs: Any) -> Graph:
    """The graph of what `proto` makes."""
    return model.load(build(*args, **kwargs)).graph


def ops(graph: Graph) -> list[str]:
    """The operators of a graph, in order."""
    return [node.op_type for node in graph.nodes]
