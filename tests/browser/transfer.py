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
        return {"array": data, "dtype": value.dtype.str, "shape": list(value.shape)}
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value)} can't be sent: turn it into something simpler")


def _decode(value: dict[str, Any]) -> Any:
    if value.keys() == {"bytes"}:
        return base64.b64decode(value["bytes"])
    if value.keys() == {"array", "dtype", "shape"}:
        data = bytearray(base64.b64decode(value["array"]))
        return np.frombuffer(data, value["dtype"]).reshape(value["shape"])
    return value
