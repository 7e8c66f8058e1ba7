"""Doubts about floats: what made NaN, infinity, or a number beyond the type it was cast to.

They are kept by element, for few programs: the second look at a launch (`core.interpreter.second_look`) executes only
those that stored what is no finite number.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from core.contracts.text import Text
from core.interpreter.ir import Operation
from core.interpreter.shadows import float_wording as wording
from core.interpreter.shadows.doubts import Doubts, Frame
from core.interpreter.shadows.wording import Sink, reach
from core.interpreter.values import to_torch
from core.sanitizer import kinds
from core.trace.record import Fault, Severity, coordinates

GIVEN = 1 << 48
"""The mark of what was read as NaN or infinity, or comes from there: no fault of the kernel's own."""

_MOST_RECORDS = 4096


@dataclass(frozen=True, eq=False)
class _Record:
    """What one program computed once: the elements, and the numbers of each, [*dims]."""

    iteration: tuple[int, ...]
    bad: npt.NDArray[np.bool_]
    numbers: dict[str, npt.NDArray[np.float64]]


@dataclass(eq=False)
class _Birth:
    """What one operation made, by program. `causes` are the infinities that it made NaN of."""

    kind: str
    operation: Operation
    repair: Text
    severity: Severity
    records: dict[int, list[_Record]] = field(default_factory=dict)
    causes: set[int] = field(default_factory=set)

    def occurrence(self, program: int, element: tuple[int, ...]) -> tuple[_Record, tuple[int, ...]]:
        """The first record of a program for an element of its result, or for any."""
        records = self.records.get(program) or next(iter(self.records.values()))
        shape = records[0].bad.shape
        if len(element) == len(shape) and all(place < size for place, size in zip(element, shape, strict=True)):
            for record in records:
                if record.bad[element]:
                    return record, element
        return records[0], tuple(int(each) for each in np.unravel_index(int(records[0].bad.argmax()), shape))


class NumberDoubts(Doubts):
    """The doubts of a second look. Those about integers are known from the first one, and are not reported again."""

    def __init__(self) -> None:
        super().__init__()
        self._births: dict[int, _Birth] = {}
        self._numbers: dict[tuple[str, Operation], int] = {}

    def born(
        self,
        kind: str,
        operation: Operation,
        repair: Text,
        frame: Frame,
        bad: npt.NDArray[np.bool_],
        numbers: dict[str, npt.NDArray[np.float64]],
        severity: Severity | None = None,
    ) -> int:
        """The id of what an operation made at the elements `bad`, [lanes, *dims] as are the numbers."""
        id_ = self._numbers.get((kind, operation))
        if id_ is None:
            id_ = self._numbers[kind, operation] = self.id(kind, operation, repair)
            self._births[id_] = _Birth(kind, operation, repair, severity or kinds.KINDS[kind].severity)
        birth = self._births[id_]
        for lane in np.flatnonzero(bad.reshape(len(bad), -1).any(axis=1))[:_MOST_RECORDS].tolist():
            records = birth.records.setdefault(int(frame.programs[lane]), [])
            if not records or (len(birth.records) < _MOST_RECORDS and len(records) < _MOST_RECORDS // 64):
                of_lane = {name: array[lane] for name, array in numbers.items()}
                records.append(_Record(frame.iteration, bad[lane].copy(), of_lane))
        return id_

    def caused(self, id_: int, causes: npt.NDArray[np.int64]) -> None:
        """Infinities with these ids made NaN."""
        self._births[id_].causes.update(cause for cause in np.unique(causes).tolist() if self.is_infinity(cause))

    def is_infinity(self, id_: int) -> bool:
        return id_ in self._births and self._births[id_].kind == kinds.INFINITY_BORN

    def believed(self, marks: npt.NDArray[np.int64], values: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
        """The marks without those of NaN and infinity where the value is neither any more."""
        kept = marks
        for id_ in np.unique(marks[marks != 0]).tolist():
            kind = self._births[id_].kind if id_ in self._births else ""
            if kind in (kinds.NAN_BORN, kinds.INFINITY_BORN):
                is_still = np.isnan(values) if kind == kinds.NAN_BORN else np.isinf(values)
                kept = np.where((kept == id_) & ~is_still, 0, kept)
        return kept

    def reach(
        self, frame: Frame, at: Operation, sink: Sink, marks: npt.NDArray[np.int64], tensor: str, operand: int = 0
    ) -> None:
        """Report the births in `marks`, as far as what arrived is still NaN or infinite."""
        if sink == "value":
            type_ = at.operands[operand].type
            if type_.is_float:
                stored = to_torch(frame.values[at.operands[operand].slot], type_).cpu().double().numpy()
                marks = self.believed(marks, np.broadcast_to(stored, marks.shape))
        for id_ in np.unique(marks[marks != 0]).tolist():
            birth = self._births.get(id_)
            if birth is None or not _matters(birth.kind, sink, at, operand):
                continue
            bad = marks == id_
            lane, *element = (int(i) for i in np.unravel_index(int(bad.argmax()), bad.shape))
            count, end = int(bad.sum()), reach(at, sink, tensor, element)
            self._report(frame, birth, lane, tuple(element), count, end)
            for cause in sorted(birth.causes):
                turned = wording.turned_into_nan(birth.operation)
                self._report(frame, self._births[cause], lane, tuple(element), count, turned)

    def _report(self, frame: Frame, birth: _Birth, lane: int, element: tuple[int, ...], count: int, end: Text) -> None:
        program = int(frame.programs[lane])
        record, place = birth.occurrence(program, element)
        program = program if program in birth.records else next(iter(birth.records))
        numbers = {name: float(array[place]) for name, array in record.numbers.items()}
        location = birth.operation.location
        details = {
            "kernel": frame.run.function,
            "location": location.label,
            "program": coordinates(frame.run.grid, program),
            "reach": end,
        }
        frame.run.diagnostics.fault(
            Fault(
                kind=birth.kind,
                file=location.file,
                line=location.line,
                program=program,
                count=count,
                sentence=wording.sentence(birth.kind, birth.operation, numbers, details),
                severity=birth.severity,
                iteration=record.iteration,
                element=place,
                value=wording.number(numbers["value"]),
                repair=birth.repair,
            )
        )


def _matters(kind: str, sink: Sink, at: Operation, operand: int) -> bool:
    """NaN that is cast to an integer has a kind of its own, and infinity compares as it should."""
    if kind == kinds.CAST_OVERFLOW:
        return True
    if sink == "condition":
        return kind == kinds.NAN_BORN
    return sink == "value" and at.operands[operand].type.is_float
