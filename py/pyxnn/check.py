"""Whether a model follows ONNX's rules: names, operators, their attributes and how many inputs and
outputs they have.

The classes and words are onnxruntime's; it takes some models that onnx.checker refuses (unsorted
nodes, no graph name), and so does this.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from heapq import heapify, heappop, heappush
from typing import NamedTuple

import onnx

from pyxnn import microsoft
from pyxnn.errors import Fail, InvalidArgument, InvalidGraph
from pyxnn.graph import Node


def sort(nodes: Iterable[Node], known: Iterable[str], outputs: Iterable[str]) -> list[Node]:
    """The nodes in an order in which each comes after those that it needs, and otherwise as given.

    Args:
        nodes: in any order.
        known: names of inputs and initializers.
        outputs: names of the graph's outputs.

    Raises:
        InvalidArgument: a node uses a name that nothing defines.
        Fail: a name is defined twice, the graph has a cycle, or an output is missing.
    """
    nodes = list(nodes)
    known = set(known)
    makers: dict[str, int] = {}
    for index, node in enumerate(nodes):
        for name in node.defines():
            if name in makers or name in known:
                raise Fail(
                    f"This is an invalid model. Error: Duplicate definition of name ({name})."
                )
            makers[name] = index
    users: list[list[int]] = [[] for _ in nodes]
    waits = [0] * len(nodes)
    for index, node in enumerate(nodes):
        needs = set()
        for name in node.uses():
            if name in makers:
                needs.add(makers[name])
            elif name not in known:
                raise InvalidArgument(
                    f"Invalid model. Node input '{name}' is not a graph input, initializer, or output "
                    f"of a previous node. It is used by {node}."
                )
        waits[index] = len(needs)
        for need in needs:
            users[need].append(index)
    for name in outputs:
        if name not in makers and name not in known:
            raise Fail(
                f"This is an invalid model. Graph output ({name}) does not exist in the graph."
            )
    return [nodes[index] for index in _order(waits, users, nodes)]


def _order(waits: list[int], users: list[list[int]], nodes: list[Node]) -> list[int]:
    """Positions in dependency order, the smallest that is ready first."""
    ready = [index for index, count in enumerate(waits) if not count]
    heapify(ready)
    order: list[int] = []
    while ready:
        index = heappop(ready)
        order.append(index)
        for user in users[index]:
            waits[user] -= 1
            if not waits[user]:
                heappush(ready, user)
    if len(order) < len(waits):
        stuck = next(node for node, count in zip(nodes, waits, strict=True) if count)
        raise Fail(
            "This is an invalid model. Error: the graph is not acyclic. "
            f"{stuck} needs its own output."
        )
    return order


def check(nodes: Iterable[Node], opsets: Mapping[str, int]) -> None:
    """Checks each node against the schema of its operator; operators of unknown domains pass.

    Raises:
        InvalidGraph: naming the node, when it breaks its schema or there is none.
    """
    for node in nodes:
        if node.domain not in opsets:
            raise _invalid(node, f"No opset import for domain '{node.domain}'")
        rules = _rules(node.op_type, opsets[node.domain], node.domain)
        if rules is None:
            if node.domain in _onnx_domains():
                raise _invalid(
                    node,
                    f"No Op registered for {node.op_type} with domain_version of {opsets[node.domain]}",
                )
            continue
        if rules.deprecated:
            raise _invalid(
                node, f"Op {node.op_type} is deprecated in domain_version of {opsets[node.domain]}"
            )
        for name in node.attributes:
            if name not in rules.attributes:
                raise _invalid(node, f"Unrecognized attribute: {name} for operator {node.op_type}")
        for name in rules.required:
            if name not in node.attributes:
                raise _invalid(node, f"Required attribute '{name}' is missing.")
        for what, count, (least, most) in (
            ("input", len(node.inputs), rules.inputs),
            ("output", len(node.outputs), rules.outputs),
        ):
            if not least <= count <= most:
                raise _invalid(
                    node,
                    f"Node({node.name}) with schema({node.domain}::{node.op_type}:{rules.since}) "
                    f"has {what} size {count} not in range [min={least}, max={most}].",
                )


class _Rules(NamedTuple):
    since: int
    attributes: frozenset[str]
    required: tuple[str, ...]
    inputs: tuple[int, int]
    outputs: tuple[int, int]
    deprecated: bool


@cache
def _rules(op_type: str, version: int, domain: str) -> _Rules | None:
    try:
        schema = onnx.defs.get_schema(op_type, version, domain)
    except onnx.defs.SchemaError:
        return None
    attributes = schema.attributes
    return _Rules(
        schema.since_version,
        frozenset(attributes),
        tuple(name for name, attribute in attributes.items() if attribute.required),
        (schema.min_input, schema.max_input),
        (schema.min_output, schema.max_output),
        schema.deprecated,
    )


@cache
def _onnx_domains() -> frozenset[str]:
    return frozenset(schema.domain for schema in onnx.defs.get_all_schemas()) - {
        microsoft.DOMAIN  # of which not all is known
    }


def _invalid(node: Node, why: str) -> InvalidGraph:
    inputs, outputs = (
        ", ".join(f'"{name}"' for name in names) for names in (node.inputs, node.outputs)
    )
    return InvalidGraph(
        f'This is an invalid model. In Node, ("{node.name}", {node.op_type}, "{node.domain}", -1) : '
        f"({inputs}) -> ({outputs}) , Error {why}"
    )
