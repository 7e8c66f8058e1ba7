"""scf: loops and branches, executed as a GPU would: lanes that are done are left out.

A loop whose trip count differs by lane runs its lanes in the order of their trip counts, longest first, so that the
lanes still active are always a prefix, and dropping the others is a slice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from core.trace import affine
from core.trace.affine import Affine, IntArray, Integer
from core.trace.mask import Mask
from core.tracing.frame import Frame
from core.tracing.ir import Operation, Value
from core.tracing.ops.registry import Step, step
from core.tracing.ops.watching import watcher
from core.tracing.values import Lanes, cut, join, per_lane, to_integer, to_predicate

if TYPE_CHECKING:
    from core.tracing.plan import Body, Planner


def _cut_all(values: Sequence[Any], lanes: Lanes, device: torch.device) -> list[Any]:
    indices = None if isinstance(lanes, slice) else torch.from_numpy(lanes).to(device)
    return [cut(value, lanes, indices) for value in values]


class _Scope:
    """The lanes of a frame, narrowed for a while: `restore` brings back the lanes and the captured values."""

    def __init__(self, frame: Frame, captured: Sequence[int]) -> None:
        self._frame = frame
        self._captured = captured
        self._values = [frame.values[slot] for slot in captured]
        self._programs = frame.programs
        self._count = frame.count

    def select(self, lanes: Lanes) -> None:
        """Continue with these of the lanes that the frame had at first."""
        frame = self._frame
        self._assign(_cut_all(self._values, lanes, frame.run.device))
        frame.programs = self._programs[lanes]
        frame.count = len(frame.programs)

    def narrow(self, count: int) -> None:
        """Continue with the first `count` of the lanes that the frame has now."""
        frame = self._frame
        self._assign(_cut_all([frame.values[s] for s in self._captured], slice(0, count), frame.run.device))
        frame.narrow(count)

    def restore(self) -> None:
        self._assign(self._values)
        self._frame.programs = self._programs
        self._frame.count = self._count

    def _assign(self, values: Sequence[Any]) -> None:
        for slot, value in zip(self._captured, values, strict=True):
            self._frame.values[slot] = value


class _Results:
    """Values of lanes that have finished, group by group, to be put back into the order of the lanes."""

    def __init__(self, results: Sequence[Value]) -> None:
        self._results = results
        self._groups: list[tuple[IntArray, list[Any]]] = []

    def add(self, lanes: IntArray, values: list[Any]) -> None:
        """`values` of the lanes with these original indices."""
        if len(lanes):
            self._groups.append((lanes, values))

    def assign(self, frame: Frame) -> None:
        """Join the groups into the result slots of a frame that has its original lanes again."""
        order = np.concatenate([lanes for lanes, _ in self._groups])
        ordered = bool((order[1:] > order[:-1]).all())
        joined = [
            join([(len(lanes), values[i]) for lanes, values in self._groups], result.type)
            for i, result in enumerate(self._results)
        ]
        if not ordered:
            joined = _cut_all(joined, np.argsort(order), frame.run.device)
        for result, value in zip(self._results, joined, strict=True):
            frame.values[result.slot] = value


def trip_counts(low: Integer, high: Integer, step_: Integer, lanes: int) -> int | IntArray:
    """Iterations of `range(low, high, step)`: one number, or one a lane."""
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
def _for(operation: Operation, planner: Planner) -> Step:
    body = planner.body(operation.regions[0], hoist=True)
    low, high, stride, *initial = (value.slot for value in operation.operands)
    observe = watcher(operation)

    def run(frame: Frame) -> None:
        values = frame.values
        for hoisted in body.hoisted:
            hoisted(frame)
        start, step_ = to_integer(values[low]), to_integer(values[stride])
        trips = trip_counts(start, to_integer(values[high]), step_, frame.count)
        carried = [values[slot] for slot in initial]
        outer = frame.iteration
        loop = _Loop(frame, body, start, step_, observe)
        if isinstance(trips, int):
            for _ in range(trips):
                carried = loop.iterate(carried, trips)
            for result, value in zip(operation.results, carried, strict=True):
                values[result.slot] = value
        else:
            _run_ragged(loop, operation.results, trips, carried)
        frame.iteration = outer

    return run


class _Loop:
    """One execution of an scf.for: counts iterations and runs the body."""

    def __init__(self, frame: Frame, body: Body, start: Integer, step_: Integer, observe: Observe | None) -> None:
        self.frame = frame
        self.body = body
        self.start = start
        self.step = step_
        self._observe = observe
        self._outer = frame.iteration
        self._count = 0

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
        frame.run.advance(self._count / longest if not self._outer else 0.0)
        return yielded


def _run_ragged(loop: _Loop, results: Sequence[Value], trips: IntArray, carried: list[Any]) -> None:
    """A loop whose lanes leave at different iterations."""
    frame = loop.frame
    lanes = np.arange(frame.count)
    scope = _Scope(frame, loop.body.captured)
    finished = _Results(results)
    bounds = (loop.start, loop.step)
    if bool((trips[1:] > trips[:-1]).any()):
        lanes = np.argsort(-trips, kind="stable")
        trips = trips[lanes]
        scope.select(lanes)
        carried = _cut_all(carried, lanes, frame.run.device)
        loop.start, loop.step = _cut_all(bounds, lanes, frame.run.device)
    for count in range(int(trips[0]) + 1):
        active = int(np.searchsorted(-trips, -count, side="left"))
        if active < frame.count:
            finished.add(lanes[active : frame.count], _cut_all(carried, slice(active, frame.count), frame.run.device))
            carried = _cut_all(carried, slice(0, active), frame.run.device)
            scope.narrow(active)
            loop.start, loop.step = _cut_all((loop.start, loop.step), slice(0, active), frame.run.device)
        if active:
            carried = loop.iterate(carried, int(trips[0]))
    scope.restore()
    finished.assign(frame)


@step("scf.if")
def _if(operation: Operation, planner: Planner) -> Step:
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
        finished = _Results(operation.results)
        for body, lanes in zip(bodies, (np.flatnonzero(where), np.flatnonzero(~where)), strict=False):
            scope = _Scope(frame, body.captured)
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


@step("scf.while")
def _while(operation: Operation, planner: Planner) -> Step:
    before, after = (planner.body(region) for region in operation.regions)
    initial = [value.slot for value in operation.operands]
    captured = sorted({*before.captured, *after.captured})

    def run(frame: Frame) -> None:
        values, outer, count = frame.values, frame.iteration, 0
        carried = [values[slot] for slot in initial]
        scope, finished = _Scope(frame, captured), _Results(operation.results)
        lanes = np.arange(frame.count)
        while lanes.size:
            frame.iteration = (*outer, count)
            _run_with(frame, before, carried)
            going, *carried = (values[slot] for slot in before.results)
            where = _per_lane_bool(going, frame.count)
            if not where.all():
                stay, leave = np.flatnonzero(where), np.flatnonzero(~where)
                finished.add(lanes[leave], _cut_all(carried, leave, frame.run.device))
                carried = _cut_all(carried, stay, frame.run.device)
                lanes = lanes[stay]
                scope.select(lanes)
            if lanes.size:
                _run_with(frame, after, carried)
                carried = [values[slot] for slot in after.results]
            count += 1
            frame.run.advance(0.0)
        scope.restore()
        frame.iteration = outer
        if operation.results:
            finished.assign(frame)

    return run


def _run_with(frame: Frame, body: Body, arguments: Sequence[Any]) -> None:
    for slot, value in zip(body.arguments, arguments, strict=True):
        frame.values[slot] = value
    body.run(frame)


def _per_lane_bool(value: Any, lanes: int) -> np.ndarray[Any, np.dtype[np.bool_]]:
    predicate = to_predicate(value)
    if isinstance(predicate, Mask):
        return np.broadcast_to(predicate.array.reshape(-1), (lanes,))
    return np.full(lanes, predicate)
