"""docs/operators.md: what the XNNPACK provider takes, asked from the provider itself."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Any, TypeGuard

import numpy as np
import onnx
from onnx.defs import OpSchema

from pyxnn import xnnpack
from pyxnn.engine import Kind
from pyxnn.graph import Graph, Node, TensorType
from pyxnn.xnnpack import registry
from pyxnn.xnnpack.ops import conditions
from pyxnn.xnnpack.registry import Operator
from tools.markdown import table
from tools.run import ROOT, attempt, say

PAGE = ROOT / "docs/operators.md"
OLDEST = 7
PACKAGE = "pyxnn.xnnpack."
INTRODUCTION = """\
# Operators on XNNPACK

What `XnnpackExecutionProvider` takes. `./build.sh operators` asks the provider and writes this page. All else runs on
`CPUExecutionProvider`; a session's `placement` says of every node where it runs, and why.

*Opsets* are those that gave the operator a new form since opset 7, all of which are taken. *Types* are those of the first input.
*Known* inputs must be constants, or follow from constants and shapes alone. *Kernels* are kinds of `wasm/include/pyxnn.h`, of
which a node gets those that it needs; without any, no byte is touched or other operators do the work. A node that follows from
constants and shapes is evaluated once, when a plan is made, whatever its operator is.
"""


def main() -> None:
    PAGE.write_text(page())
    say(f"{PAGE.relative_to(ROOT)} written")


def page() -> str:
    """The text of docs/operators.md."""
    rows = [_row(domain, op_type, operator) for (domain, op_type), operator in registered()]
    header = ("operator", "opsets", "types", "known", "kernels", "conditions")
    return f"{INTRODUCTION}\n{table(header, rows, words=len(header))}"


def registered() -> list[tuple[tuple[str, str], Operator]]:
    """The provider's table, in order of domains and names."""
    return sorted(registry.operators().items(), key=lambda item: item[0])


def _row(domain: str, op_type: str, operator: Operator) -> tuple[str, ...]:
    name = f"{domain}.{op_type}" if domain else op_type
    schemas = _schemas(domain, op_type)
    own = operator.supports.__module__ != conditions.__name__  # those of all ask for types alone
    terms = (operator.supports.__doc__ or "").split("\n\n")[0] if own else ""
    return (
        name,
        ", ".join(str(schema.since_version) for schema in schemas),
        ", ".join(types(op_type, schemas[-1])) if schemas else "",
        ", ".join(_inputs(schemas[-1], operator.planned)) if schemas else "",
        ", ".join(sorted(kernels(operator.lower, op_type))),
        " ".join(terms.split()),
    )


def _schemas(domain: str, op_type: str) -> list[OpSchema]:
    """The forms that the operator had at opset 7 and since."""
    every = sorted(
        (
            schema
            for schema in onnx.defs.get_all_schemas_with_history()
            if (schema.domain, schema.name) == (domain, op_type)
        ),
        key=lambda schema: schema.since_version,
    )
    first = max(
        (schema.since_version for schema in every if schema.since_version <= OLDEST), default=0
    )
    return [schema for schema in every if schema.since_version >= first]


def _inputs(schema: OpSchema, positions: tuple[int, ...]) -> Iterator[str]:
    for position in positions:
        yield schema.inputs[min(position, len(schema.inputs) - 1)].name


def types(op_type: str, schema: OpSchema) -> list[str]:
    """The types of the first input that the provider doesn't refuse."""
    constraints = {c.type_param_str: list(c.allowed_type_strs) for c in schema.type_constraints}
    first = schema.inputs[0].type_str
    return [
        kind.removeprefix("tensor(").removesuffix(")")
        for kind in sorted(constraints.get(first, [first]))
        if kind.startswith("tensor(") and _takes(op_type, schema, constraints, kind)
    ]


def _takes(op_type: str, schema: OpSchema, constraints: dict[str, list[str]], kind: str) -> bool:
    """Whether the provider takes a node whose first input has this type, as far as types go."""
    try:
        first = _dtype(kind)
    except (KeyError, TypeError):
        return False
    names, dtypes = [], {}
    for position, formal in enumerate(schema.inputs):
        if position >= max(schema.min_input, 1):
            break
        allowed = constraints.get(formal.type_str, [formal.type_str])
        likely = (t for t in (kind, "tensor(int64)", "tensor(float)", allowed[0]) if t in allowed)
        names.append(formal.name)
        dtypes[formal.name] = _dtype(next(likely))
    node = Node(
        op_type, names, ["y"], _attributes(schema), schema.domain, since=schema.since_version
    )
    known = {name: TensorType(dtype, ("n", "c", "h", "w")) for name, dtype in dtypes.items()}
    reason = xnnpack.supports(node, Graph([node], names, ["y"], types=known))
    return reason is None or f" {first}" not in reason


def _dtype(kind: str) -> np.dtype[Any]:
    name = kind.removeprefix("tensor(").removesuffix(")")
    number = onnx.TensorProto.DataType.Value(name.upper())
    return np.dtype(onnx.helper.tensor_dtype_to_np_dtype(number))


def _attributes(schema: OpSchema) -> dict[str, Any]:
    """A value for every attribute that must be there."""
    likely = {
        OpSchema.AttrType.INT: 1,
        OpSchema.AttrType.INTS: [1, 1],
        OpSchema.AttrType.FLOAT: 1.0,
        OpSchema.AttrType.FLOATS: [1.0],
        OpSchema.AttrType.STRING: "",
    }
    return {
        name: likely.get(attribute.type)
        for name, attribute in schema.attributes.items()
        if attribute.required
    }


def kernels(lower: Callable[..., Any], op_type: str) -> set[str]:
    """The engine's kinds that a lowering names, or the functions that it calls."""
    found: set[str] = set()
    seen: set[object] = set()
    pending: list[object] = [lower]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            pending += [item[op_type]] if op_type in item else item.values()
        elif _is_ours(item) and item not in seen:
            seen.add(item)
            names = set(_names(item.__code__))
            if "Kind" in names:
                found |= names & set(Kind.__members__)
            pending += _globals(item, names)
    return found


def _is_ours(item: object) -> TypeGuard[FunctionType]:
    return isinstance(item, FunctionType) and item.__module__.startswith(PACKAGE)


def _names(code: Any) -> Iterator[str]:
    """All names that a function uses, inner functions included."""
    yield from code.co_names
    for constant in code.co_consts:
        if hasattr(constant, "co_names"):
            yield from _names(constant)


def _globals(function: FunctionType, names: set[str]) -> Iterator[object]:
    """What the names stand for: globals of the function, and members of the modules among them."""
    for name in names:
        value = function.__globals__.get(name)
        yield value
        if getattr(value, "__name__", "").startswith(PACKAGE) and not callable(value):
            yield from (getattr(value, member, None) for member in names)
    yield from (cell.cell_contents for cell in function.__closure__ or ())


if __name__ == "__main__":
    sys.exit(attempt(main))
