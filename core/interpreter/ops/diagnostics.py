"""tt.assert and tt.print. Barriers do nothing."""

from __future__ import annotations

from typing import Any

import numpy as np

from core.contracts.text import Value, tr, tr_plural
from core.interpreter.body import Step
from core.interpreter.frame import Frame
from core.interpreter.ir import Operation
from core.interpreter.ops.registry import StepPlanner, step
from core.interpreter.values import Pointer, to_predicate, to_torch
from core.sanitizer import kinds
from core.trace.mask import Mask
from core.trace.record import Fault

_SHOWN_ELEMENTS = 8
_SHOWN_PROGRAMS = 16


@step("tt.assert")
def _assert(operation: Operation, _planner: StepPlanner) -> Step:
    """Reports the first failing lane with the line, the program and the kernel's own message."""
    slot = operation.operands[0].slot
    message = next((str(word) for word in operation.attributes["words"] if isinstance(word, str)), "")

    def run(frame: Frame) -> None:
        holds = to_predicate(frame.values[slot])
        if holds is True:
            return
        lane, failed = 0, 1
        if isinstance(holds, Mask):
            array = holds.array
            if array.all():
                return
            lane = int((~array).reshape(array.shape[0], -1).any(axis=1).argmax())
            failed = int((~array).sum())
        details: dict[str, Value] = {
            "location": operation.location.label,
            "program": frame.describe_program(lane),
            "kernel": frame.run.function,
        }
        if message:
            sentence = tr(
                "The assertion at {location} fails in program {program} of {kernel}: {message}.",
                message=message,
                **details,
            )
        else:
            sentence = tr("The assertion at {location} fails in program {program} of {kernel}.", **details)
        frame.run.diagnostics.fault(
            Fault(
                kind=kinds.FAILED_ASSERTION,
                file=operation.location.file,
                line=operation.location.line,
                program=int(frame.programs[lane]),
                count=failed,
                sentence=sentence,
                iteration=frame.iteration,
            )
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
            output, program = f"{prefix} {values}".rstrip(), frame.describe_program(lane)
            line = tr(
                "{location} program {program}: {values}",
                location=operation.location.label,
                program=program,
                values=output,
            )
            frame.run.diagnostics.print(str(line))
        if shown < frame.count:
            more = tr_plural(
                "{location}: {count} more program prints here.",
                "{location}: {count} more programs print here.",
                count=frame.count - shown,
                location=operation.location.label,
            )
            frame.run.diagnostics.print(str(more))

    return run


def _text(value: Any, type_: Any, lane: int) -> str:
    if isinstance(value, Pointer):
        return str(tr("a pointer"))
    tile = to_torch(value, type_)
    elements = tile[lane if tile.shape[0] > 1 else 0].expand(type_.dims).reshape(-1)
    first = ", ".join(f"{number:g}" for number in np.atleast_1d(elements[:_SHOWN_ELEMENTS].double().cpu().numpy()))
    if elements.numel() <= _SHOWN_ELEMENTS:
        return first
    return str(tr("{first}, ... ({count} elements)", first=first, count=elements.numel()))


@step("gpu.barrier", "ttg.barrier", "tt.debug_barrier")
def _nothing(operation: Operation, _planner: StepPlanner) -> Step:
    """Lanes run in lockstep, so barriers do nothing."""
    return lambda frame: None
