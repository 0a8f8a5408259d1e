"""Checks what `run` is fed against what the model asks for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from pyxnn.errors import InvalidArgument
from pyxnn.graph import Graph, Shape
from pyxnn.model import NodeArg
from pyxnn.tensor_types import name_of


class _Input(NamedTuple):
    type: str
    dtype: np.dtype | None
    shape: Shape | None


class Feeds:
    """The inputs of a model and the check of a feed."""

    def __init__(self, inputs: Iterable[NodeArg], graph: Graph) -> None:
        self._inputs = {
            input.name: _Input(input.type, graph.dtype(input.name), graph.shape(input.name))
            for input in inputs
        }

    def check(self, feed: Mapping[str, Any]) -> dict[str, Any]:
        """The feed with arrays in the place of lists.

        Raises:
            TypeError: the feed is no mapping.
            ValueError: inputs are missing.
            InvalidArgument: a name is unknown, or a value has another type or shape than its input.
        """
        if not isinstance(feed, Mapping):
            raise TypeError(
                "run(..., input_feed) takes a dict of arrays by name of input, "
                f"not {type(feed).__name__}"
            )
        inputs = self._inputs
        missing = [name for name in inputs if name not in feed]
        if missing:
            raise ValueError(
                f"Required inputs ({missing}) are missing from input feed ({list(feed)})."
            )
        values = {}
        for name, value in feed.items():
            expected = inputs.get(name)
            if expected is None:
                raise InvalidArgument(f"Invalid input name: {name}")
            values[name] = value if expected.dtype is None else _tensor(name, value, expected)
        return values


def _tensor(name: str, value: Any, expected: _Input) -> np.ndarray:
    array = value if isinstance(value, np.ndarray) else _from_lists(name, value, expected)
    if array.dtype != expected.dtype:
        actual = name_of(array.dtype)
        if actual != expected.type:
            raise InvalidArgument(
                f"Unexpected input data type for input: {name}. "
                f"Actual: ({actual}) , expected: ({expected.type})"
            )
        array = array.astype(expected.dtype)  # strings of fixed width, or of another byte order
    shape = expected.shape
    if shape is not None and array.shape != shape:
        _check_shape(name, array.shape, shape)
    return array


def _from_lists(name: str, value: Any, expected: _Input) -> np.ndarray:
    if not isinstance(value, (list, tuple, np.generic)):
        raise InvalidArgument(
            f"Unexpected input data type for input: {name}. "
            f"Actual: ({type(value).__name__}) , expected: ({expected.type})"
        )
    try:
        return np.asarray(value, None if isinstance(value, np.generic) else expected.dtype)
    except (ValueError, TypeError) as error:
        raise InvalidArgument(f"Input {name} can't be made a {expected.type}: {error}") from error


def _check_shape(name: str, actual: tuple[int, ...], expected: Shape) -> None:
    if len(actual) != len(expected):
        raise InvalidArgument(
            f"Invalid rank for input: {name} Got: {len(actual)} Expected: {len(expected)} "
            "Please fix either the inputs/outputs or the model."
        )
    wrong = [
        f"\n index: {index} Got: {got} Expected: {extent}"
        for index, (got, extent) in enumerate(zip(actual, expected, strict=True))
        if isinstance(extent, int) and got != extent
    ]
    if wrong:
        raise InvalidArgument(
            f"Got invalid dimensions for input: {name} for the following indices{''.join(wrong)}\n"
            " Please fix either the inputs/outputs or the model."
        )
