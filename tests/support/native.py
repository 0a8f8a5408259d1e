"""The XNNPACK provider beside native onnxruntime: one model, both run it, results compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from pyxnn import engine, model, passes, xnnpack
from pyxnn.graph import Graph
from pyxnn.partition import CPU, partition
from pyxnn.xnnpack import Subgraph
from tests.support import exact, recording

OPSET = 17


def build(
    nodes: Sequence[onnx.NodeProto],
    inputs: Mapping[str, np.ndarray],
    outputs: Sequence[str],
    constants: Mapping[str, np.ndarray] | None = None,
    *,
    opset: int = OPSET,
    dynamic: bool = False,
    dtype: type | str | tuple[type, ...] = np.float32,
    domains: Mapping[str, int] | None = None,
) -> bytes:
    """The bytes of a model.

    Args:
        nodes: of the graph.
        inputs: arrays of the types and shapes that the graph takes.
        outputs: names of what the graph gives.
        constants: initializers.
        opset: of ONNX's own domain.
        dynamic: let all extents of the inputs be unknown to the model.
        dtype: of the outputs, one for all or one for each.
        domains: versions of other domains.
    """
    graph = helper.make_graph(
        nodes,
        "test",
        [
            helper.make_tensor_value_info(
                name,
                helper.np_dtype_to_tensor_dtype(array.dtype),
                [f"{name}_{axis}" for axis in range(array.ndim)] if dynamic else array.shape,
            )
            for name, array in inputs.items()
        ],
        [onnx.ValueInfoProto(name=name) for name in outputs],
        [numpy_helper.from_array(array, name) for name, array in (constants or {}).items()],
    )
    dtypes = dtype if isinstance(dtype, tuple) else [dtype] * len(outputs)
    for output, each in zip(graph.output, dtypes, strict=True):
        output.type.tensor_type.elem_type = helper.np_dtype_to_tensor_dtype(np.dtype(each))
    versions = {"": opset, **(domains or {})}
    imports = [helper.make_opsetid(*version) for version in versions.items()]
    proto = helper.make_model(graph, opset_imports=imports, ir_version=10)
    return proto.SerializeToString()


def graph_of(data: bytes) -> Graph:
    """The model as providers see it."""
    graph = model.load(data).graph
    passes.run(graph)
    return graph


def tasks(part: Subgraph, inputs: Mapping[str, np.ndarray]) -> list[str]:
    """Operators and name of each step of a run."""
    _, steps = part.profile(inputs)
    assert all(step.ms >= 0 for step in steps)
    return [f"{step.kind} {step.name}" for step in steps]


def refusal(data: bytes) -> str | None:
    """Why XNNPACK does not take the model's only node as such; None when it does."""
    graph = model.load(data).graph
    passes.run(graph, [run for run in passes.ALL if run is not passes.expand_functions.run])
    (node,) = graph.nodes
    return xnnpack.supports(node, graph)


def subgraph(data: bytes, on: engine.Engine | None = None) -> Subgraph:
    """A model that XNNPACK takes whole, as one subgraph; asserts that it does.

    Args:
        data: the model.
        on: the engine that runs it; the process's when absent.
    """
    graph = graph_of(data)
    parts = partition(graph, xnnpack.supports)
    assert not parts.reasons, parts.reasons
    assert [segment.provider for segment in parts.segments] != [CPU]
    (segment,) = parts.segments
    return Subgraph(segment, graph, on or engine.get(), num_threads=1, spin=False)


def run_native(data: bytes, inputs: Mapping[str, np.ndarray]) -> list[Any]:
    """What native onnxruntime gives, unoptimised, on one thread."""
    return exact.session(data, optimized=False).run(None, dict(inputs))


def run_reference(data: bytes, inputs: Mapping[str, np.ndarray]) -> list[Any]:
    """What onnx.reference gives."""
    return ReferenceEvaluator(onnx.load_from_string(data)).run(None, dict(inputs))


def compare(
    data: bytes,
    inputs: Mapping[str, np.ndarray],
    *,
    rtol: float = 0.0,
    atol: float = 0.0,
    reference: bool = False,
) -> None:
    """Asserts that XNNPACK takes all of the model and gives what onnxruntime gives.

    Args:
        data: the model.
        inputs: its feeds.
        rtol, atol: as in numpy.testing.assert_allclose.
        reference: compare with onnx.reference instead, where onnxruntime lacks an operator.
    """
    expected = (run_reference if reference else run_native)(data, inputs)
    recording.record(data, inputs, expected, rtol, atol)
    for name, got, want in _results(data, inputs, expected):
        np.testing.assert_allclose(got, want, rtol, atol, err_msg=name)


def compare_integers(data: bytes, inputs: Mapping[str, np.ndarray], *, rare: float = 1e-3) -> None:
    """Asserts that XNNPACK takes all of the model and gives the integers that onnxruntime gives, or nearly so.

    Both sides round numbers that differ in their last bits, as they multiply scales in another order: where one is about half way
    between two integers, results are one step apart. That must be rare.

    Args:
        data: the model, whose outputs are 8-bit integers.
        inputs: its feeds.
        rare: the part of the elements that may differ, one element of an output excepted.
    """
    expected = run_native(data, inputs)
    recording.record(data, inputs, expected, 0, 1)
    for name, got, want in _results(data, inputs, expected):
        difference = np.abs(got.astype(np.int32) - want)
        assert difference.max(initial=0) <= 1, f"{name} is {difference.max()} steps apart"
        assert (difference != 0).sum() <= max(1, rare * difference.size), name


def _results(
    data: bytes, inputs: Mapping[str, np.ndarray], expected: Sequence[np.ndarray]
) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """For each output its name, what XNNPACK gives, the same in two runs, and what is expected, of the same type and shape."""
    part = subgraph(data)
    try:
        results = part.run(inputs)
        again = part.run(inputs)
    finally:
        part.close()
    names = [output.name for output in onnx.load_from_string(data).graph.output]
    for name, want in zip(names, expected, strict=True):
        got = results[name]
        assert got.shape == want.shape and got.dtype == want.dtype, name
        np.testing.assert_array_equal(again[name], got)
        yield name, got, want
