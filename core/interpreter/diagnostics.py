"""The diagnostics of a run: faults that did not stop it, printed lines, and what is otherwise on a GPU."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Protocol

from core.contracts.errors import TilescopeError
from core.contracts.text import EMPTY, Text, sentences, tr
from core.interpreter.ir import Location
from core.trace.record import AccessKind, Fault

PRINT_LIMIT = 1000
"""Printed lines that are kept per launch."""


class Lanes(Protocol):
    """What is needed of the lanes that run."""

    run: Any
    iteration: tuple[int, ...]

    def describe_program(self, lane: int) -> str:
        """The program of a lane."""


class Diagnostics:
    """Collects one fault per source location, and the first `PRINT_LIMIT` printed lines.

    With `stop_at_faults`, the first access that cannot be executed raises TilescopeError instead, and nothing else is
    looked for: `sanitizes` is False.
    """

    def __init__(self, *, stop_at_faults: bool = True) -> None:
        self.stop_at_faults = stop_at_faults
        self.printed: list[str] = []
        self.notices: list[Text] = []
        self.place: tuple[Location, Lanes] | None = None
        """The loop that is running, and its lanes."""
        self._faults: dict[tuple[str, AccessKind | None, int, str, int], Fault] = {}

    @property
    def sanitizes(self) -> bool:
        """Whether findings are wanted that cost time to look for."""
        return not self.stop_at_faults

    def fault(self, fault: Fault) -> None:
        """Add a fault. At a location that already has one, only its count grows."""
        if self.stop_at_faults:
            raise TilescopeError(sentences(fault.sentence, fault.repair))
        place = (fault.kind, fault.access, fault.buffer, fault.file, fault.line)
        first = self._faults.get(place)
        self._faults[place] = fault if first is None else replace(first, count=first.count + fault.count)

    def notice(self, text: Text) -> None:
        """Add what differs from a run on a GPU, once."""
        if text not in self.notices:
            self.notices.append(text)

    def where(self) -> Text:
        """The place that was reached, as a sentence; EMPTY outside of loops."""
        if self.place is None:
            return EMPTY
        location, lanes = self.place
        return tr(
            "It was in iteration {iteration:,} of the loop at {location}, in program {program} of {kernel}.",
            iteration=lanes.iteration[-1] if lanes.iteration else 0,
            location=location.label,
            program=lanes.describe_program(0),
            kernel=lanes.run.function,
        )

    @property
    def faults(self) -> tuple[Fault, ...]:
        """The faults, in the order in which their locations were first reached."""
        return tuple(self._faults.values())

    def print(self, line: str) -> None:
        """Add a line. Beyond the limit, one last line says that there are more."""
        if len(self.printed) < PRINT_LIMIT:
            self.printed.append(line)
        elif len(self.printed) == PRINT_LIMIT:
            self.printed.append(str(tr("More lines were printed; only the first {limit} are kept.", limit=PRINT_LIMIT)))
