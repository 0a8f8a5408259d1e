"""The engine's objects in Python: operators, plans and memory of the WebAssembly side.

Nothing here knows ONNX; :mod:`pyxnn.xnnpack` lowers graphs onto it. Every object holds memory of the engine until it is
closed.
"""

import struct
import weakref
from collections.abc import Callable, Collection, Sequence

import numpy as np

from pyxnn import errors
from pyxnn.engine.abi import Kind, Ref, Status
from pyxnn.engine.host import Host

_ERROR_CLASSES = {
    Status.OUT_OF_MEMORY: errors.RuntimeException,
    Status.INVALID_ARGUMENT: errors.Fail,
    Status.UNSUPPORTED: errors.NotImplemented,
    Status.WORKER_LOST: errors.RuntimeException,
    Status.FAILED: errors.RuntimeException,
}
_SCRATCH_SIZE = 4096
_MESSAGE_SIZE = 512
_WORD = 0xFFFFFFFF


def _packed(words: Sequence[int]) -> np.ndarray:
    """Integers as the engine takes them, negative ones in two's complement."""
    return np.array(words, np.int64).astype(np.uint32)


def _float_bits(number: float) -> int:
    return int.from_bytes(struct.pack("<f", number), "little")


class InvalidInput(Exception):  # noqa: N818
    """A run met a tensor whose content a step can't take, such as an index outside its table.

    Attributes:
        step: the step's place in its plan.
    """

    def __init__(self, step: int, message: str) -> None:
        super().__init__(message)
        self.step = step


class _Handle:
    """An address of the engine that is freed once: by ``close`` or when the object is collected."""

    def __init__(self, address: int, free: Callable[[int], object]) -> None:
        self.address = address
        self._finalizer = weakref.finalize(self, free, address)

    def close(self) -> None:
        """Free the engine's side; safe to call again."""
        self._finalizer()


class EngineOperator(_Handle):
    """An operator's attributes and packed weights; plans that use it keep them alive."""


EngineStep = tuple[EngineOperator, Sequence[int], Sequence[Ref]]
"""An operator; its dims and tensors as ``pyxnn.h`` lists them for its kind."""


class EnginePlan(_Handle):
    """The steps of one subgraph for one signature of input shapes."""

    def __init__(self, engine: "Engine", address: int, num_steps: int) -> None:
        super().__init__(address, lambda plan: engine.call("pyxnn_plan_free", plan))
        self._engine = engine
        self._host_call = engine.host.call
        self.num_steps = num_steps

    def reshape(self, num_threads: int) -> int:
        """Fix the shapes of all steps for ``num_threads``; return the workspace's size in bytes."""
        out = self._engine.scratch
        self._engine.check("pyxnn_plan_reshape", self.address, num_threads, out)
        return self._engine.read_word(out)

    def bind(self, arena: int, workspace: int) -> None:
        """Tie all steps to the arena and the workspace at these addresses."""
        self._engine.check("pyxnn_plan_bind", self.address, arena, workspace)

    def run(self, num_threads: int, spin: bool) -> bool:
        """Run all steps; False when a worker was lost on the way and the result is incomplete.

        Raises:
            InvalidInput: the content of a tensor won't do; the plan can be run again with others.
        """
        status = self._host_call("pyxnn_plan_run", self.address, num_threads, spin)
        return status == 0 or self._engine.survived(status, self)

    def profile(self, num_threads: int, spin: bool) -> list[float] | None:
        """Run all steps and return the milliseconds of each; None when a worker was lost."""
        engine = self._engine
        times = np.empty(self.num_steps, np.float64)
        address = engine.allocate(times.nbytes)
        try:
            status = self._host_call("pyxnn_plan_profile", self.address, num_threads, spin, address)
            if status != 0 and not engine.survived(status, self):
                return None
            engine.read(address, times)
        finally:
            engine.release(address)
        return times.tolist()


