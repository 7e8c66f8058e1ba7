"""mbarriers: counters in shared memory that complete a phase when all arrivals and all expected bytes are there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from core.interpreter.scratchpad import Allocation, View
from core.trace.affine import IntArray
from core.trace.mask import BoolArray

_BYTES = 8
"""Of one mbarrier."""


class Barriers:
    """The mbarriers of one allocation: arrays [programs, barriers].

    `completed` counts phases, also those before the barrier was initialised anew, which `first` leaves out; `observed`
    is the number that somebody has seen complete. A copy that the barrier signals may be relied on from then on.
    """

    def __init__(self, allocation: Allocation) -> None:
        shape = (allocation.programs, allocation.data.shape[1] // _BYTES)
        self.count = np.zeros(shape, dtype=np.int64)
        self.missing = np.zeros(shape, dtype=np.int64)
        self.bytes = np.zeros(shape, dtype=np.int64)
        self.completed = np.zeros(shape, dtype=np.int64)
        self.first = np.zeros(shape, dtype=np.int64)
        self.observed = np.zeros(shape, dtype=np.int64)


@dataclass(frozen=True)
class Barrier:
    """One barrier for each lane: row and column in `of`."""

    of: Barriers
    rows: IntArray
    columns: IntArray
    name: str

    @property
    def _at(self) -> tuple[IntArray, IntArray]:
        return self.rows, self.columns

    def initialise(self, count: int) -> None:
        self.of.bytes[self._at] = 0
        self.of.first[self._at] = self.of.completed[self._at]
        self.of.count[self._at] = self.of.missing[self._at] = count

    def invalidate(self) -> None:
        self.of.count[self._at] = 0

    @property
    def initialised(self) -> BoolArray:
        return self.of.count[self._at] > 0

    def expect(self, size: int) -> None:
        """More bytes belong to the current phase."""
        self.of.bytes[self._at] += size

    def copied(self, size: IntArray | int) -> None:
        """A copy of that many bytes has ended."""
        self.of.bytes[self._at] -= size
        self._complete()

    def arrive(self, count: int) -> None:
        self.of.missing[self._at] -= count
        self._complete()

    def _complete(self) -> None:
        done = (self.of.missing[self._at] <= 0) & (self.of.bytes[self._at] == 0) & self.initialised
        at = self.rows[done], self.columns[done]
        self.of.completed[at] += 1
        self.of.missing[at] = self.of.count[at]

    @property
    def _phase(self) -> IntArray:
        """The current phase since the barrier was initialised."""
        phase: IntArray = self.of.completed[self._at] - self.of.first[self._at]
        return phase

    def passes(self, parity: IntArray) -> BoolArray:
        """Whether the phase of that parity is complete: the current one has the other."""
        return np.asarray((self._phase & 1) != (parity & 1))

    def seen(self) -> None:
        """Somebody waits no longer: what the completed phases stand for has happened."""
        self.of.observed[self._at] = self.of.completed[self._at]

    def ticket(self) -> Callable[[], BoolArray]:
        """True for each lane once somebody has seen the phase complete that is current now."""
        needed = self.of.completed[self._at] + 1
        return lambda: np.asarray(self.of.observed[self._at] >= needed)

    def state(self, lane: int) -> tuple[int, int, int]:
        """(arrivals that are missing, bytes that are missing, the current phase) of a lane."""
        at = self.rows[lane], self.columns[lane]
        return int(self.of.missing[at]), int(self.of.bytes[at]), int(self._phase[lane])


class BarrierTable:
    """The mbarriers of a launch, by allocation."""

    def __init__(self) -> None:
        self._known: dict[Allocation, Barriers] = {}

    def of(self, view: View, programs: IntArray) -> Barrier:
        barriers = self._known.get(view.allocation)
        if barriers is None:
            barriers = self._known[view.allocation] = Barriers(view.allocation)
        rows, bases = view.places(programs)
        return Barrier(barriers, rows, bases // _BYTES, view.allocation.name)
