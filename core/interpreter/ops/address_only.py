"""The operations of an addresses-only slice: accesses without data, and loads that addresses depend on."""

from __future__ import annotations

from dataclasses import replace

from core.interpreter.body import Step
from core.interpreter.frame import Frame
from core.interpreter.ir import Operation
from core.interpreter.ops.memory import record
from core.interpreter.ops.registry import StepPlanner, step
from core.interpreter.ops.several_tensors import parts
from core.interpreter.values import to_predicate

ACCESS, CHECKED = "address_only.access", "address_only.checked"


@step(ACCESS)
def _access(operation: Operation, _planner: StepPlanner) -> Step:
    """Records an access; no data is read or written."""
    pointer_slot, *masks = (value.slot for value in operation.operands)
    dims = operation.operands[0].type.dims
    kind, width = operation.attributes["kind"], operation.operands[0].type.element_bytes

    def run(frame: Frame) -> None:
        values = frame.values
        keep = to_predicate(values[masks[0]]) if masks else True
        for part in parts(frame, values[pointer_slot], keep):
            touched = record(part.frame, operation, kind, part.pointer, part.keep, dims)
            if kind != "load" and touched is not False:
                memory = frame.run.memory(part.pointer.buffer, width)  # type: ignore[arg-type]
                frame.run.unwritten.add(memory, part.pointer.offset, operation.location)

    return run


@step(CHECKED)
def _checked(operation: Operation, planner: StepPlanner) -> Step:
    """A load or an atomic whose value is needed. Raises if a store without data should have written the value."""
    execute = planner.step(replace(operation, name=operation.attributes["operation"]))
    pointer_slot, width = operation.operands[0].slot, operation.operands[0].type.element_bytes

    def run(frame: Frame) -> None:
        for part in parts(frame, frame.values[pointer_slot], True):
            memory = frame.run.memory(part.pointer.buffer, width)  # type: ignore[arg-type]
            frame.run.unwritten.check(memory, part.pointer.offset, operation.location)
        execute(frame)

    return run
