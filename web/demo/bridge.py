"""How the page calls Python: plain values and buffers in, plain values, buffers or an error out."""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable
from typing import Any

from pyodide.ffi import JsProxy, to_js

# What a user is told first, by the class of the exception; its message follows as the detail.
EXPLANATIONS = {
    "InvalidProtobuf": "This file is not an ONNX model, or it is cut off.",
    "InvalidGraph": "This model breaks ONNX's rules, so it can't be loaded.",
    "NotImplemented": "This model needs something that pyxnn does not have yet.",
    "InvalidArgument": "The model refused this input.",
    "MemoryError": "There is not enough memory in this browser tab for this model.",
}


def call(function: Callable[..., Any], arguments: Any) -> Any:
    """Calls `function`; the answer is a JS object with either `value` or `error`."""
    try:
        answer = {"value": function(*(_to_python(argument) for argument in arguments))}
    except Exception as error:
        kind = type(error).__name__
        summary = EXPLANATIONS.get(kind, "Something went wrong while running the model.")
        message = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", str(error))
        answer = {"error": {"kind": kind, "summary": summary, "message": message}}
        traceback.print_exc()
    return to_js(answer, dict_converter=_object_from_entries)


def _to_python(argument: Any) -> Any:
    return argument.to_py() if isinstance(argument, JsProxy) else argument


def _object_from_entries(entries: Any) -> Any:
    import js

    return js.Object.fromEntries(entries)
