"""What a plan does: one engine operator applied to tensors."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pyxnn.engine import Kind
from pyxnn.xnnpack.values import Value


class Label(NamedTuple):
    """What a step does, in the words of the model: operators ("Conv+Relu") and the name of their node."""

    operators: str
    name: str


@dataclass(frozen=True, eq=False, slots=True)
class Step:
    """One step. `params` and `dims` are the words that `pyxnn.h` lists for its kind.

    Attributes:
        label: what it stems from, for profiles.
        kernel: first weights array of the kind, or None.
        bias: second weights array, or None.
        key: tells the weights apart from those of other steps with the same kind and params; None without weights.
    """

    label: Label
    kind: Kind
    params: tuple[int | float, ...]
    dims: tuple[int, ...]
    inputs: tuple[Value, ...]
    output: Value
    kernel: np.ndarray | None = None
    bias: np.ndarray | None = None
    key: Hashable = None
