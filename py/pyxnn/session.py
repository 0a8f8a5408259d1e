"""Inference sessions: a model, opened once and run many times."""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterable, Mapping, Sequence
from time import perf_counter
from types import TracebackType
from typing import Any

import numpy as np

from pyxnn import model, partition, passes, xnnpack
from pyxnn.errors import Fail, InvalidArgument, NoModel
from pyxnn.feeds import Feeds
from pyxnn.options import NO_CPU_FALLBACK, SPIN, GraphOptimizationLevel, RunOptions, SessionOptions
from pyxnn.partition import CPU, XNNPACK
from pyxnn.placement import Placement
from pyxnn.profile import Profile, StepTime
from pyxnn.program import Program, Settings
from pyxnn.providers import Provider, num_threads, resolve


class InferenceSession:
    """A model ready to run, as in onnxruntime.

    A session holds memory of the engine until `close`, the end of its `with` block, or until it is
    garbage.
    """

    def __init__(
        self,
        path_or_bytes: str | os.PathLike[str] | bytes,
        sess_options: SessionOptions | None = None,
        providers: Sequence[Provider] | None = None,
        provider_options: Sequence[Mapping[str, Any]] | None = None,
    ) -> None:
        """Opens a model.

        Args:
            path_or_bytes: the path of an .onnx file, or the bytes of one.
            sess_options: settings; those of `SessionOptions()` when None.
            providers: names, or pairs of a name and a dict of options, in order of preference. The
                CPU provider always comes last unless it is named earlier; when it comes before
                XNNPACK's, it takes all nodes. None: all there are.
            provider_options: the options of each of `providers`, when those are names alone.
                XNNPACK's takes `intra_op_num_threads`, which goes before the session option of that
                name.

        Raises:
            TypeError: the model is neither a path nor bytes.
            ValueError: a provider is unknown.
            InvalidArgument: an option is wrong, or see `model.load`.
            NotImplemented: no provider has an operator of the model, or see `model.load`.
            EngineError: the engine can't start.
            NoSuchFile, InvalidProtobuf, InvalidGraph, Fail: see `model.load`.
        """
        options = SessionOptions() if sess_options is None else sess_options
        if not isinstance(options, SessionOptions):
            raise TypeError(
                f"sess_options should be a SessionOptions, not {type(options).__name__}"
            )
        if not isinstance(path_or_bytes, (str, os.PathLike, bytes)) or path_or_bytes == "":
            raise TypeError(f"Unable to load from type '{type(path_or_bytes)}'")
        self._options = options
        self._providers = resolve(providers, provider_options)
        _refuse_conflict(options, providers)
        loaded = model.load(path_or_bytes, options.free_dimensions())
        self._inputs, self._outputs, self._metadata = loaded.inputs, loaded.outputs, loaded.metadata
        level = options.graph_optimization_level
        settings = Settings(
            passes.FORMS if level == GraphOptimizationLevel.ORT_DISABLE_ALL else passes.ALL,
            _supports(self._providers),
            num_threads(self._providers) or max(options.intra_op_num_threads, 0),
            options.config(SPIN, "1") == "1",
        )
        self._program = Program(loaded.graph, settings)
        _refuse_cpu(options, self._program.split)
        self._feeds = Feeds(loaded.inputs, loaded.graph)
        self._output_names = [output.name for output in loaded.outputs]
        self._program.start()
        self._placement = Placement.of(self._program)
        self._finalizer = weakref.finalize(self, self._program.close)

    def run(
        self,
        output_names: Sequence[str] | None,
        input_feed: Mapping[str, Any],
        run_options: RunOptions | None = None,
    ) -> list[Any]:
        """Runs the model.

        Args:
            output_names: which outputs to return, in that order; None or an empty list for all.
            input_feed: by name of input an array (or nested lists) of its type and shape; a list of
                arrays for an input that is a sequence, None for an optional one that is absent.
            run_options: settings.

        Returns:
            An array for each output (or a list, or None, for a sequence or an optional); the
            caller's own.

        Raises:
            ValueError: an input is missing from the feed.
            InvalidArgument: a name is unknown, or a feed has another type or shape than the model
                asks for.
            Fail: a node could not be run; the message names it.
            RuntimeException: out of memory.
            NoModel: the session is closed.
        """
        return self._run(output_names, input_feed, run_options, None)

    def profile(
        self,
        output_names: Sequence[str] | None,
        input_feed: Mapping[str, Any],
        run_options: RunOptions | None = None,
    ) -> Profile:
        """Runs the model as `run` does, and tells how long each step took."""
        steps: list[StepTime] = []
        start = perf_counter()
        self._run(output_names, input_feed, run_options, steps)
        return Profile(steps, (perf_counter() - start) * 1e3)

    def explain(self) -> None:
        """Prints which node runs where and, for each that is not on XNNPACK, why."""
        print(self._placement)

    @property
    def placement(self) -> Placement:
        """Which node of the optimized graph runs where, and why."""
        return self._placement

    def get_inputs(self) -> list[model.NodeArg]:
        """The inputs that `run` must be fed."""
        return self._inputs

    def get_outputs(self) -> list[model.NodeArg]:
        """The outputs that `run` can return."""
        return self._outputs

    def get_overridable_initializers(self) -> list[model.NodeArg]:
        """None: an initializer that is also an input is a constant here."""
        return []

    def get_modelmeta(self) -> model.ModelMetadata:
        """What the model says of itself."""
        return self._metadata

    def get_providers(self) -> list[str]:
        """The names of the session's providers, the preferred one first."""
        return list(self._providers)

    def get_provider_options(self) -> dict[str, dict[str, str]]:
        """The options of each provider."""
        return {name: dict(options) for name, options in self._providers.items()}

    def get_session_options(self) -> SessionOptions:
        """The options that the session was made with."""
        return self._options

    def close(self) -> None:
        """Gives the session's memory back; it can't be run any more. Safe to call again."""
        self._finalizer()

    def __enter__(self) -> InferenceSession:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _run(
        self,
        output_names: Sequence[str] | None,
        input_feed: Mapping[str, Any],
        run_options: RunOptions | None,
        times: list[StepTime] | None,
    ) -> list[Any]:
        if not self._finalizer.alive:
            raise NoModel("The session is closed")
        names = self._wanted(output_names)
        if run_options is not None and _terminates(run_options):
            raise Fail("Exiting due to terminate flag being set to true.")
        feeds = self._feeds.check(input_feed)
        values = self._program.run(feeds, times)
        return _own((values[name] for name in names), feeds.values())

    def _wanted(self, output_names: Sequence[str] | None) -> Sequence[str]:
        if not output_names:
            return self._output_names
        if isinstance(output_names, str):
            raise TypeError("run(output_names, ...) takes a list of names, not a string")
        for name in output_names:
            if name not in self._output_names:
                raise InvalidArgument(f"Invalid output name:{name}")
        return output_names


