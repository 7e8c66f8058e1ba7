"""Operations with a predicate: programs whose predicate is false leave it out."""

from __future__ import annotations

import numpy as np

from core.interpreter.body import Step
from core.interpreter.frame import Frame
from core.interpreter.ir import Value
from core.interpreter.ops.scopes import Scope
from core.interpreter.values import to_predicate


def where(predicate: Value | None, operands: tuple[Value, ...], run: Step) -> Step:
    """`run` for the programs of which `predicate` is true; it reads `operands` and has no results."""
    if predicate is None:
        return run
    slots = sorted({value.slot for value in operands})

    def some(frame: Frame) -> None:
        taken = to_predicate(frame.values[predicate.slot])
        if isinstance(taken, bool):
            if taken:
                run(frame)
            return
        lanes = np.flatnonzero(np.broadcast_to(taken.array.reshape(-1), (frame.count,)))
        if len(lanes) == frame.count:
            run(frame)
        elif len(lanes):
            scope = Scope(frame, slots)
            scope.select(lanes)
            run(frame)
            scope.restore()

    return some
