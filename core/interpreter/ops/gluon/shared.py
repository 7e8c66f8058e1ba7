"""ttg: shared memory that a program allocates, loads and stores."""

from __future__ import annotations

from core.interpreter.body import Step
from core.interpreter.frame import Frame
from core.interpreter.ir import Operation
from core.interpreter.ops.gluon.units import using
from core.interpreter.ops.registry import StepPlanner, step
from core.interpreter.scratchpad import View, allocate
from core.interpreter.values import to_torch


@step("ttg.local_alloc")
def _alloc(operation: Operation, _planner: StepPlanner) -> Step:
    """New memory, at once with the value of the operand if there is one."""
    result = operation.result
    source = operation.operands[0] if operation.operands else None

    def run(frame: Frame) -> None:
        view = allocate(result.name, result.type, operation.location, frame.programs)
        if source is not None:
            view.write(frame.programs, to_torch(frame.values[source.slot], source.type))
        frame.values[result.slot] = view

    return run


@step("ttg.local_dealloc")
def _dealloc(operation: Operation, _planner: StepPlanner) -> Step:
    """Memory ends with the chunk of programs."""
    return lambda frame: None


@step("ttg.local_load")
def _load(operation: Operation, _planner: StepPlanner) -> Step:
    slot, result = operation.operands[0].slot, operation.result.slot

    def run(frame: Frame) -> None:
        view: View = frame.values[slot]
        using(frame, "reads", view, operation.location)
        frame.values[result] = view.read(frame.programs)

    return run


@step("ttg.local_store")
def _store(operation: Operation, _planner: StepPlanner) -> Step:
    value, target = operation.operands

    def run(frame: Frame) -> None:
        view: View = frame.values[target.slot]
        using(frame, "writes", view, operation.location)
        view.write(frame.programs, to_torch(frame.values[value.slot], value.type))

    return run
