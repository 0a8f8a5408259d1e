"""The graph that passes, partition and providers work on: nodes over named values, weights as NumPy
arrays.

It is ONNX's own model in fewer words. A value is a name; it is a graph input, an initializer or the
output of exactly one node. Nodes stand in an order in which each comes after those that it needs.
The types of values are as far as shape inference knew them; initializers always know theirs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Dim = int | str | None
"""An extent: known, symbolic (equal names are equal extents) or unknown."""

Shape = tuple[Dim, ...]


@dataclass(frozen=True)
class TensorType:
    """What is known of a value before it is there; None: not known, or the value is no tensor."""

    dtype: np.dtype | None = None
    shape: Shape | None = None

    @property
    def static_shape(self) -> tuple[int, ...] | None:
        """The shape when every extent is known, else None."""
        if self.shape is None:
            return None
        extents = tuple(extent for extent in self.shape if isinstance(extent, int))
        return extents if len(extents) == len(self.shape) else None


@dataclass(eq=False)
class Node:
    """One operator of a graph. Nodes are equal only to themselves.

    A node in a graph isn't changed; `Graph.replace` puts another in its place.

    Attributes:
        op_type: the operator, such as "Conv".
        inputs: names of values, "" where an optional input is absent.
        outputs: names of values, "" where an optional output is not asked for.
        attributes: int, float, str, bytes or lists of them, `numpy.ndarray` for tensors,
            `onnx.GraphProto` for bodies; only those that the model gives, so that an absent one has
            the default of its operator.
        domain: "" for ONNX's own operators.
        name: as in the model; may be empty or shared.
        since: the opset version of `domain` that inputs and attributes follow.
    """

    op_type: str
    inputs: list[str]
    outputs: list[str]
    attributes: dict[str, Any] = field(default_factory=dict)
    domain: str = ""
    name: str = ""
    since: int = 0
    captures: tuple[str, ...] = ()
    """Names of the enclosing graph's values that the bodies of If, Loop and Scan use."""

    def input(self, index: int) -> str:
        """The name of an input, "" when it is absent or left off."""
        return self.inputs[index] if index < len(self.inputs) else ""

    def output(self, index: int) -> str:
        """The name of an output, "" when it is absent or left off."""
        return self.outputs[index] if index < len(self.outputs) else ""

    def attribute(self, name: str, default: Any = None) -> Any:
        """The value of an attribute, or what stands for one that is left off."""
        return self.attributes.get(name, default)

    def uses(self) -> Iterator[str]:
        """All values that must be there before the node runs (one used twice comes twice)."""
        yield from filter(None, self.inputs)
        yield from self.captures

    def defines(self) -> Iterator[str]:
        """All values that are there after the node has run."""
        yield from filter(None, self.outputs)

    def is_op(self, *op_types: str) -> bool:
        """Whether this is one of these operators of ONNX's own domain."""
        return self.domain == "" and self.op_type in op_types

    def __str__(self) -> str:
        op = f"{self.domain}.{self.op_type}" if self.domain else self.op_type
        return (
            f"{op} node '{self.name}'"
            if self.name
            else f"{op} node of '{next(self.defines(), '')}'"
        )


