"""NonMaxSuppression in NumPy, by blocks of boxes: those that no chosen box overlaps with, then those among each other."""

from __future__ import annotations

import math

import numpy as np

from pyxnn.graph import Node

_BLOCK = 64
"""Boxes that are looked at together."""


def non_max_suppression(
    node: Node,
    boxes: np.ndarray,
    scores: np.ndarray,
    most: np.ndarray | None = None,
    overlap: np.ndarray | None = None,
    least: np.ndarray | None = None,
) -> np.ndarray:
    """NonMaxSuppression (opsets 10, 11).

    Args:
        boxes: (batch, boxes, 4), float32.
        scores: (batch, classes, boxes), float32.
        most: how many boxes are chosen of each class; none when absent.
        overlap: intersection over union above which a box is put away; 0 when absent.
        least: what scores have to be above; all are when absent.

    Returns:
        Batch, class and box of each that is chosen, int64, by score within a class; of equals the lower place first.
    """
    count = 0 if most is None else int(most.item())
    limit = 0.0 if overlap is None else float(overlap.item())
    threshold = -math.inf if least is None else float(least.item())
    chosen = []
    for batch, (its_boxes, by_class) in enumerate(zip(boxes, scores, strict=True)):
        corners = _corners(its_boxes, is_center=bool(node.attribute("center_point_box", 0)))
        sizes = (corners[1] - corners[0]).prod(0)
        for number, its_scores in enumerate(by_class):
            order = np.argsort(-its_scores, kind="stable")
            if least is not None:
                order = order[its_scores[order] > threshold]
            places = _choose(corners[:, :, order], sizes[order], count, limit)
            chosen += [(batch, number, place) for place in order[places].tolist()]
    return np.array(chosen, np.int64).reshape(-1, 3)


def _corners(boxes: np.ndarray, *, is_center: bool) -> np.ndarray:
    """[least and greatest, of two axes, boxes]."""
    first, second = boxes.T.reshape(2, 2, -1)
    if is_center:
        return np.stack([first - second / 2, first + second / 2])
    return np.stack([np.minimum(first, second), np.maximum(first, second)])


def _choose(corners: np.ndarray, sizes: np.ndarray, count: int, limit: float) -> list[int]:
    """The places of those chosen among boxes in the order of their scores."""

    def overlaps(some: np.ndarray, others: np.ndarray) -> np.ndarray:
        starts = np.maximum(corners[0][:, some, None], corners[0][:, None, others])
        ends = np.minimum(corners[1][:, some, None], corners[1][:, None, others])
        shared = np.maximum(ends - starts, 0).prod(0)
        together = sizes[some, None] + sizes[others] - shared
        result: np.ndarray = (shared > 0) & (shared > limit * together)
        return result

    chosen: list[int] = []
    for first in range(0, sizes.size, _BLOCK):
        if len(chosen) >= count:
            break
        block = np.arange(first, min(first + _BLOCK, sizes.size))
        if chosen:
            block = block[~overlaps(block, np.array(chosen)).any(1)]
        among = overlaps(block, block)
        away = np.zeros(block.size, np.bool_)
        for place, box in enumerate(block.tolist()):
            if not away[place]:
                chosen.append(box)
                away |= among[place]
    return chosen[:count]
