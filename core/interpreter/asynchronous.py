"""What the hardware does beside the instructions: copies and products that are issued now and waited for later.

They are carried out when they are issued, so values are those of a program that waits for everything. What has not been
waited for is remembered, and a use of it before that is reported: on a GPU it would see any mixture of old and new.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np

from core.interpreter.barriers import BarrierTable
from core.interpreter.ir import Location
from core.interpreter.scratchpad import View
from core.trace.affine import IntArray
from core.trace.mask import BoolArray
from core.trace.record import Fault

Effect = Literal["writes", "reads"]


class Scheduler(Protocol):
    """Runs the partitions of a program in turns."""

    def wait(self, ready: Callable[[], bool], reason: Fault) -> None:
        """Let others run until `ready`. Raises Deadlock with the reasons of all if that cannot happen."""


class Pending:
    """One issued operation that `writes` or `reads` a view. `tickets` say for each lane whether it was waited for."""

    def __init__(self, effect: Effect, view: View, programs: IntArray, location: Location) -> None:
        self.effect = effect
        self.view = view
        self.location = location
        self.rows, self.starts = view.places(programs)
        self.tickets: list[Callable[[], BoolArray]] = []
        self._finished = np.zeros(len(self.rows), dtype=np.bool_)

    def finish(self) -> None:
        self._finished[:] = True

    @property
    def done(self) -> bool:
        for ticket in self.tickets:
            self._finished |= ticket()
        return bool(self._finished.all())

    def touches(self, view: View, rows: IntArray, starts: IntArray) -> bool:
        """True if the two share a byte of the same program."""
        if view.allocation is not self.view.allocation:
            return False
        _, mine, theirs = np.intersect1d(self.rows, rows, assume_unique=True, return_indices=True)
        mine, theirs = mine[~self._finished[mine]], theirs[~self._finished[mine]]
        apart = starts[theirs] - self.starts[mine]
        near = apart[(apart < self.view.extent) & (-apart < view.extent)]
        if not len(near):
            return False
        if (view.shape, view.strides) == (self.view.shape, self.view.strides) and not near.all():
            return True
        return any(_overlap(self.view, view, int(distance)) for distance in np.unique(near))


def _overlap(first: View, second: View, distance: int) -> bool:
    """True if a byte belongs to both, where the second starts `distance` bytes after the first."""
    return bool(len(np.intersect1d(_bytes(first), _bytes(second) + distance)))


def _bytes(view: View) -> IntArray:
    places = np.zeros(1, dtype=np.int64)
    for n, stride in zip((*view.shape, view.element_bytes), (*view.strides, 1), strict=True):
        places = (places[:, None] + np.arange(n) * stride).reshape(-1)
    return places


@dataclass
class Queue:
    """Operations in the order of issue, in groups: `wait(n)` leaves the last n."""

    groups: list[list[Pending]] = field(default_factory=list)
    open: list[Pending] = field(default_factory=list)

    def commit(self) -> None:
        self.groups.append(self.open)
        self.open = []

    def wait(self, left: int) -> None:
        while len(self.groups) > left:
            for pending in self.groups.pop(0):
                pending.finish()


@dataclass
class Shared:
    """Of all partitions of the programs that run together."""

    barriers: BarrierTable = field(default_factory=BarrierTable)
    pending: list[Pending] = field(default_factory=list)
    reported: set[tuple[Location, Location]] = field(default_factory=set)


@dataclass
class Units:
    """The asynchronous units as one partition sees them; groups are counted by the threads that issue them."""

    shared: Shared = field(default_factory=Shared)
    copies: Queue = field(default_factory=Queue)
    tma_stores: Queue = field(default_factory=Queue)
    products: Queue = field(default_factory=Queue)
    uncommitted: list[Pending] = field(default_factory=list)
    scheduler: Scheduler | None = None

    def issue(self, effect: Effect, view: View, programs: IntArray, location: Location) -> Pending:
        pending = Pending(effect, view, programs, location)
        self.shared.pending.append(pending)
        return pending

    def conflicts(self, effect: Effect, view: View, programs: IntArray, location: Location) -> list[Pending]:
        """What has not been waited for and may still change what a view shows, or need it. Each pair of lines once."""
        if not self.shared.pending:
            return []
        open_ = self.shared.pending = [pending for pending in self.shared.pending if not pending.done]
        if not open_:
            return []
        rows, starts = view.places(programs)
        found = []
        for pending in open_:
            place = (pending.location, location)
            if pending.effect == effect or place in self.shared.reported:
                continue
            if pending.touches(view, rows, starts):
                self.shared.reported.add(place)
                found.append(pending)
        return found