class Graph:
    """Nodes, and who makes and who uses each value.

    Attributes:
        nodes: in execution order; change it through the methods only.
        inputs: names of the values that the caller feeds.
        outputs: names of the values that the caller gets.
        initializers: constants by name, read-only.
        types: what is known of the other values; a value may be missing.
        opsets: version by domain, as the model imports them; bodies of If, Loop and Scan follow
            these.
    """

    def __init__(
        self,
        nodes: Iterable[Node],
        inputs: Sequence[str],
        outputs: Sequence[str],
        initializers: Mapping[str, np.ndarray] | None = None,
        types: Mapping[str, TensorType] | None = None,
        opsets: Mapping[str, int] | None = None,
    ) -> None:
        self.nodes: list[Node] = []
        self.inputs = list(inputs)
        self.outputs = list(outputs)
        self.initializers: dict[str, np.ndarray] = dict(initializers or {})
        self.types: dict[str, TensorType] = dict(types or {})
        self.opsets: dict[str, int] = dict(opsets or {})
        self._producers: dict[str, Node] = {}
        self._consumers: dict[str, dict[Node, None]] = {}
        self._taken = {*self.inputs, *self.initializers, *self.types}
        for node in nodes:
            self.nodes.append(node)
            self._link(node)

    # --- questions

    def producer(self, name: str) -> Node | None:
        """The node that makes a value; None for inputs, initializers and unknown names."""
        return self._producers.get(name)

    def consumers(self, name: str) -> list[Node]:
        """The nodes that use a value, each once, among them those whose bodies capture it."""
        return list(self._consumers.get(name, ()))

    def is_output(self, name: str) -> bool:
        """Whether a value is an output of the graph."""
        return name in self.outputs

    def sole_consumer(self, name: str) -> Node | None:
        """The node that alone uses a value which is no graph output: what a fusion may swallow."""
        users = self._consumers.get(name, {})
        return next(iter(users)) if len(users) == 1 and name not in self.outputs else None

    def constant(self, name: str) -> np.ndarray | None:
        """The value of an initializer, None for any other name ("" too)."""
        return self.initializers.get(name)

    def type(self, name: str) -> TensorType:
        """What is known of a value's type."""
        array = self.initializers.get(name)
        if array is not None:
            return TensorType(array.dtype, array.shape)
        return self.types.get(name, _UNKNOWN)

    def dtype(self, name: str) -> np.dtype | None:
        """The type of a value's elements, None where it isn't known."""
        return self.type(name).dtype

    def shape(self, name: str) -> Shape | None:
        """A value's extents, numbers and symbols, None where not even the rank is known."""
        return self.type(name).shape

    def rank(self, name: str) -> int | None:
        """How many axes a value has, None where that isn't known."""
        shape = self.type(name).shape
        return None if shape is None else len(shape)

    # --- changes

    def fresh(self, hint: str) -> str:
        """A name that no value of the graph has, made from `hint`."""
        name, count = hint, 0
        while name in self._taken:
            count += 1
            name = f"{hint}_{count}"
        self._taken.add(name)
        return name

    def add_constant(self, array: np.ndarray, hint: str = "constant") -> str:
        """Adds an initializer; returns its name."""
        name = self.fresh(hint)
        self.set_constant(name, array)
        return name

    def set_constant(self, name: str, array: np.ndarray) -> None:
        """Makes a value an initializer; the array is read-only from now on."""
        array = np.asarray(array)  # arithmetic makes scalars of arrays without axes
        array.flags.writeable = False
        self.initializers[name] = array

    def add_value(self, hint: str, type: TensorType) -> str:
        """Names a value that a new node will make; returns its name."""
        name = self.fresh(hint)
        self.types[name] = type
        return name

    def replace(self, old: Node, *new: Node) -> None:
        """Puts nodes in the place of one, in order; with none, removes it.

        What `old` made and others still use must be made by one of `new`, be an initializer by now,
        or be replaced next.
        """
        position = self.nodes.index(old)
        self._unlink(old)
        self.nodes[position : position + 1] = new
        for node in new:
            self._link(node)

    def replace_uses(self, old: str, new: str) -> None:
        """Lets all that uses one value use another, graph outputs excepted.

        Raises:
            ValueError: a body captures `old`; its name can't change (see `is_captured`).
        """
        if self.is_captured(old):
            raise ValueError(f"{old} is used inside the body of a node")
        for node in self._consumers.pop(old, {}):
            node.inputs = [new if name == old else name for name in node.inputs]
            self._consumers.setdefault(new, {})[node] = None

    def is_captured(self, name: str) -> bool:
        """Whether the body of an If, Loop or Scan uses this value by its name."""
        return any(name in node.captures for node in self._consumers.get(name, ()))

    def _link(self, node: Node) -> None:
        for name in node.defines():
            self._producers[name] = node
            self._taken.add(name)
        for name in node.uses():
            self._consumers.setdefault(name, {})[node] = None

    def _unlink(self, node: Node) -> None:
        for name in node.defines():
            if self._producers.get(name) is node:
                del self._producers[name]
        for name in node.uses():
            self._consumers.get(name, {}).pop(node, None)


def dead_after(
    steps: Sequence[tuple[Iterable[str], Iterable[str]]], outputs: Iterable[str]
) -> list[list[str]]:
    """For each of some steps in order, the values that nothing needs once it is done.

    Args:
        steps: what each uses and what it makes.
        outputs: values that are needed at the end.
    """
    needed = set(outputs)
    dead = []
    for used, made in reversed(steps):
        names = {*used, *made} - needed
        needed |= names
        dead.append(sorted(names))
    return dead[::-1]


_UNKNOWN = TensorType()
