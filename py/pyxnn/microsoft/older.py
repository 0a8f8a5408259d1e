"""onnxruntime's own operators that ONNX has in another form since."""

from __future__ import annotations

from pyxnn import errors
from pyxnn.body import Body
from pyxnn.microsoft.registry import operator


@operator("Trilu", (1, 2), upper=int)
def trilu(body: Body) -> None:
    """ONNX's Trilu."""
    body.give(0, body.add("Trilu", *body.node.inputs, **body.node.attributes))


@operator("Pad", (2, 3), mode=str)
def pad(body: Body) -> None:
    """ONNX's Pad, whose pads may also be one row of a matrix."""
    data, pads, value = (body.node.input(index) for index in range(3))
    pads = body.add("Reshape", pads, body.constant([-1]))
    body.give(0, body.add("Pad", data, pads, value, **body.node.attributes))


@operator("GridSample", (2, 2), align_corners=int, mode=str, padding_mode=str)
def grid_sample(body: Body) -> None:
    """ONNX's GridSample, whose modes have other names."""
    attributes = dict(body.node.attributes)
    mode = attributes.get("mode", "bilinear")
    attributes["mode"] = {"bilinear": "linear", "bicubic": "cubic"}.get(mode, mode)
    body.give(0, body.add("GridSample", *body.node.inputs, **attributes))


@operator("ExpandDims", (2, 2))
def expand_dims(body: Body) -> None:
    """Unsqueeze at one axis."""
    axis = body.graph.constant(body.node.input(1))
    if axis is None:
        raise errors.NotImplemented("its axis is computed")
    body.give(0, body.add("Unsqueeze", body.node.input(0), body.constant([axis.item()])))
