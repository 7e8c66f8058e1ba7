"""ttng: mbarriers. A wait that nothing can end any more is reported with the line."""

from __future__ import annotations

import numpy as np

from core.contracts.errors import TilescopeError
from core.contracts.text import tr
from core.interpreter.barriers import Barrier
from core.interpreter.body import Step
from core.interpreter.frame import Frame
from core.interpreter.ir import Operation
from core.interpreter.ops.gluon.predicates import where
from core.interpreter.ops.gluon.units import barrier_of, units_of
from core.interpreter.ops.registry import StepPlanner, step
from core.interpreter.stuck import endless, stopped
from core.interpreter.values import per_lane, to_integer
from core.trace.affine import IntArray
from core.trace.record import Fault


def number(operation: Operation, *names: str) -> int:
    """The integer of an operation: an attribute of one of these names, or the number among its operands."""
    for name in names:
        if name in operation.attributes:
            return int(operation.attributes[name])
    return next((int(word) for word in operation.attributes["words"] if isinstance(word, int)), 1)


@step("ttng.init_barrier")
def _init(operation: Operation, _planner: StepPlanner) -> Step:
    slot, count = operation.operands[0].slot, number(operation, "count")
    return lambda frame: barrier_of(frame.values[slot], frame).initialise(count)


@step("ttng.inval_barrier")
def _invalidate(operation: Operation, _planner: StepPlanner) -> Step:
    slot = operation.operands[0].slot
    return lambda frame: barrier_of(frame.values[slot], frame).invalidate()


@step("ttng.barrier_expect")
def _expect(operation: Operation, _planner: StepPlanner) -> Step:
    """An arrival that also announces bytes."""
    barrier, *rest = operation.operands
    size = number(operation, "size")

    def run(frame: Frame) -> None:
        target = ready(operation, frame, barrier.slot)
        target.expect(size)
        target.arrive(1)

    return where(rest[0] if rest else None, operation.operands, run)


@step("ttng.arrive_barrier")
def _arrive(operation: Operation, _planner: StepPlanner) -> Step:
    barrier, *rest = operation.operands
    count = number(operation, "count")

    def run(frame: Frame) -> None:
        ready(operation, frame, barrier.slot).arrive(count)

    return where(rest[0] if rest else None, operation.operands, run)


@step("ttng.wait_barrier")
def _wait(operation: Operation, _planner: StepPlanner) -> Step:
    barrier, phase, *rest = operation.operands
    predicate = next((value for value in rest if value.type.element == "i1" and not value.type.space), None)

    def run(frame: Frame) -> None:
        target = ready(operation, frame, barrier.slot)
        parity = per_lane(to_integer(frame.values[phase.slot]), frame.count)
        scheduler = units_of(frame).scheduler
        if not target.passes(parity).all():
            reason = _waiting(operation, frame, target, parity)
            if scheduler is None:
                raise stopped(frame.run, reason)
            scheduler.wait(lambda: bool(target.passes(parity).all()), reason)
        target.seen()

    return where(predicate, operation.operands, run)


def ready(operation: Operation, frame: Frame, slot: int) -> Barrier:
    """The barrier in a slot. Raises TilescopeError if nobody has initialised it."""
    barrier = barrier_of(frame.values[slot], frame)
    if not barrier.initialised.all():
        raise TilescopeError(
            tr(
                "{kernel} uses barrier {barrier} at {location}, which is not initialised there: call mbarrier.init "
                "before it, and mbarrier.invalidate after the last use.",
                kernel=frame.run.function,
                barrier=barrier.name,
                location=operation.location.label,
            )
        )
    return barrier


def _waiting(operation: Operation, frame: Frame, barrier: Barrier, parity: IntArray) -> Fault:
    lane = int(np.flatnonzero(~barrier.passes(parity))[0])
    arrivals, size, phase = barrier.state(lane)
    location = operation.location
    sentence = tr(
        "{kernel} waits forever at {location}: barrier {barrier} never completes phase {phase} in program "
        "{program}; {arrivals} arrivals and {bytes} bytes are missing.",
        kernel=frame.run.function,
        location=location.label,
        barrier=barrier.name,
        phase=phase,
        program=frame.describe_program(lane),
        arrivals=arrivals,
        bytes=size,
    )
    repair = tr("Check the phase, the count of arrivals and the bytes that are expected.")
    return endless(frame, lane, location, sentence, repair, str(phase))
