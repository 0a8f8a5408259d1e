"""The committed digits classifier and the held-out images that judge it; train_digits.py made both.

An image is (1, 8, 8) floats from 0 to 1, ink bright: each pixel is the share of ink in a 4x4 block
of a 32x32 bitmap, as in the UCI "optical recognition of handwritten digits" set.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

MODEL_PATH = Path(__file__).with_name("digits.onnx")
HELD_OUT_PATH = Path(__file__).with_name("digits_held_out.npz")


class Digits(NamedTuple):
    images: NDArray[np.float32]  # (N, 1, 8, 8)
    labels: NDArray[np.int64]


def held_out() -> Digits:
    """The images that training never saw."""
    with np.load(HELD_OUT_PATH) as data:
        return Digits((data["images"] / np.float32(16))[:, None], data["labels"].astype(np.int64))


def accuracy(scores: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """The share of rows of `scores` that are highest at their label."""
    return float((scores.argmax(axis=1) == labels).mean())
