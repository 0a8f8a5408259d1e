"""The exceptions of onnxruntime, by the same names, with messages of the same form.

`"[ONNXRuntimeError] : 2 : INVALID_ARGUMENT : Invalid input name: y"`: code, name of the code, what
was wrong. Raise them with the last part alone.
"""

# ruff: noqa: N818 (the names are onnxruntime's)

from __future__ import annotations

from typing import ClassVar


class OnnxRuntimeError(Exception):
    """What the others have in common; never raised itself."""

    code: ClassVar[int]
    label: ClassVar[str]

    def __init__(self, message: str) -> None:
        super().__init__(f"[ONNXRuntimeError] : {self.code} : {self.label} : {message}")


class Fail(OnnxRuntimeError):
    """The call can't be done for a reason that no other class names."""

    code, label = 1, "FAIL"


class InvalidArgument(OnnxRuntimeError):
    """An argument is wrong, such as a feed of another type or shape than the model asks for."""

    code, label = 2, "INVALID_ARGUMENT"


class NoSuchFile(OnnxRuntimeError):
    """There is no file at the given path."""

    code, label = 3, "NO_SUCHFILE"


class NoModel(OnnxRuntimeError):
    """The session has no model."""

    code, label = 4, "NO_MODEL"


class EngineError(OnnxRuntimeError):
    """The engine can't be loaded or started."""

    code, label = 5, "ENGINE_ERROR"


class RuntimeException(OnnxRuntimeError):
    """A run failed half way, for instance for want of memory."""

    code, label = 6, "RUNTIME_EXCEPTION"


class InvalidProtobuf(OnnxRuntimeError):
    """The bytes are no ONNX model, or not all of it."""

    code, label = 7, "INVALID_PROTOBUF"


class ModelLoaded(OnnxRuntimeError):
    """The session has a model already."""

    code, label = 8, "MODEL_LOADED"


class NotImplemented(OnnxRuntimeError):
    """The model asks for an operator, or a form of it, that no provider has."""

    code, label = 9, "NOT_IMPLEMENTED"


class InvalidGraph(OnnxRuntimeError):
    """The model breaks ONNX's rules."""

    code, label = 10, "INVALID_GRAPH"


class EPFail(OnnxRuntimeError):
    """A provider failed."""

    code, label = 11, "EP_FAIL"
