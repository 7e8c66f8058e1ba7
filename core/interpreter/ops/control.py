"""scf: loops and branches, executed as on a GPU: lanes that have finished are left out.

A loop whose trip count differs per lane runs its lanes in the order of their trip counts, longest first. The active
lanes are then always a prefix, and dropping the others is a slice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from core.interpreter.body import Body, Step
from core.interpreter.frame import Frame
from core.interpreter.ir import Location, Operation, Value
from core.interpreter.ops.registry import StepPlanner, step
from core.interpreter.ops.scopes import Results, Scope, cut_all
from core.interpreter.ops.watching import watcher
from core.interpreter.stuck import no_step, stopped
from core.interpreter.values import per_lane, to_integer, to_predicate
from core.trace import affine
from core.trace.affine import Affine, IntArray, Integer


def trip_counts(low: Integer, high: Integer, step_: Integer, lanes: int) -> int | IntArray:
    """Iterations of `range(low, high, step)`: one number, or one per lane."""
    if not isinstance(step_, Affine) and step_ > 0:
        span = affine.subtract(high, low)
        if not isinstance(span, Affine):
            return max(0, -(-span // step_))
        trips: IntArray = np.maximum(-(-per_lane(span, lanes) // step_), 0)
    else:
        steps = np.maximum(per_lane(step_, lanes), 1)
        trips = np.maximum(-(-(per_lane(high, lanes) - per_lane(low, lanes)) // steps), 0)
    return int(trips[0]) if bool((trips == trips[0]).all()) else trips


Observe = Callable[[Frame, list[Any]], None]


@step("scf.for")
def _for(operation: Operation, planner: StepPlanner) -> Step:
    body = planner.body(operation.regions[0], hoist=True)
    low, high, stride, *initial = (value.slot for value in operation.operands)
    observe = watcher(operation)

    def run(frame: Frame) -> None:
        values = frame.values
        for hoisted in body.hoisted:
            hoisted(frame)
        start, step_ = to_integer(values[low]), to_integer(values[stride])
        if (step_.low if isinstance(step_, Affine) else step_) <= 0:
            _require_progress(operation, frame, start, to_integer(values[high]), step_)
        trips = trip_counts(start, to_integer(values[high]), step_, frame.count)
        carried = [values[slot] for slot in initial]
        outer = frame.iteration
        loop = _Loop(frame, body, start, step_, observe, operation.location)
        if isinstance(trips, int):
            for _ in range(trips):
                carried = loop.iterate(carried, trips)
            for result, value in zip(operation.results, carried, strict=True):
                values[result.slot] = value
        else:
            _run_ragged(loop, operation.results, trips, carried)
        frame.iteration = outer

    return run


def _require_progress(operation: Operation, frame: Frame, low: Integer, high: Integer, step_: Integer) -> None:
    """Raises NoProgress if the loop counts, but not towards its end."""
    lows, highs, steps = (per_lane(value, frame.count) for value in (low, high, step_))
    endless = (lows < highs) & (steps <= 0)
    if endless.any():
        lane = int(endless.argmax())
        numbers = (int(lows[lane]), int(highs[lane]), int(steps[lane]))
        raise stopped(frame.run, no_step(frame, lane, operation, numbers))


class _Loop:
    """One execution of an scf.for: counts iterations and runs the body."""

    def __init__(
        self, frame: Frame, body: Body, start: Integer, step_: Integer, observe: Observe | None, location: Location
    ) -> None:
        self.frame = frame
        self.body = body
        self.start = start
        self.step = step_
        self._observe = observe
        self._outer = frame.iteration
        self._count = 0
        self._location = location

    def iterate(self, carried: list[Any], longest: int) -> list[Any]:
        """One iteration of the frame's lanes; returns what the body yields."""
        frame, body = self.frame, self.body
        values = frame.values
        frame.iteration = (*self._outer, self._count)
        variable, *arguments = body.arguments
        values[variable] = affine.add(self.start, affine.scale(self.step, self._count))
        for slot, value in zip(arguments, carried, strict=True):
            values[slot] = value
        body.run(frame)
        self._count += 1
        yielded = [values[slot] for slot in body.results]
        if self._observe is not None:
            self._observe(frame, yielded)
        frame.run.diagnostics.place = self._location, frame
        frame.run.advance(self._count / longest if not self._outer else 0.0)
        return yielded


def _run_ragged(loop: _Loop, results: Sequence[Value], trips: IntArray, carried: list[Any]) -> None:
    """A loop whose lanes leave at different iterations."""
    frame = loop.frame
    lanes = np.arange(frame.count)
    scope = Scope(frame, loop.body.captured)
    finished = Results(results)
    bounds = (loop.start, loop.step)
    if bool((trips[1:] > trips[:-1]).any()):
        lanes = np.argsort(-trips, kind="stable")
        trips = trips[lanes]
        scope.select(lanes)
        carried = cut_all(carried, lanes, frame.run.device)
        loop.start, loop.step = cut_all(bounds, lanes, frame.run.device)
    for count in range(int(trips[0]) + 1):
        active = int(np.searchsorted(-trips, -count, side="left"))
        if active < frame.count:
            finished.add(lanes[active : frame.count], cut_all(carried, slice(active, frame.count), frame.run.device))
            carried = cut_all(carried, slice(0, active), frame.run.device)
            scope.narrow(active)
            loop.start, loop.step = cut_all((loop.start, loop.step), slice(0, active), frame.run.device)
        if active:
            carried = loop.iterate(carried, int(trips[0]))
    scope.restore()
    finished.assign(frame)


@step("scf.if")
def _if(operation: Operation, planner: StepPlanner) -> Step:
    bodies = [planner.body(region) for region in operation.regions]
    condition = operation.operands[0].slot

    def run(frame: Frame) -> None:
        taken = to_predicate(frame.values[condition])
        if isinstance(taken, bool):
            _run_branch(frame, operation, bodies, 0 if taken else 1)
            return
        where = np.broadcast_to(taken.array.reshape(-1), (frame.count,))
        if where.all() or not where.any():
            _run_branch(frame, operation, bodies, 0 if where.all() else 1)
            return
        finished = Results(operation.results)
        for body, lanes in zip(bodies, (np.flatnonzero(where), np.flatnonzero(~where)), strict=False):
            scope = Scope(frame, body.captured)
            scope.select(lanes)
            body.run(frame)
            finished.add(lanes, [frame.values[slot] for slot in body.results])
            scope.restore()
        if operation.results:
            finished.assign(frame)

    return run


def _run_branch(frame: Frame, operation: Operation, bodies: list[Body], branch: int) -> None:
    """All lanes take the same branch; an absent else does nothing."""
    if branch >= len(bodies):
        return
    bodies[branch].run(frame)
    for result, slot in zip(operation.results, bodies[branch].results, strict=True):
        frame.values[result.slot] = frame.values[slot]
