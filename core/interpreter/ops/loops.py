"""scf.while, and loops that never end: an iteration that begins as an earlier one did, and finds the same memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from core.interpreter.body import Body, Step
from core.interpreter.changes import addresses_of
from core.interpreter.counting import Counter, counter_of
from core.interpreter.deciding import deciding
from core.interpreter.frame import Frame, Run
from core.interpreter.ir import Operation
from core.interpreter.ops.registry import StepPlanner, step
from core.interpreter.ops.scopes import Results, Scope, cut_all, per_lane_bool, run_with
from core.interpreter.repeats import Repeats
from core.interpreter.stuck import counts_past, never_ends, stopped
from core.interpreter.values import per_lane, to_integer
from core.interpreter.waiting import Waiting


@step("scf.while")
def _while(operation: Operation, planner: StepPlanner) -> Step:
    before, after = (planner.body(region) for region in operation.regions)
    initial = [value.slot for value in operation.operands]
    captured = sorted({*before.captured, *after.captured})
    counter = counter_of(operation)

    def run(frame: Frame) -> None:
        values, outer, count = frame.values, frame.iteration, 0
        carried = [values[slot] for slot in initial]
        scope, finished = Scope(frame, captured), Results(operation.results)
        lanes = np.arange(frame.count)
        if counter is not None:
            _require_end(operation, counter, frame, carried[counter.argument])
        watch = _Watch(operation, frame, (before, after), carried)
        while lanes.size:
            frame.iteration = (*outer, count)
            run_with(frame, before, carried)
            going, *carried = (values[slot] for slot in before.results)
            where = per_lane_bool(going, frame.count)
            if not where.all():
                stay, leave = np.flatnonzero(where), np.flatnonzero(~where)
                finished.add(lanes[leave], cut_all(carried, leave, frame.run.device))
                carried = cut_all(carried, stay, frame.run.device)
                lanes = lanes[stay]
                scope.select(lanes)
                watch.cut(stay)
            if lanes.size:
                run_with(frame, after, carried)
                carried = [values[slot] for slot in after.results]
                count = watch.look(carried, count + 1)
            frame.run.diagnostics.place = operation.location, frame
            frame.run.advance(0.0)
        scope.restore()
        frame.iteration = outer
        if operation.results:
            finished.assign(frame)

    return run


def _require_end(loop: Operation, counter: Counter, frame: Frame, first: Any) -> None:
    """Raises NoProgress if a lane counts away from its end, or past it."""
    values = (first, frame.values[counter.bound.slot], frame.values[counter.step.slot])
    start, bound, step = (per_lane(to_integer(value), frame.count) for value in values)
    missed = counter.misses(start, bound, counter.sign * step)
    if missed.any():
        lane = int(missed.argmax())
        numbers = (int(start[lane]), int(bound[lane]), counter.sign * int(step[lane]))
        raise stopped(frame.run, counts_past(frame, lane, loop, counter, numbers))


class _Watch:
    """Looks at the lanes of one execution of a loop, after each iteration."""

    def __init__(self, loop: Operation, frame: Frame, bodies: tuple[Body, Body], carried: Sequence[Any]) -> None:
        self._loop = loop
        self._frame = frame
        self._bodies = bodies
        self._decides = deciding(loop)
        self._repeats = Repeats([carried[i] for i in self._decides.arguments])
        self._remember()

    def _remember(self) -> None:
        run = self._frame.run
        self._changes = _changes(run)
        self._recorded, self._size, self._order = len(run.accesses), run.size.mark(), self._frame.order

    def cut(self, lanes: Any) -> None:
        """Go on with some of the lanes."""
        self._repeats.cut(lanes, self._frame.run.device)

    def look(self, carried: Sequence[Any], count: int) -> int:
        """Iteration `count` is about to begin with these values. Returns its number, after a wait the old one.

        Raises NoProgress if a lane would repeat itself for ever.
        """
        run, units, decides = self._frame.run, self._frame.units, self._decides
        turns = run.turns if units is None or units.scheduler is None else None
        if not decides.is_known:
            if turns is not None:
                turns.give_way()
            return count
        earlier = self._repeats.iteration
        state = [carried[i] for i in decides.arguments]
        same = self._repeats.look(state, count, self._frame.count)
        others_may_help = run.changes is not None and bool(decides.reads)
        if same is None or (others_may_help and self._changes != _changes(run)):
            if same is not None:
                self._repeats = Repeats(state, count)
            if self._repeats.iteration == count:
                self._remember()
            return count
        waiting = Waiting(self._frame, int(same.argmax()), self._loop, *self._bodies, carried)
        if not others_may_help:
            raise stopped(run, never_ends(waiting, count, earlier))
        if turns is None:
            return count
        # A failed attempt is no access: how many there are depends on timing.
        asked = run.accesses[self._recorded :]
        del run.accesses[self._recorded :]
        run.size.drop(self._size)
        self._frame.order = self._order
        turns.wait(waiting, addresses_of(asked, run.memories))
        self._repeats = Repeats(state, earlier)
        self._remember()
        return earlier


def _changes(run: Run) -> int:
    return 0 if run.changes is None else run.changes.count
