"""onnxruntime's Python API in the browser, on XNNPACK.

session = pyxnn.InferenceSession("model.onnx")
outputs = session.run(None, {"input": array})
"""

from pyxnn import engine
from pyxnn.device import configure, device_info, get_device, ready
from pyxnn.errors import (
    EngineError,
    EPFail,
    Fail,
    InvalidArgument,
    InvalidGraph,
    InvalidProtobuf,
    ModelLoaded,
    NoModel,
    NoSuchFile,
    NotImplemented,
    RuntimeException,
)
from pyxnn.model import ModelMetadata, NodeArg
from pyxnn.options import (
    ExecutionMode,
    ExecutionOrder,
    GraphOptimizationLevel,
    RunOptions,
    SessionOptions,
)
from pyxnn.placement import NodePlacement, Placement
from pyxnn.profile import Profile, StepTime
from pyxnn.providers import get_available_providers
from pyxnn.session import InferenceSession

__version__ = "0.1.0"

__all__ = [
    "EPFail",
    "EngineError",
    "ExecutionMode",
    "ExecutionOrder",
    "Fail",
    "GraphOptimizationLevel",
    "InferenceSession",
    "InvalidArgument",
    "InvalidGraph",
    "InvalidProtobuf",
    "ModelLoaded",
    "ModelMetadata",
    "NoModel",
    "NoSuchFile",
    "NodeArg",
    "NodePlacement",
    "NotImplemented",
    "Placement",
    "Profile",
    "RunOptions",
    "RuntimeException",
    "SessionOptions",
    "StepTime",
    "configure",
    "device_info",
    "get_available_providers",
    "get_device",
    "ready",
]

engine.warm_up()