def _own(values: Iterable[Any], others: Iterable[Any]) -> list[Any]:
    """The values as arrays that are writable and share no memory with each other, nor with
    `others`.

    Kernels may give an input, a constant or a view.
    """
    taken = {id(other) for other in others}
    owned = []
    for value in values:
        if isinstance(value, np.ndarray):
            flags = value.flags
            if id(value) in taken or not (flags.owndata and flags.writeable):
                value = value.copy()
            taken.add(id(value))
        owned.append(value)
    return owned


def _terminates(options: RunOptions) -> bool:
    if not isinstance(options, RunOptions):
        raise TypeError(f"run_options should be a RunOptions, not {type(options).__name__}")
    return options.terminate


def _supports(resolved: Mapping[str, Any]) -> partition.Supports | None:
    names = list(resolved)
    if XNNPACK not in names or names.index(CPU) < names.index(XNNPACK):
        return None
    return xnnpack.supports


def _refuse_conflict(options: SessionOptions, providers: Sequence[Provider] | None) -> None:
    if options.config(NO_CPU_FALLBACK, "0") == "0" or providers is None:
        return
    if any(provider == CPU or provider[0] == CPU for provider in providers):
        raise InvalidArgument(
            "Conflicting session configuration: explicitly added the CPU EP to the session, but "
            "also disabled fallback to the CPU EP via session configuration options."
        )


def _refuse_cpu(options: SessionOptions, split: partition.Partition) -> None:
    """Refuses nodes on the CPU provider if the user does; shape arithmetic is no provider's work."""
    if options.config(NO_CPU_FALLBACK, "0") == "0":
        return
    segments = (segment for segment in split.segments if segment.provider == CPU)
    nodes = [node for segment in segments for node in segment.nodes if node not in split.planned]
    if nodes:
        raise Fail(
            "This session contains graph nodes that are assigned to the default CPU EP, but "
            "fallback to CPU EP has been explicitly disabled by the user. "
            + "; ".join(f"{node}: {split.reasons[node]}" for node in nodes[:5])
        )
