"""The operators, a family a module. To add one, write its `supports` and `lower` beside its kin, and its test.

Lowerings see the form of ONNX's newest opset: `passes` has brought older models to it.
"""

from pyxnn.graph import Graph, Node
from pyxnn.partition import only_shapes_matter
from pyxnn.xnnpack import registry
from pyxnn.xnnpack.ops import (
    activation,
    attention,
    cast,
    convolution,
    deconvolution,
    deformable,
    einsum,
    elementwise,
    few_bits,
    fourier,
    gelu,
    grids,
    indexing,
    integers,
    linear_attention,
    logic,
    matmul,
    normalization,
    order,
    parts,
    pooling,
    quantization,
    quantized,
    recurrent,
    reduction,
    regions,
    resize,
    shaping,
)

__all__ = [
    "activation",
    "attention",
    "cast",
    "convolution",
    "deconvolution",
    "deformable",
    "einsum",
    "elementwise",
    "few_bits",
    "fourier",
    "gelu",
    "grids",
    "indexing",
    "integers",
    "linear_attention",
    "logic",
    "matmul",
    "normalization",
    "order",
    "parts",
    "pooling",
    "quantization",
    "quantized",
    "recurrent",
    "reduction",
    "regions",
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
        return f"XNNPACK has no {name}"
    reason = operator.supports(node, graph)
    if reason is None and _decides_shapes(node, graph):
        reason = "plans are made by its result, so it is computed before them"
    return reason


def _decides_shapes(node: Node, graph: Graph) -> bool:
    """Whether a plan depends on the node's result: directly, or by way of other small tensors and of integers."""
    seen = {node}
    makers = [node]
    while makers:
        for name in makers.pop().defines():
            for user in graph.consumers(name):
                if name in registry.planned_inputs(user):
                    return True
                if user not in seen and not only_shapes_matter(user) and _may_decide(name, graph):
                    seen.add(user)
                    makers.append(user)
    return False


def _may_decide(name: str, graph: Graph) -> bool:
    """Whether shapes may be computed from a value: integers, or numbers in one row."""
    dtype, rank = graph.dtype(name), graph.rank(name)
    return (dtype is not None and dtype.kind in "biu") or rank in (0, 1)
