"""What planning finds out, and from what, so that the next plan finds out anew only what its shapes change."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

import numpy as np

from pyxnn.xnnpack.steps import Step
from pyxnn.xnnpack.values import Buffer, Value

_SMALL = 64
"""So many elements are compared sooner than what follows from them is found out."""


class Deduction:
    """What was found out in one go.

    Attributes:
        premises: the facts that were asked for, None where there was none.
        conclusions: the facts that were told.
        steps: that were laid down.
        buffers: that these write to, in the sequence in which they were asked for.
        is_lasting: whether it may be recalled.
    """

    __slots__ = ("buffers", "conclusions", "is_lasting", "premises", "steps")

    def __init__(self) -> None:
        self.premises: dict[Hashable, object] = {}
        self.conclusions: dict[Hashable, object] = {}
        self.steps: list[Step] = []
        self.buffers: list[Buffer] = []
        self.is_lasting = True


Deductions = dict[Hashable, Deduction]
"""By their subjects."""


class Facts:
    """What is known while a plan grows, and what led to it in the plans before.

    A deduction (as a rule, the lowering of a node) depends on nothing but the facts that it asks for. Where these are the same
    objects as before, so are its steps and the facts that it tells. Where they aren't, what it tells is the same object again
    if it looks the same, so that what follows from it stays.

    Attributes:
        steps: those of the plan so far.
    """

    def __init__(self, deductions: Deductions) -> None:
        """Nothing is known yet; `deductions` are those of earlier plans, and become this one's."""
        self.steps: list[Step] = []
        self._facts: dict[Hashable, object] = {}
        self._deductions = deductions
        self._before = self._now = Deduction()

    def recall(self, subject: Hashable) -> bool:
        """Takes over what was found out about a subject in an earlier plan; False where that isn't known to hold."""
        before = self._deductions.get(subject)
        if before is None or not before.is_lasting:
            return False
        facts = self._facts
        for key, fact in before.premises.items():
            if facts.get(key) is not fact:
                return False
        facts.update(before.conclusions)
        self.steps += before.steps
        return True

    def deduce(self, subject: Hashable, find: Callable[[], None]) -> None:
        """Lets `find` ask for facts, tell facts and lay down steps; it may be recalled in later plans."""
        self._before = self._deductions.get(subject) or Deduction()
        self._now = now = Deduction()
        find()
        if not now.is_lasting:
            now.steps = []
        self._deductions[subject] = now

    def pass_over(self) -> None:
        """Says that what is found out now must be found out again in the next plan, as when its steps hold weights."""
        self._now.is_lasting = False

    def known(self, key: Hashable) -> Any:
        """A fact, for others than deductions."""
        return self._facts[key]

    def ask(self, key: Hashable) -> Any:
        """A fact, None where there is none."""
        fact = self._facts.get(key)
        if key not in self._now.conclusions:
            self._now.premises.setdefault(key, fact)
        return fact

    def tell(self, key: Hashable, fact: object) -> None:
        """Adds a fact."""
        before = self._before.conclusions.get(key)
        if _looks_the_same(fact, before):
            fact = before
        self._facts[key] = self._now.conclusions[key] = fact

    def lay(self, step: Step) -> None:
        """Adds a step."""
        self.steps.append(step)
        self._now.steps.append(step)

    def buffer(self, nbytes: int) -> Buffer:
        """A buffer for a step to write; where an earlier plan had one in its place, the same."""
        place = len(self._now.buffers)
        before = self._before.buffers[place : place + 1]
        buffer = before[0] if before and before[0].nbytes == nbytes else Buffer(nbytes)
        self._now.buffers.append(buffer)
        return buffer


def _looks_the_same(a: object, b: object) -> bool:
    """Whether two facts are quickly seen to be equal: tensors at one place, arrays of the same few bits."""
    if isinstance(a, Value) and isinstance(b, Value):
        return (
            a.source is b.source
            and a.shape == b.shape
            and a.order == b.order
            and a.offset == b.offset
            and a.dtype == b.dtype
        )
    return (
        isinstance(a, np.ndarray)
        and isinstance(b, np.ndarray)
        and a.shape == b.shape
        and a.dtype == b.dtype
        and a.size <= _SMALL
        and a.tobytes() == b.tobytes()
    )
