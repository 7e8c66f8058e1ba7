"""Pointers as numbers, numbers as pointers, and pointers to elements of another width."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from core.interpreter.body import Step
from core.interpreter.frame import Frame
from core.interpreter.ir import Function, Operation
from core.interpreter.ops.registry import StepPlanner, step
from core.interpreter.rewriting import rewritten
from core.interpreter.values import to_integer

_RECAST = "pointers.recast"


def recast(function: Function) -> Function:
    """The function with casts of pointers to another width as operations of their own, since these need the memory."""
    return rewritten(function, _named) if any(map(_changes_width, function.body.walk())) else function


def _named(operation: Operation) -> Sequence[Operation]:
    return (replace(operation, name=_RECAST) if _changes_width(operation) else operation,)


def _changes_width(operation: Operation) -> bool:
    if operation.name != "tt.bitcast" or not operation.result.type.pointer:
        return False
    return operation.operands[0].type.element_bytes != operation.result.type.element_bytes


@step(_RECAST, pure=True)
def _recast(operation: Operation, _planner: StepPlanner) -> Step:
    slot, result = operation.operands[0].slot, operation.result.slot
    source, target = operation.operands[0].type.element_bytes, operation.result.type.element_bytes

    def run(frame: Frame) -> None:
        frame.values[result] = frame.run.address_book.recast(frame.values[slot], source, target, operation.location)

    return run


@step("tt.ptr_to_int", pure=True)
def _number_from_pointer(operation: Operation, _planner: StepPlanner) -> Step:
    """The address, in bytes."""
    slot, result = operation.operands[0].slot, operation.result.slot
    width = operation.operands[0].type.element_bytes

    def run(frame: Frame) -> None:
        frame.values[result] = frame.run.address_book.addresses(frame.values[slot], width)

    return run


@step("tt.int_to_ptr", pure=True)
def _pointer_from_number(operation: Operation, _planner: StepPlanner) -> Step:
    slot, result, type_ = operation.operands[0].slot, operation.result.slot, operation.result.type

    def run(frame: Frame) -> None:
        addresses = to_integer(frame.values[slot])
        book = frame.run.address_book
        frame.values[result] = book.pointer(addresses, type_.rank, type_.element_bytes, operation.location)

    return run
