"""What a user may set: onnxruntime's options, as far as they mean something here.

Options that only tune onnxruntime's own insides (memory arenas, memory patterns, execution order)
may be set and do nothing. Those that promise something that pyxnn doesn't have raise when they are
set.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, ClassVar

from pyxnn.errors import InvalidArgument
from pyxnn.model import FreeDimensions

SPIN = "session.intra_op.allow_spinning"
NO_CPU_FALLBACK = "session.disable_cpu_ep_fallback"


class GraphOptimizationLevel(IntEnum):
    """How much of the graph is rewritten.

    `ORT_DISABLE_ALL` leaves what the providers can take as it is; all others are one.
    """

    ORT_DISABLE_ALL = 0
    ORT_ENABLE_BASIC = 1
    ORT_ENABLE_EXTENDED = 2
    ORT_ENABLE_LAYOUT = 3
    ORT_ENABLE_ALL = 99


class ExecutionMode(IntEnum):
    """How the graph's branches run: here one after the other, each on all threads."""

    ORT_SEQUENTIAL = 0
    ORT_PARALLEL = 1


class ExecutionOrder(IntEnum):
    """In which order nodes run; of no effect."""

    DEFAULT = 0
    PRIORITY_BASED = 1


class _Options:
    """Attributes with defaults, of which none can be added and each keeps its type."""

    _defaults: ClassVar[dict[str, Any]]

    def __init__(self) -> None:
        for name, value in self._defaults.items():
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in self._defaults:
            raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")
        expected = type(self._defaults[name])
        if not _fits(value, expected):
            raise TypeError(
                f"{type(self).__name__}.{name} takes {expected.__name__}, not {type(value).__name__}"
            )
        object.__setattr__(self, name, expected(value))


def _fits(value: Any, expected: type) -> bool:
    if expected in (bool, str):
        return isinstance(value, expected)
    return hasattr(value, "__index__")


class SessionOptions(_Options):
    """Settings of a session.

    With an effect:
        intra_op_num_threads: the most threads of one run, the caller among them; 0 for all there
            are.
        graph_optimization_level: see `GraphOptimizationLevel`.
        enable_profiling: raises; `InferenceSession.profile` times the steps of a run.
        add_session_config_entry("session.intra_op.allow_spinning", "0"): threads sleep rather than
        spin between the steps of a run. add_session_config_entry("session.disable_cpu_ep_fallback",
        "1"): a session that needs the CPU provider raises.
        add_free_dimension_override_by_name, add_free_dimension_override_by_denotation: fix symbolic
            extents.
    """

    intra_op_num_threads: int
    inter_op_num_threads: int
    graph_optimization_level: GraphOptimizationLevel
    execution_mode: ExecutionMode
    execution_order: ExecutionOrder
    enable_cpu_mem_arena: bool
    enable_mem_pattern: bool
    enable_mem_reuse: bool
    enable_profiling: bool
    log_severity_level: int
    log_verbosity_level: int
    logid: str
    optimized_model_filepath: str
    profile_file_prefix: str
    use_deterministic_compute: bool
    use_per_session_threads: bool

    _defaults: ClassVar[dict[str, Any]] = {
        "intra_op_num_threads": 0,
        "inter_op_num_threads": 0,
        "graph_optimization_level": GraphOptimizationLevel.ORT_ENABLE_ALL,
        "execution_mode": ExecutionMode.ORT_SEQUENTIAL,
        "execution_order": ExecutionOrder.DEFAULT,
        "enable_cpu_mem_arena": True,
        "enable_mem_pattern": True,
        "enable_mem_reuse": True,
        "enable_profiling": False,
        "log_severity_level": -1,
        "log_verbosity_level": 0,
        "logid": "",
        "optimized_model_filepath": "",
        "profile_file_prefix": "onnxruntime_profile_",
        "use_deterministic_compute": False,
        "use_per_session_threads": True,
    }
    _promises: ClassVar[dict[str, str]] = {
        "enable_profiling": "InferenceSession.profile(feeds) times the steps of a run",
        "optimized_model_filepath": "InferenceSession.placement shows the optimized graph",
    }

    def __init__(self) -> None:
        super().__init__()
        object.__setattr__(self, "_config", {})
        object.__setattr__(self, "_by_name", {})
        object.__setattr__(self, "_by_denotation", {})

    def __setattr__(self, name: str, value: Any) -> None:
        if value and name in self._promises:
            raise NotImplementedError(
                f"pyxnn does not support SessionOptions.{name}: {self._promises[name]}"
            )
        super().__setattr__(name, value)

    def add_session_config_entry(self, key: str, value: str) -> None:
        """Sets an entry by onnxruntime's key; keys unknown to pyxnn are kept and have no effect.

        Raises:
            TypeError: key or value is no string.
            InvalidArgument: the value is none that the key takes.
        """
        if not isinstance(key, str) or not isinstance(value, str):
            raise TypeError("add_session_config_entry(key, value) takes two strings")
        if key in (SPIN, NO_CPU_FALLBACK) and value not in ("0", "1"):
            raise InvalidArgument(f'Value of {key} should be "0" or "1", but got "{value}"')
        self._config[key] = value

    def get_session_config_entry(self, key: str) -> str:
        """The value set for a key.

        Raises:
            RuntimeError: none was.
        """
        if key not in self._config:
            raise RuntimeError(f"SessionOptions does not have configuration with key: {key}")
        return self._config[key]

    def add_free_dimension_override_by_name(self, name: str, extent: int) -> None:
        """Fixes the symbolic extent of that name."""
        self._by_name[name] = int(extent)

    def add_free_dimension_override_by_denotation(self, denotation: str, extent: int) -> None:
        """Fixes the extents of that denotation, such as "DATA_BATCH"."""
        self._by_denotation[denotation] = int(extent)

    def config(self, key: str, default: str) -> str:
        """The value set for a key, or a default."""
        return self._config.get(key, default)

    def free_dimensions(self) -> FreeDimensions:
        """The extents that were fixed."""
        return FreeDimensions(self._by_name, self._by_denotation)

    _config: dict[str, str]
    _by_name: dict[str, int]
    _by_denotation: dict[str, int]


class RunOptions(_Options):
    """Settings of one run.

    Only `terminate` has an effect: it makes the run raise `Fail` before it starts.
    """

    log_severity_level: int
    log_verbosity_level: int
    logid: str
    only_execute_path_to_fetches: bool
    terminate: bool

    _defaults: ClassVar[dict[str, Any]] = {
        "log_severity_level": -1,
        "log_verbosity_level": 0,
        "logid": "",
        "only_execute_path_to_fetches": False,
        "terminate": False,
    }

    def __init__(self) -> None:
        super().__init__()
        object.__setattr__(self, "_config", {})

    def add_run_config_entry(self, key: str, value: str) -> None:
        """Keeps an entry; none has an effect."""
        if not isinstance(key, str) or not isinstance(value, str):
            raise TypeError("add_run_config_entry(key, value) takes two strings")
        self._config[key] = value

    def get_run_config_entry(self, key: str) -> str:
        """The value set for a key.

        Raises:
            RuntimeError: none was.
        """
        if key not in self._config:
            raise RuntimeError(f"RunOptions does not have configuration with key: {key}")
        return self._config[key]

    _config: dict[str, str]
