"""What a run has to report besides its accesses: faults that did not stop it, and lines that the kernel printed."""

from __future__ import annotations

from dataclasses import replace

from core.contracts.errors import TilescopeError
from core.trace.record import Fault

PRINT_LIMIT = 1000
"""Lines that are kept of one launch."""


class Diagnostics:
    """Collects faults, one per place in the source, and lines of text, the first `PRINT_LIMIT`.

    With `stop_at_faults`, the first fault raises TilescopeError instead.
    """

    def __init__(self, *, stop_at_faults: bool = True) -> None:
        self.stop_at_faults = stop_at_faults
        self.printed: list[str] = []
        self._faults: dict[tuple[str, str, int, str, int], Fault] = {}

    def fault(self, fault: Fault) -> None:
        """Add a fault; at a place that has one already, only the count grows."""
        if self.stop_at_faults:
            raise TilescopeError(fault.sentence)
        place = (fault.kind, fault.access, fault.buffer, fault.file, fault.line)
        first = self._faults.get(place)
        self._faults[place] = fault if first is None else replace(first, count=first.count + fault.count)

    def failed(self, sentence: str) -> None:
        """A condition that the kernel asserts does not hold."""
        if self.stop_at_faults:
            raise TilescopeError(sentence)
        self.print(sentence)

    @property
    def faults(self) -> tuple[Fault, ...]:
        """In the order in which their places were first reached."""
        return tuple(self._faults.values())

    def print(self, line: str) -> None:
        """Add a line. The last one that is kept says that there are more."""
        if len(self.printed) < PRINT_LIMIT:
            self.printed.append(line)
        elif len(self.printed) == PRINT_LIMIT:
            self.printed.append(f"More lines were printed; the first {PRINT_LIMIT} are kept.")
