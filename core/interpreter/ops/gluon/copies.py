"""ttg: cp.async, copies from global to shared memory in groups that are waited for."""

from __future__ import annotations

from core.interpreter.body import Step
from core.interpreter.frame import Frame
from core.interpreter.ir import Operation
from core.interpreter.ops.gluon.tiles import TileAccess
from core.interpreter.ops.gluon.units import barrier_of, issued, units_of, using
from core.interpreter.ops.registry import StepPlanner, step
from core.interpreter.scratchpad import View
from core.interpreter.values import to_predicate, to_torch


@step("ttg.async_copy_global_to_local")
def _copy(operation: Operation, planner: StepPlanner) -> Step:
    """Elements that the mask leaves out become `other`, or zero."""
    pointers, target, *rest = operation.operands
    mask = next((value for value in rest if value.type.element == "i1"), None)
    other = next((value for value in rest if value is not mask), None)
    tile = pointers.type.with_element(pointers.type.element)
    access = TileAccess(operation, pointers.type, planner)

    def run(frame: Frame) -> None:
        values = frame.values
        view: View = values[target.slot]
        units = units_of(frame)
        using(frame, "writes", view, operation.location)
        keep = True if mask is None else to_predicate(values[mask.slot])
        loaded = access.load(frame, values[pointers.slot], keep, 0 if other is None else values[other.slot])
        view.write(frame.programs, to_torch(loaded, tile))
        units.copies.open.append(issued(frame, "writes", view, operation.location))
        if operation.results:
            values[operation.result.slot] = 0

    return run


@step("ttg.async_commit_group")
def _commit(operation: Operation, _planner: StepPlanner) -> Step:
    def run(frame: Frame) -> None:
        units_of(frame).copies.commit()
        for result in operation.results:
            frame.values[result.slot] = 0

    return run


@step("ttg.async_wait")
def _wait(operation: Operation, _planner: StepPlanner) -> Step:
    left = int(operation.attributes["num"])

    def run(frame: Frame) -> None:
        units_of(frame).copies.wait(left)
        for result in operation.results:
            frame.values[result.slot] = 0

    return run


@step("ttng.async_copy_mbarrier_arrive")
def _arrive(operation: Operation, _planner: StepPlanner) -> Step:
    """The barrier is arrived at when all copies issued so far have ended; it may count that arrival in addition."""
    slot = operation.operands[0].slot
    counted = operation.attributes.get("noIncrement", False) is not False

    def run(frame: Frame) -> None:
        units = units_of(frame)
        barrier = barrier_of(frame.values[slot], frame)
        for pending in (*units.copies.open, *(p for group in units.copies.groups for p in group)):
            if len(pending.rows) == len(barrier.rows):
                pending.tickets.append(barrier.ticket())
        if counted:
            barrier.arrive(1)

    return run
