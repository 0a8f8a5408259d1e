"""If, Loop and Scan: when to run which body, on what, and what becomes of its results.

Values stay what they are from one iteration to the next: arrays, lists (sequences) or None (empty optionals).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import Any, Protocol

import numpy as np

from pyxnn.cpu.kernel import Kernel
from pyxnn.graph import Node, TensorType
from pyxnn.profile import StepTime


class Body(Protocol):
    """A body that has been made ready."""

    @property
    def parameters(self) -> Sequence[str]:
        """The names of its own inputs."""
        ...

    @property
    def captured(self) -> Sequence[str]:
        """The names of the values that it takes from the graphs around it."""
        ...

    @property
    def output_types(self) -> Sequence[TensorType]:
        """What is known of its outputs."""
        ...

    def call(self, inputs: Mapping[str, Any], times: list[StepTime] | None) -> list[Any]:
        """Its outputs for its inputs and captured values; `times` receives those of its steps."""
        ...


Call = Callable[..., list[Any]]
"""Runs a body on the values of its own inputs."""


def kernel(node: Node, bodies: Mapping[str, Body]) -> Kernel:
    """The kernel of an If, Loop or Scan.

    Args:
        node: the node.
        bodies: by the name of their attribute.
    """
    flow: Callable[..., list[Any]] = {"If": _if, "Loop": _loop, "Scan": _scan}[node.op_type]

    def run(
        inputs: Sequence[Any], captures: Mapping[str, Any], times: list[StepTime] | None
    ) -> Sequence[Any]:
        def call_of(attribute: str) -> Call:
            body = bodies[attribute]
            captured = {name: captures[name] for name in body.captured}

            def call(*values: Any) -> list[Any]:
                feeds = captured | dict(zip(body.parameters, values, strict=True))
                if times is None:
                    return body.call(feeds, None)
                steps: list[StepTime] = []
                results = body.call(feeds, steps)
                times.extend(replace(step, name=path(node, attribute, step.name)) for step in steps)
                return results

            return call

        return flow(node, bodies, call_of, inputs)

    return run


def path(node: Node, attribute: str, name: str) -> str:
    """How a node inside of a body is called, seen from outside."""
    return f"{node.name or next(node.defines(), '')}/{attribute}/{name}"


def _if(
    node: Node, bodies: Mapping[str, Body], call_of: Callable[[str], Call], inputs: Sequence[Any]
) -> list[Any]:
    (condition,) = inputs
    return call_of("then_branch" if condition.item() else "else_branch")()


def _loop(
    node: Node, bodies: Mapping[str, Body], call_of: Callable[[str], Call], inputs: Sequence[Any]
) -> list[Any]:
    most, condition, *state = inputs
    call, carried = call_of("body"), len(state)
    goes_on = np.array(condition is None or condition.item())
    rows: list[list[Any]] = []
    for iteration in count() if most is None else range(most.item()):
        if not goes_on.item():
            break
        goes_on, *results = call(np.array(iteration, np.int64), goes_on, *state)
        state = results[:carried]
        rows.append(results[carried:])
    types = bodies["body"].output_types[1 + carried :]
    return [*state, *_stacked(rows, types, [0] * len(types), [0] * len(types))]


def _scan(
    node: Node, bodies: Mapping[str, Body], call_of: Callable[[str], Call], inputs: Sequence[Any]
) -> list[Any]:
    if node.since < 9:
        return _scan_batch(node, bodies, call_of, inputs)
    num_scanned = node.attributes["num_scan_inputs"]
    carried = len(inputs) - num_scanned
    state, scanned = list(inputs[:carried]), inputs[carried:]
    call, types = call_of("body"), bodies["body"].output_types[carried:]
    zeros = [0] * max(num_scanned, len(types))
    axes = node.attribute("scan_input_axes", zeros)
    directions = node.attribute("scan_input_directions", zeros)
    sources = [
        np.moveaxis(array, axis, 0)[:: -1 if backwards else 1]
        for array, axis, backwards in zip(scanned, axes, directions, strict=False)
    ]
    lengths = {len(source) for source in sources}
    if len(lengths) != 1:
        raise ValueError(f"the inputs to scan have different lengths {sorted(lengths)}")
    rows: list[list[Any]] = []
    for parts in zip(*sources, strict=True):
        results = call(*state, *parts)
        state = results[:carried]
        rows.append(results[carried:])
    axes = node.attribute("scan_output_axes", zeros)
    directions = node.attribute("scan_output_directions", zeros)
    return [*state, *_stacked(rows, types, axes, directions)]


def _scan_batch(
    node: Node, bodies: Mapping[str, Body], call_of: Callable[[str], Call], inputs: Sequence[Any]
) -> list[Any]:
    """Scan of opset 8: sequences of a batch, each by itself, and zeros behind the end of the shorter ones."""
    lengths, *values = inputs
    num_scanned = node.attributes["num_scan_inputs"]
    carried, steps = len(values) - num_scanned, values[-1].shape[1]
    directions = node.attribute("directions", [0] * num_scanned)
    single = replace(
        node,
        attributes={"num_scan_inputs": num_scanned, "scan_input_directions": directions},
        since=9,
    )
    results = []
    for index in range(len(values[-1])):
        length = steps if lengths is None else int(lengths[index])
        states = [value[index] for value in values[:carried]]
        scanned = [value[index, :length] for value in values[carried:]]
        outputs = _scan(single, bodies, call_of, [*states, *scanned])
        missing = steps - length
        rows = [
            np.pad(array, [(0, missing), *[(0, 0)] * (array.ndim - 1)])
            for array in outputs[carried:]
        ]
        results.append([*outputs[:carried], *rows])
    return [np.stack(column) for column in zip(*results, strict=True)]


def _stacked(
    rows: Sequence[Sequence[np.ndarray]],
    types: Sequence[TensorType],
    axes: Sequence[int],
    directions: Sequence[int],
) -> list[np.ndarray]:
    """Each column of the iterations' results as one array, along a new axis."""
    if not rows:
        return [_nothing(type, axis) for type, axis in zip(types, axes, strict=False)]
    return [
        np.stack(column[:: -1 if backwards else 1], axis)
        for column, axis, backwards in zip(zip(*rows, strict=True), axes, directions, strict=False)
    ]


def _nothing(type: TensorType, axis: int) -> np.ndarray:
    """What no iteration leaves of a result of a type; extents that aren't known are 0."""
    shape = [extent if isinstance(extent, int) else 0 for extent in type.shape or ()]
    return np.expand_dims(np.empty(shape, type.dtype), axis).repeat(0, axis)
