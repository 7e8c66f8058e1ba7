"""Promises of the kernel to the compiler that do not hold: `tl.assume`, and `tl.multiple_of` of a single number.

Those about tiles are checked where they make a difference (`vectors`).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from core.contracts.text import Text, Value, tr
from core.interpreter.body import Step
from core.interpreter.frame import Frame
from core.interpreter.ir import Operation
from core.interpreter.ops.registry import StepPlanner, step
from core.interpreter.ops.scopes import per_lane_bool
from core.interpreter.values import per_lane, to_integer
from core.sanitizer import kinds
from core.trace.record import Fault

_MULTIPLE, _ASSUMED = "shadow.multiple", "shadow.assumed"


def checked_hints(operation: Operation) -> list[Operation]:
    """The operations that check what an operation promises, to follow it."""
    attributes, location = {"at": operation}, operation.location
    if operation.name == "llvm.intr.assume":
        return [Operation(_ASSUMED, (), operation.operands, attributes, (), location)]
    divisor = operation.attributes.get("tt.divisibility")
    if type(divisor) is int and divisor > 1 and len(operation.results) == 1:
        type_ = operation.result.type
        if type_.is_integer and not type_.rank:
            return [Operation(_MULTIPLE, (), operation.results, attributes | {"of": divisor}, (), location)]
    return []


@step(_MULTIPLE)
def _multiple(operation: Operation, _planner: StepPlanner) -> Step:
    slot, divisor = operation.operands[0].slot, operation.attributes["of"]

    def run(frame: Frame) -> None:
        numbers = per_lane(to_integer(frame.values[slot]), frame.count)
        bad = numbers % divisor != 0
        if bad.any():
            number = int(numbers[int(bad.argmax())])
            sentence = tr(
                "In {kernel} at {location}, `tl.multiple_of` promises the compiler a multiple of {divisor}, but in "
                "program {program} the number is {number:,}.",
                divisor=divisor, number=number, **_details(frame, operation, bad),
            )  # fmt: skip
            repair = tr("Remove the promise, or pass a number for which it holds.")
            _report(frame, operation, bad, sentence, repair, str(number))

    return run


@step(_ASSUMED)
def _assumed(operation: Operation, _planner: StepPlanner) -> Step:
    slot = operation.operands[0].slot

    def run(frame: Frame) -> None:
        if frame.values[slot] is True:
            return
        bad = ~per_lane_bool(frame.values[slot], frame.count)
        if bad.any():
            sentence = tr(
                "In {kernel} at {location}, what `tl.assume` promises the compiler is false in program {program}.",
                **_details(frame, operation, bad),
            )
            _report(frame, operation, bad, sentence, tr("Remove the promise, or pass arguments for which it holds."))

    return run


def _details(frame: Frame, operation: Operation, bad: Any) -> dict[str, Value]:
    return {
        "kernel": frame.run.function,
        "location": operation.location.label,
        "program": frame.describe_program(int(bad.argmax())),
    }


def _report(frame: Frame, operation: Operation, bad: Any, sentence: Text, repair: Text, value: str = "") -> None:
    frame.run.diagnostics.fault(
        Fault(
            kind=kinds.BROKEN_HINT,
            file=operation.location.file,
            line=operation.location.line,
            program=int(frame.programs[int(bad.argmax())]),
            count=int(np.count_nonzero(bad)),
            sentence=sentence,
            iteration=frame.iteration,
            value=value,
            repair=repair,
        )
    )
