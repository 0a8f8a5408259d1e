"""Values on their way between a test and Python in the browser, as JSON; both sides run this module.

JSON's own types, bytes, NumPy arrays and numbers, and lists and dicts of them.
"""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np


def pack(value: Any) -> str:
    """The JSON text of a value."""
    return json.dumps(value, default=_encode)


def unpack(text: str) -> Any:
    """The value that ``pack`` made the text of."""
    return json.loads(text, object_hook=_decode)


def _encode(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"bytes": base64.b64encode(value).decode()}
    if isinstance(value, np.ndarray):
        data = base64.b64encode(np.ascontiguousarray(value).tobytes()).decode()
        dtype = value.dtype.name if value.dtype.kind == "V" else value.dtype.str
        return {"array": data, "dtype": dtype, "shape": list(value.shape)}
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value)} can't be sent: turn it into something simpler")


def _decode(value: dict[str, Any]) -> Any:
    if value.keys() == {"bytes"}:
        return base64.b64decode(value["bytes"])
    if value.keys() == {"array", "dtype", "shape"}:
        data = bytearray(base64.b64decode(value["array"]))
        return np.frombuffer(data, _dtype(value["dtype"])).reshape(value["shape"])
    return value


def _dtype(text: str) -> np.dtype:
    """NumPy's types by their codes, bfloat16, int4 and the like by their names."""
    if text[0] in "<>|":
        return np.dtype(text)
    import ml_dtypes  # comes with onnx, which not every page has

    return np.dtype(getattr(ml_dtypes, text))
