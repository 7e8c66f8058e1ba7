"""Inline PTX that asks the machine instead of computing: clocks, the SM, and the order of dependent grids.

An interpreter has no clock, so each is a counter of how often it was read, the same for all programs that are executed
together. Programs run one grid after the other, so waiting for the previous grid does nothing.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import replace

from core.contracts.text import tr
from core.interpreter.body import Step
from core.interpreter.frame import Frame
from core.interpreter.ir import Function, Operation
from core.interpreter.ops.registry import StepPlanner, step
from core.interpreter.rewriting import rewritten

_ASSEMBLY = "tt.elementwise_inline_asm"
_COUNTER, _NOTHING = "machine.counter", "machine.nothing"
_CLOCK = re.compile(r"mov\.[usb](?:32|64) \$0, %(globaltimer(?:_lo|_hi)?|clock(?:64|_hi)?);")
_DEPENDENCY = re.compile(r"griddepcontrol\.(?:wait|launch_dependents);")
_SM = re.compile(r"mov\.[usb]32 \$0, %smid;")
_reads = itertools.count(1)


def named(function: Function) -> Function:
    """The function with names of their own for instructions that ask the machine: they are not pure."""
    if not any(_new_name(operation) for operation in function.body.walk()):
        return function
    return rewritten(function, _renamed)


def _renamed(operation: Operation) -> Sequence[Operation]:
    name = _new_name(operation)
    return (replace(operation, name=name) if name else operation,)


def _new_name(operation: Operation) -> str:
    if operation.name != _ASSEMBLY or operation.operands or len(operation.results) != 1:
        return ""
    text = _instruction(operation)
    if _CLOCK.fullmatch(text):
        return _COUNTER
    return _NOTHING if _DEPENDENCY.fullmatch(text) or _SM.fullmatch(text) else ""


def _instruction(operation: Operation) -> str:
    """The text of inline assembly in one line, without comments and braces."""
    text = re.sub(r"//.*", "", str(operation.attributes["words"][0]).replace("\\n", "\n"))
    return " ".join(text.replace("{", " ").replace("}", " ").replace("volatile", " ").split())


@step(_COUNTER)
def _count(operation: Operation, _planner: StepPlanner) -> Step:
    slot, register = operation.result.slot, _CLOCK.fullmatch(_instruction(operation))
    name = f"%{register[1]}" if register else ""

    def run(frame: Frame) -> None:
        frame.values[slot] = next(_reads)
        frame.run.diagnostics.notice(
            tr(
                "{location} reads {register}: a trace has no clock, so it counts how often it was read.",
                location=operation.location.label,
                register=name,
            )
        )

    return run


@step(_NOTHING)
def _zero(operation: Operation, _planner: StepPlanner) -> Step:
    """The previous grid has ended, and all programs are executed in one place: SM 0."""
    slot = operation.result.slot

    def run(frame: Frame) -> None:
        frame.values[slot] = 0

    return run
