"""Doubts of a run: what may become a finding where it reaches memory or a branch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from core.contracts.text import EMPTY, Text, Value, tr, verbatim
from core.interpreter.ir import Operation
from core.sanitizer import kinds
from core.trace.affine import IntArray
from core.trace.record import AccessKind, Fault, coordinates

Sink = Literal["value", "address", "condition"]

_MOST_EXAMPLES = 4096


class Frame(Protocol):
    """What is needed of the lanes being executed."""

    programs: IntArray
    iteration: tuple[int, ...]
    run: Any


@dataclass
class Doubt:
    """What an operation made, and by program the numbers of its first doubtful element."""

    kind: str
    operation: Operation
    repair: Text
    access: AccessKind | None = None
    buffer: int = -1
    details: dict[str, Value] = field(default_factory=dict)
    examples: dict[int, dict[str, Value]] = field(default_factory=dict)


class Doubts:
    """The doubts of a run. Ids are positive; those of wrapped offsets are negative."""

    def __init__(self) -> None:
        self._ids: dict[tuple[str, Operation], int] = {}
        self._doubts: dict[int, Doubt] = {}

    def id(self, kind: str, operation: Operation, repair: Text) -> int:
        """The id of what `operation` makes."""
        known = self._ids.get((kind, operation))
        if known is None:
            known = len(self._ids) + 1
            known = -known if kind == kinds.ADDRESS_OVERFLOW else known
            self._ids[kind, operation] = known
            self._doubts[known] = Doubt(kind, operation, repair)
        return known

    def __getitem__(self, id_: int) -> Doubt:
        return self._doubts[id_]

    def examples(self, id_: int, frame: Frame, bad: npt.NDArray[np.bool_], **numbers: npt.NDArray[Any]) -> None:
        """Keep the numbers of the first doubtful element of each program. Arrays [lanes or 1, *dims or 1]."""
        doubt = self._doubts[id_]
        if len(doubt.examples) >= _MOST_EXAMPLES:
            return
        shape = np.broadcast_shapes(bad.shape, *(array.shape for array in numbers.values()))
        flat = np.broadcast_to(bad, shape).reshape(shape[0], -1)
        columns = {name: np.broadcast_to(array, shape).reshape(shape[0], -1) for name, array in numbers.items()}
        for lane in np.flatnonzero(flat.any(axis=1))[:_MOST_EXAMPLES].tolist():
            place = int(flat[lane].argmax())
            example = {name: array[lane, place].item() for name, array in columns.items()}
            for program in frame.programs.tolist() if shape[0] == 1 else (int(frame.programs[lane]),):
                doubt.examples.setdefault(program, example)

    def reach(self, frame: Frame, at: Operation, sink: Sink, marks: npt.NDArray[np.int64], tensor: str) -> None:
        """Report the doubts in `marks` ([lanes, *shape], 0 where there is none), which reached `at`."""
        for id_ in np.unique(marks[marks != 0]).tolist():
            doubt = self._doubts[id_]
            if doubt.kind == kinds.ADDRESS_OVERFLOW and sink != "address":
                continue
            bad = marks == id_
            lane, *element = (int(i) for i in np.unravel_index(int(bad.argmax()), bad.shape))
            program = int(frame.programs[lane])
            location = doubt.operation.location
            details: dict[str, Value] = {
                "kernel": frame.run.function,
                "location": location.label,
                "program": coordinates(frame.run.grid, program),
                "reach": _reach(at, sink, tensor, element),
            }
            numbers = doubt.details | (doubt.examples.get(program) or next(iter(doubt.examples.values()), {}))
            name = frame.run.memories[doubt.buffer].buffer.name if doubt.buffer >= 0 else ""
            frame.run.diagnostics.fault(
                Fault(
                    kind=doubt.kind,
                    access=doubt.access,
                    buffer=doubt.buffer,
                    file=location.file,
                    line=location.line,
                    program=program,
                    index=-1,
                    count=int(bad.sum()),
                    sentence=_sentence(doubt, name, numbers, details),
                    iteration=frame.iteration,
                    element=tuple(element),
                    value=str(numbers.get("value", "")),
                    repair=doubt.repair,
                )
            )


def _reach(at: Operation, sink: Sink, tensor: str, element: list[int]) -> Text:
    """Where a doubt arrived, as the end of a sentence."""
    location, place = at.location.label, str(element)
    if sink == "condition":
        return tr("a condition at {location} depends on it", location=location)
    if sink == "address":
        return (
            tr("it is an address of {tensor} at {location} (element {element})",
               tensor=tensor, location=location, element=place)
            if element
            else tr("it is an address of {tensor} at {location}", tensor=tensor, location=location)
        )  # fmt: skip
    if element:
        return tr(
            "it reaches element {element} of what is written to {tensor} at {location}",
            element=place, tensor=tensor, location=location,
        )  # fmt: skip
    return tr("it reaches what is written to {tensor} at {location}", tensor=tensor, location=location)


def _expression(numbers: dict[str, Value]) -> Text:
    """'row * stride', with numbers where MLIR has no name."""
    a, b = (str(numbers.get(f"{each}_name") or f"{numbers[each]:,}") for each in "ab")
    return verbatim(f"{a} {numbers['symbol']} {b}") if numbers["symbol"] else verbatim(a)


def _sentence(doubt: Doubt, tensor: str, numbers: dict[str, Value], details: dict[str, Value]) -> Text:
    if doubt.kind == kinds.UNDEFINED_LANES:
        return tr(
            "The load of {tensor} in {kernel} at {location} has a mask but no `other`, so the elements that the mask "
            "leaves out are undefined: in program {program}, {reach}.",
            tensor=tensor, **details,
        )  # fmt: skip
    if doubt.kind == kinds.ADDRESS_OVERFLOW:
        return tr(
            "In {kernel} at {location}, {expression} is {value:,} in program {program}, which wraps to {wrapped:,} in "
            "{bits} bits: {reach}.",
            expression=_expression(numbers), value=numbers["value"], wrapped=numbers["wrapped"], bits=numbers["bits"],
            **details,
        )  # fmt: skip
    if doubt.kind == kinds.DIVISION_BY_ZERO:
        return tr(
            "In {kernel} at {location}, program {program} divides the integer {value} by zero: {reach}.",
            value=numbers.get("value", ""), **details,
        )  # fmt: skip
    if doubt.kind == kinds.UNDEFINED_SHIFT:
        return tr(
            "In {kernel} at {location}, program {program} shifts a number of {bits} bits by {value}: {reach}.",
            bits=numbers.get("bits", ""), value=numbers.get("value", ""), **details,
        )  # fmt: skip
    if doubt.kind == kinds.UNDEFINED_CAST:
        return tr(
            "In {kernel} at {location}, program {program} casts {value} to {type}, which cannot hold it: {reach}.",
            type=numbers.get("type", ""), value=numbers.get("value", ""), **details,
        )  # fmt: skip
    return EMPTY