class Engine:
    """One WebAssembly instance of the engine and its memory."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.scratch = self.allocate(_SCRATCH_SIZE)

    @property
    def binary(self) -> str:
        """Name of the binary in use, for instance ``"relaxed-threads"``."""
        return self.host.binary

    @property
    def max_threads(self) -> int:
        """The most threads that can ever take part in a run, the caller among them."""
        return self.host.max_threads

    def threads_ready(self) -> int:
        """How many threads would take part in a run now."""
        return self.call("pyxnn_pool_threads_ready")

    def create_operator(
        self,
        kind: Kind,
        params: Sequence[int | float],
        kernel: np.ndarray | None = None,
        bias: np.ndarray | None = None,
    ) -> EngineOperator:
        """Create an operator and pack its weights.

        Args:
            kind: the operator's kind.
            params: its parameter words; a Python float becomes the bits of a float32.
            kernel: weights of the type and in the layout that ``pyxnn.h`` names for the kind.
            bias: likewise.

        Raises:
            NotImplemented: XNNPACK has no kernel for it.
            Fail: a parameter is out of range.
            RuntimeException: out of memory.
        """
        bits = [_float_bits(word) if isinstance(word, float) else word for word in params]
        kernel_address = self._copy_in(kernel)
        bias_address = 0
        try:
            bias_address = self._copy_in(bias)
            words = self.scratch
            self.write(words, _packed(bits))
            out = words + 4 * len(params)
            self.check(
                "pyxnn_operator_create",
                kind,
                words,
                len(params),
                kernel_address,
                bias_address,
                out,
            )
            address = self.read_word(out)
        finally:
            self.release(kernel_address)
            self.release(bias_address)
        return EngineOperator(address, lambda op: self.call("pyxnn_operator_free", op))

    def create_plan(self, steps: Collection[EngineStep]) -> EnginePlan:
        """Create a plan of steps in the order in which they run.

        Raises:
            Fail: a step has too many tensors, or too few.
            RuntimeException: out of memory.
        """
        words: list[int] = []
        for op, dims, refs in steps:
            words += (op.address, len(dims), *dims, len(refs))
            for ref in refs:
                words += ref
        address = self._copy_in(_packed(words))
        try:
            self.check("pyxnn_plan_create", address, len(words), len(steps), self.scratch)
        finally:
            self.release(address)
        return EnginePlan(self, self.read_word(self.scratch), len(steps))

    def allocate(self, nbytes: int) -> int:
        """Return the address of ``nbytes`` of uninitialised memory, aligned to 64.

        Raises:
            RuntimeException: the memory could not grow.
        """
        address = self.call("pyxnn_allocate", nbytes) if nbytes < 1 << 32 else 0
        if address == 0:
            raise errors.RuntimeException(
                f"out of memory: the engine could not allocate {nbytes} bytes "
                f"on top of the {self.memory_used()} in use"
            )
        return address

    def release(self, address: int) -> None:
        """Free what ``allocate`` returned; 0 is allowed."""
        self.call("pyxnn_release", address)

    def write(self, address: int, array: np.ndarray) -> None:
        """Copy a C-contiguous array into the engine's memory."""
        self.host.write(address, array)

    def read(self, address: int, out: np.ndarray) -> None:
        """Fill the C-contiguous array ``out`` from the engine's memory."""
        self.host.read(address, out)

    def memory_used(self) -> int:
        """Bytes in use: packed weights, arenas, plans, everything."""
        return self.call("pyxnn_memory_used")

    def memory_peak(self, reset: bool = False) -> int:
        """The highest ``memory_used`` so far, or since the last call with ``reset``."""
        return self.call("pyxnn_memory_peak", reset)

    def call(self, function: str, *args: int) -> int:
        """Call an export that returns no status; return its result, unsigned."""
        return self.host.call(function, *args) & _WORD

    def check(self, function: str, *args: int) -> None:
        """Call an export that returns a status; raise onnxruntime's class for a failure."""
        status = self.host.call(function, *args)
        if status != 0:
            raise _ERROR_CLASSES[Status(status)](self._error_message())

    def survived(self, status: int, plan: EnginePlan) -> bool:
        """Deal with a run's failure: False when another run can go on without a lost worker, else raise."""
        if status == Status.WORKER_LOST:
            return False
        if status == Status.INVALID_INPUT:
            step = self.call("pyxnn_plan_failed_step", plan.address)
            raise InvalidInput(step, self._error_message())
        raise _ERROR_CLASSES[Status(status)](self._error_message())

    def read_word(self, address: int) -> int:
        """Return the uint32 at ``address``."""
        word = np.empty(1, np.uint32)
        self.host.read(address, word)
        return int(word[0])

    def _copy_in(self, array: np.ndarray | None) -> int:
        """Copy weights into the engine; return their address, 0 for None."""
        if array is None:
            return 0
        contiguous = np.ascontiguousarray(array)
        address = self.allocate(contiguous.nbytes)
        self.host.write(address, contiguous)
        return address

    def _error_message(self) -> str:
        text = np.empty(_MESSAGE_SIZE, np.uint8)
        self.host.read(self.call("pyxnn_error_message"), text)
        return text.tobytes().split(b"\0", 1)[0].decode()
