"""`tl.maximum` and `tl.minimum` of integers: where the other operand decides, the rounding of a quotient is no harm."""

from __future__ import annotations

from typing import Any

import numpy as np

from core.interpreter.body import Step
from core.interpreter.frame import Frame
from core.interpreter.ir import Operation
from core.interpreter.ops.registry import StepPlanner, step
from core.interpreter.shadows import marks
from core.interpreter.shadows.birth import number_array
from core.interpreter.shadows.flow import stays
from core.sanitizer import kinds
from core.trace import affine
from core.trace.affine import Integer

CLAMP, CLAMPS = "shadow.clamp", ("arith.maxsi", "arith.minsi")


@step(CLAMP)
def _clamp(operation: Operation, _planner: StepPlanner) -> Step:
    """Operands are two numbers and their shadows. What is doubtful for other reasons may be anything, and stays so."""
    at: Operation = operation.attributes["at"]
    type_, slots, result = at.result.type, [value.slot for value in operation.operands], operation.result.slot

    def run(frame: Frame) -> None:
        a, b, left, right = (frame.values[slot] for slot in slots)
        mark = marks.staying(marks.first((left, right), type_.rank), stays(at))
        if not marks.is_clean(mark):
            rounded = frame.run.doubts.ids_of(kinds.NEGATIVE_DIVISION)
            for value, other, own, others in ((a, b, left, right), (b, a, right, left)):
                mark = _undecided(value, other, own, others, rounded, mark)
        frame.values[result] = mark

    def _undecided(value: Any, other: Any, own: Integer, others: Integer, rounded: list[int], mark: Integer) -> Integer:
        number, limit = number_array(value, type_), number_array(other, type_)
        loses = number <= limit if at.name == "arith.maxsi" else number >= limit
        is_clean = affine.dense(others, type_.rank) == 0
        drops = np.isin(affine.dense(own, type_.rank), rounded) & loses & is_clean
        return marks.where(drops, 0, mark, type_.rank) if drops.any() else mark

    return run
