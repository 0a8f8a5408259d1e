"""The operators, a family a module. To add one, write its `supports` and `lower` beside its kin, and its test.

Lowerings see the form of ONNX's newest opset: `passes` has brought older models to it.
"""

from pyxnn.graph import Graph, Node
from pyxnn.xnnpack import registry
from pyxnn.xnnpack.ops import (
    activation,
    attention,
    convolution,
    deconvolution,
    elementwise,
    gather,
    gelu,
    matmul,
    normalization,
    parts,
    pooling,
    recurrent,
    reduction,
    resize,
    shaping,
)

__all__ = [
    "activation",
    "attention",
    "convolution",
    "deconvolution",
    "elementwise",
    "gather",
    "gelu",
    "matmul",
    "normalization",
    "parts",
    "pooling",
    "recurrent",
    "reduction",
    "resize",
    "shaping",
    "supports",
]


def supports(node: Node, graph: Graph) -> str | None:
    """None when XNNPACK takes the node, else the reason why not, a sentence."""
    operator = registry.find(node)
    if node.is_op("If", "Loop", "Scan"):
        return "it runs from Python; its bodies are split by themselves"
    if operator is None:
        name = f"{node.domain}.{node.op_type}" if node.domain else node.op_type
        return f"XNNPACK has no {name} here"
    return operator.supports(node, graph)
