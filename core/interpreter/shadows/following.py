"""The operations that follow suspected reads through a launch that runs again (`suspects`).

A shadow goes with what is read, as with other doubts; what no shadow can follow counts as arrived.
"""

from __future__ import annotations

import numpy as np

from core.interpreter.body import Step
from core.interpreter.frame import Frame
from core.interpreter.ir import Operation
from core.interpreter.ops.registry import StepPlanner, step
from core.interpreter.shadows import marks
from core.trace.mask import BoolArray

NOTE, SUSPECT, ESCAPE = "shadow.note", "shadow.suspect", "shadow.escape"


@step(NOTE)
def _note(_operation: Operation, _planner: StepPlanner) -> Step:
    def run(frame: Frame) -> None:
        assert frame.run.suspects is not None
        frame.run.suspects.begun = len(frame.run.accesses)

    return run


@step(SUSPECT)
def _suspect(operation: Operation, _planner: StepPlanner) -> Step:
    """The shadow of what a load gives, from the shadow of its `other`, if there is one."""
    at: Operation = operation.attributes["at"]
    rank, result = at.result.type.rank, operation.result.slot
    others = [value.slot for value in operation.operands]

    def run(frame: Frame) -> None:
        suspects = frame.run.suspects
        assert suspects is not None
        bad: list[BoolArray] = []
        for number in range(suspects.begun, len(frame.run.accesses)):
            of_part = suspects.elements.get(number)
            if of_part is not None:  # of several tensors, one is a part of the lanes: then all are suspected
                whole = np.asarray(of_part.reshape(*of_part.shape[: rank + 1], -1).any(axis=-1))
                bad.append(whole if len(whole) == frame.count else np.ones((1,) * (rank + 1), dtype=np.bool_))
        found = [marks.where(each, marks.SUSPECT, 0, rank) for each in bad]
        frame.values[result] = marks.first((*found, *(frame.values[slot] for slot in others)), rank)

    return run


@step(ESCAPE)
def _escape(operation: Operation, _planner: StepPlanner) -> Step:
    """An operation that no shadow follows."""
    shadows = [value.slot for value in operation.operands]

    def run(frame: Frame) -> None:
        assert frame.run.suspects is not None
        if any(not marks.is_clean(frame.values[slot]) for slot in shadows):
            frame.run.suspects.has_arrived = True

    return run
