"""Memory of the engine that the plans of a subgraph share: packed weights and constant tensors."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

import numpy as np

from pyxnn.engine import Engine, EngineOperator
from pyxnn.xnnpack.steps import Step
from pyxnn.xnnpack.values import Kept, is_hollow

T = TypeVar("T")


def digest(array: np.ndarray) -> bytes:
    """The same for arrays of the same bytes only."""
    return hashlib.blake2b(
        np.ascontiguousarray(array).reshape(-1).view(np.uint8).data, digest_size=16
    ).digest()


class Shared(Generic[T]):
    """Things that are made when first asked for and disposed of when nobody holds them any more."""

    def __init__(self, dispose: Callable[[T], None]) -> None:
        self._dispose = dispose
        self._things: dict[Hashable, tuple[T, set[object]]] = {}

    def hold(self, key: Hashable, holder: object, make: Callable[[], T]) -> T:
        """The thing of a key, made if need be; `holder` holds it from now on."""
        if key not in self._things:
            self._things[key] = (make(), set())
        thing, holders = self._things[key]
        holders.add(holder)
        return thing

    def drop(self, holder: object) -> None:
        """Lets go of all that a holder holds."""
        for key, (thing, holders) in list(self._things.items()):
            holders.discard(holder)
            if not holders:
                del self._things[key]
                self._dispose(thing)

    def keep(self, holder: object) -> None:
        """Lets a holder hold all that anybody holds."""
        for _, holders in self._things.values():
            holders.add(holder)

    def __len__(self) -> int:
        return len(self._things)


class Resources:
    """What the plans of one subgraph share.

    It goes with the last plan that holds it, or is kept until `close`.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.operators: Shared[EngineOperator] = Shared(lambda operator: operator.close())
        self.constants: Shared[int] = Shared(engine.release)

    def operator(self, step: Step, holder: object) -> EngineOperator:
        """The engine's operator of a step, its weights packed."""

        def create() -> EngineOperator:
            assert step.kernel is None or not is_hollow(step.kernel), f"{step.key} was let go of"
            return self.engine.create_operator(step.kind, step.params, step.kernel, step.bias)

        return self.operators.hold((step.kind, step.params, step.key), holder, create)

    def constant(self, source: np.ndarray | Kept, holder: object) -> int:
        """The address of a constant tensor in the engine; arrays of the same bytes share it."""
        if isinstance(source, Kept):
            return self.constants.hold(source.key, self, lambda: self._upload(source.make()))
        data = np.ascontiguousarray(source)
        return self.constants.hold(digest(data), holder, lambda: self._upload(data))

    def _upload(self, array: np.ndarray) -> int:
        assert not is_hollow(array), "it was let go of"
        data = np.ascontiguousarray(array)
        address = self.engine.allocate(data.nbytes)
        self.engine.write(address, data)
        return address

    def keep_operators(self) -> None:
        """Keeps all operators that there are, so that nobody needs their weights any more."""
        self.operators.keep(self)

    def drop(self, holder: object) -> None:
        """Lets go of what a plan holds."""
        self.operators.drop(holder)
        self.constants.drop(holder)

    def close(self) -> None:
        """Lets go of what was kept."""
        self.drop(self)
