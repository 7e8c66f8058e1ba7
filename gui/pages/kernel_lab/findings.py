"""The card with the lists of a run: traffic per line, faults, and the differences from the run that is pinned as A."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from core.contracts.result import Result
from gui.pages.kernel_lab import view_data
from gui.pages.kernel_lab.compare import differences
from gui.pages.kernel_lab.tables import DifferenceTable, FaultList, LineTable
from gui.widgets.switcher import Switcher

_FAULTS, _CHANGES = 1, 2
_NO_PIN = "Pin a run as A, then run again: the differences in bytes appear here."
_IS_PIN = "This run is A: change the kernel and run again to see the differences in bytes."


class Findings(Switcher):
    """`picked` carries what a row stands for: some of launch, file, line, program and tensor."""

    picked = Signal(dict)

    def __init__(self, parent: QWidget | None = None) -> None:
        self.lines, self.faults, self.changes = LineTable(), FaultList(), DifferenceTable()
        super().__init__([("Lines", self.lines), ("Faults", self.faults), ("A against B", self.changes)], parent)
        self.pinned: Result | None = None
        self.lines.row_picked.connect(lambda row: self.picked.emit(_kinds(self.lines.lines[row])))
        self.faults.row_picked.connect(lambda row: self.picked.emit(_kinds(self.faults.faults[row])))
        self.changes.row_picked.connect(self._on_change)

    def show_run(self, result: Result) -> None:
        """List the faults of a run and compare it with A; what there is to see comes to the front."""
        self.show_faults(result)
        if self.pinned is not None and result is not self.pinned:
            self.changes.set_differences(differences(self.pinned, result))
            self.show_picture(_CHANGES)
        if self.faults.faults:
            self.show_picture(_FAULTS)

    def show_faults(self, result: Result) -> None:
        self.faults.set_faults(view_data.faults(result))

    def show_launch(self, result: Result, launch: int) -> None:
        """List the traffic of one launch of a run."""
        self.lines.set_lines(result.tables.get("lines", []), launch)

    def clear(self) -> None:
        """Back to before a run; A stays pinned."""
        self.lines.show_sentence("The traffic of each source line is listed here.")
        self.faults.faults = []
        self.faults.show_sentence("Out-of-bounds accesses and write-write races are listed here.")
        self.changes.show_sentence(_NO_PIN if self.pinned is None else _IS_PIN)

    def pin(self, result: Result | None) -> None:
        """Make a run A; None lets it go."""
        self.pinned = result
        self.changes.show_sentence(_NO_PIN if result is None else _IS_PIN)
        if result is not None:
            self.show_picture(_CHANGES)

    def pick_line(self, file: str | None, line: int | None) -> None:
        """Mark the rows of a line, as another view selected it."""
        self.lines.pick_line(file, line)
        self.faults.pick_line(file, line)

    def _on_change(self, row: int) -> None:
        change = self.changes.differences[row]
        if change.kind == "line" and change.file:
            self.picked.emit({"file": change.file, "line": change.line})
        elif change.kind == "tensor":
            self.picked.emit({"tensor": change.tensor})


def _kinds(row: dict[str, Any]) -> dict[str, Any]:
    return {kind: row[kind] for kind in ("launch", "file", "line", "program", "tensor") if kind in row}
