"""Programs that spin on a lock or a flag are parked, while the programs that hold it go on.

A loop that only asks until another program gives way (`while tl.atomic_cas(lock, 0, 1) == 1: pass`) splits a kernel in
two. All programs run the first part at once. Then all ask; those that are let through run the second part, and the
others ask again after them. An attempt that fails is no access of the trace: on a GPU their number depends on timing.
This is one of the orders that a GPU may choose, and each lock is passed on in the order of the program ids.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from core.interpreter.body import Body
from core.interpreter.changes import Changes
from core.interpreter.frame import Frame
from core.interpreter.ir import Operation
from core.interpreter.ops.registry import PURE
from core.interpreter.ops.scopes import per_lane_bool
from core.interpreter.plan import Plan
from core.interpreter.planner import Planner
from core.interpreter.serial import waits
from core.interpreter.stuck import stopped, waits_forever
from core.interpreter.values import cut
from core.interpreter.waiting import Waiting, part_of
from core.trace.affine import IntArray
from core.trace.mask import BoolArray
from core.trace.record import Access


@dataclass(frozen=True)
class Segment:
    """A part of a kernel: `body` runs for all lanes at once, then each lane spins in `attempt` (None at the end)."""

    body: Body
    attempt: Body | None = None
    spin: Operation | None = None


@lru_cache(maxsize=256)
def segments(plan: Plan) -> tuple[Segment, ...] | None:
    """The parts of a kernel whose every wait is a plain spin between its outermost operations; None otherwise."""
    operations = plan.function.body.operations[:-1]
    waiting = waits(plan.function)
    spins = [index for index, operation in enumerate(operations) if operation in waiting and _is_spin(operation)]
    if not spins or len(waiting) != len(spins):
        return None
    parts, first = [], 0
    for index in spins:
        body = replace(plan.body, steps=plan.body.steps[first:index])
        parts.append(Segment(body, Planner().body(operations[index].regions[0]), operations[index]))
        first = index + 1
    return (*parts, Segment(replace(plan.body, steps=plan.body.steps[first:])))


def _is_spin(operation: Operation) -> bool:
    """True for a loop that waits and asks one question of memory, and does nothing else."""
    if operation.name != "scf.while" or operation.operands or operation.results:
        return False
    before, after = operation.regions
    asked = [each for each in before.operations[:-1] if each.name not in PURE]
    return len(asked) == 1 and not asked[0].regions and len(after.operations) == 1


@dataclass
class _Parked:
    frame: Frame
    segment: int


class Parking:
    """The programs of a launch that wait, each in front of the loop that it spins in."""

    def __init__(self, parts: Sequence[Segment], changes: Changes) -> None:
        self._parts = parts
        self._changes = changes
        self._parked: list[_Parked] = []

    def start(self, frame: Frame) -> None:
        """Run a chunk of programs as far as it gets, and whatever it lets through."""
        self._run(frame, 0)
        while self._ask_all():
            pass

    def finish(self) -> None:
        """Raises NoProgress if programs still wait."""
        if self._parked:
            waiting = sorted(self._waiting(), key=lambda each: each.program)
            raise stopped(waiting[0].frame.run, waits_forever(waiting))

    def _waiting(self) -> Iterator[Waiting]:
        for parked in self._parked:
            part = self._parts[parked.segment]
            assert part.spin is not None
            assert part.attempt is not None
            for lane in range(parked.frame.count):
                yield Waiting(parked.frame, lane, part.spin, part.attempt, None, ())

    def _run(self, frame: Frame, segment: int) -> None:
        frame.iteration = ()
        self._parts[segment].body.run(frame)
        if self._parts[segment].attempt is not None:
            self._parked.append(_Parked(frame, segment))

    def _ask_all(self) -> bool:
        """Each group that waits asks once. True if any lane was let through, or if asking changed anything."""
        asking, self._parked = self._parked, []
        passed = False
        before = self._changes.count
        for parked in asking:
            leaving = self._ask(parked)
            if not leaving.all():
                self._parked.append(_Parked(part_of(parked.frame, np.flatnonzero(~leaving)), parked.segment))
            if leaving.any():
                passed = True
                lanes = slice(None) if leaving.all() else np.flatnonzero(leaving)
                self._run(part_of(parked.frame, lanes), parked.segment + 1)
            spin = self._parts[parked.segment].spin
            if spin is not None:
                parked.frame.run.diagnostics.place = spin.location, parked.frame
            parked.frame.run.advance(0.0)
        return passed or self._changes.count != before

    def _ask(self, parked: _Parked) -> BoolArray:
        """One attempt of all lanes; which of them it lets through. Only their accesses stay."""
        frame, attempt = parked.frame, self._parts[parked.segment].attempt
        assert attempt is not None
        accesses = frame.run.accesses
        recorded = len(accesses)
        frame.iteration = (0,)
        attempt.run(frame)
        leaving = ~per_lane_bool(frame.values[attempt.results[0]], frame.count)
        if not leaving.all():
            lanes = np.flatnonzero(leaving)
            accesses[recorded:] = [_of_lanes(access, lanes) for access in accesses[recorded:]] if len(lanes) else []
        return leaving


def _of_lanes(access: Access, lanes: IntArray) -> Access:
    return replace(
        access,
        programs=access.programs[lanes],
        offset=cut(access.offset, lanes),
        mask=cut(access.mask, lanes),
    )
