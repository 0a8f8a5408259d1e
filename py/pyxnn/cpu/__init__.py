"""The CPU provider: all of ONNX, in NumPy, for the nodes that XNNPACK does not take.

It knows every operator that onnx.reference knows, at every opset, with bodies and the values they
capture.
"""

from pyxnn.cpu.kernel import Kernel, evaluate, kernel, run
from pyxnn.cpu.quick import is_cheap
from pyxnn.cpu.segment import CpuSegment

__all__ = ["CpuSegment", "Kernel", "evaluate", "is_cheap", "kernel", "run"]
