"""onnxruntime's own operators (com.microsoft), as its optimizer and its exporters put them into models.

Each is known by its body of ONNX's operators alone: that gives the types of its outputs, and the nodes that run in its place.
"""

from pyxnn.microsoft import attention, dynamic, fused, hybrid, older, quantized
from pyxnn.microsoft.registry import DOMAIN, body, is_known, schemas

__all__ = [
    "DOMAIN",
    "attention",
    "body",
    "dynamic",
    "fused",
    "hybrid",
    "is_known",
    "older",
    "quantized",
    "schemas",
]
