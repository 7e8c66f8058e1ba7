"""Doubts of a run: what may become a finding where it reaches memory or a branch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from core.contracts.text import Text, Value
from core.interpreter.ir import Operation
from core.interpreter.shadows import wording
from core.interpreter.shadows.marks import SUSPECT, WRAPPED
from core.interpreter.shadows.wording import Sink
from core.sanitizer import kinds
from core.trace.affine import IntArray
from core.trace.record import AccessKind, Fault, coordinates

_MOST_EXAMPLES = 4096
_OVERFLOWS = (kinds.ADDRESS_OVERFLOW, kinds.INTEGER_OVERFLOW)


class Frame(Protocol):
    """What is needed of the lanes being executed."""

    values: list[Any]
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
    remembered: dict[int, Any] = field(default_factory=dict)
    """What a check that runs in a loop keeps, by program."""


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
            known += WRAPPED if kind == kinds.INTEGER_OVERFLOW else 0
            self._ids[kind, operation] = known
            self._doubts[known] = Doubt(kind, operation, repair)
        return known

    def ids_of(self, kind: str) -> list[int]:
        """The ids of all doubts of a kind."""
        return [id_ for (known, _), id_ in self._ids.items() if known == kind]

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

    def reach(
        self, frame: Frame, at: Operation, sink: Sink, marks: npt.NDArray[np.int64], tensor: str, operand: int = 0
    ) -> None:
        """Report the doubts in `marks` ([lanes, *shape], 0 where there is none), which reached an operand of `at`."""
        for id_ in np.unique(marks[marks != 0]).tolist():
            if id_ == SUSPECT:
                frame.run.suspects.has_arrived = True
                continue
            doubt = self._doubts[id_]
            if (doubt.kind == kinds.ADDRESS_OVERFLOW) != (sink == "address") and doubt.kind in _OVERFLOWS:
                continue
            bad = marks == id_
            lane, *element = (int(i) for i in np.unravel_index(int(bad.argmax()), bad.shape))
            program = int(frame.programs[lane])
            location = doubt.operation.location
            details: dict[str, Value] = {
                "kernel": frame.run.function,
                "location": location.label,
                "program": coordinates(frame.run.grid, program),
                "reach": wording.reach(at, sink, tensor, element),
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
                    sentence=wording.sentence(doubt.kind, name, numbers, details),
                    severity=kinds.KINDS[doubt.kind].severity,
                    iteration=frame.iteration,
                    element=tuple(element),
                    value=str(numbers.get("value", "")),
                    repair=doubt.repair,
                )
            )
