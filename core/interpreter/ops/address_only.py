"""The operations of an addresses-only slice: accesses without data, and loads that addresses depend on."""

from __future__ import annotations

from dataclasses import replace

from core.interpreter.body import Step
from core.interpreter.frame import Frame
from core.interpreter.ir import Operation
from core.interpreter.ops.memory import record
from core.interpreter.ops.registry import StepPlanner, step
from core.interpreter.values import Pointer, to_predicate

ACCESS, CHECKED = "address_only.access", "address_only.checked"


@step(ACCESS)
def _access(operation: Operation, _planner: StepPlanner) -> Step:
    """Records an access; no data is read or written."""
    pointer_slot, *masks = (value.slot for value in operation.operands)
    dims = operation.operands[0].type.dims
    kind = operation.attributes["kind"]

    def run(frame: Frame) -> None:
        values = frame.values
        pointer: Pointer = values[pointer_slot]
        keep = to_predicate(values[masks[0]]) if masks else True
        keep = record(frame, operation, kind, pointer, keep, dims)
        if kind != "load" and keep is not False:
            frame.run.unwritten.add(frame.run.memories[pointer.buffer], pointer.offset, operation.location)

    return run


@step(CHECKED)
def _checked(operation: Operation, planner: StepPlanner) -> Step:
    """A load or an atomic whose value is needed. Raises if a store without data should have written the value."""
    execute = planner.step(replace(operation, name=operation.attributes["operation"]))
    pointer_slot = operation.operands[0].slot

    def run(frame: Frame) -> None:
        pointer: Pointer = frame.values[pointer_slot]
        frame.run.unwritten.check(frame.run.memories[pointer.buffer], pointer.offset, operation.location)
        execute(frame)

    return run
