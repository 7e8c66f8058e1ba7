"""tt.assert and tt.print: what a kernel says about itself. Barriers: nothing to do."""

from __future__ import annotations

from typing import Any

import numpy as np

from core.interpreter.body import Step
from core.interpreter.frame import Frame
from core.interpreter.ir import Operation
from core.interpreter.ops.registry import StepPlanner, step
from core.interpreter.values import Pointer, to_predicate, to_torch
from core.trace.mask import Mask

_SHOWN_ELEMENTS = 8
_SHOWN_PROGRAMS = 16


@step("tt.assert")
def _assert(operation: Operation, _planner: StepPlanner) -> Step:
    """Fails with the line, the program and the kernel's own message; in the order of the lanes."""
    slot = operation.operands[0].slot
    message = next((str(word) for word in operation.attributes["words"] if isinstance(word, str)), "")

    def run(frame: Frame) -> None:
        holds = to_predicate(frame.values[slot])
        if holds is True:
            return
        lane = 0
        if isinstance(holds, Mask):
            array = holds.array
            if array.all():
                return
            lane = int((~array).reshape(array.shape[0], -1).any(axis=1).argmax())
        reason = f": {message}" if message else ""
        frame.run.diagnostics.failed(
            f"{operation.location} asserts what does not hold in program {frame.describe_program(lane)} of "
            f"{frame.run.function}{reason}."
        )

    return run


@step("tt.print")
def _print(operation: Operation, _planner: StepPlanner) -> Step:
    """One line per program, for the first programs: the prefix and the first elements of each operand."""
    prefix = str(operation.attributes["words"][0]).strip() if operation.attributes["words"] else ""

    def run(frame: Frame) -> None:
        shown = min(frame.count, _SHOWN_PROGRAMS)
        for lane in range(shown):
            values = "; ".join(_text(frame.values[v.slot], v.type, lane) for v in operation.operands)
            program = frame.describe_program(lane)
            frame.run.diagnostics.print(f"{operation.location} program {program}: {prefix} {values}".rstrip())
        if shown < frame.count:
            frame.run.diagnostics.print(f"{operation.location}: {frame.count - shown} more programs print here.")

    return run


def _text(value: Any, type_: Any, lane: int) -> str:
    if isinstance(value, Pointer):
        return "a pointer"
    tile = to_torch(value, type_)
    mine = tile[lane if tile.shape[0] > 1 else 0].expand(type_.dims).reshape(-1)
    first = ", ".join(f"{number:g}" for number in np.atleast_1d(mine[:_SHOWN_ELEMENTS].double().cpu().numpy()))
    return f"{first}, ... ({mine.numel()} elements)" if mine.numel() > _SHOWN_ELEMENTS else first


@step("gpu.barrier", "ttg.barrier", "tt.debug_barrier")
def _nothing(operation: Operation, _planner: StepPlanner) -> Step:
    """Lanes run in lockstep, so barriers hold by themselves."""
    return lambda frame: None
