"""The card with the lists of a run: traffic per line, faults, and the differences from the run that is pinned as A."""

from __future__ import annotations

from operator import itemgetter
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from core.contracts.result import Result, Row
from gui.pages.kernel_lab import view_data
from gui.pages.kernel_lab.compare import Difference, differences
from gui.pages.kernel_lab.finding_columns import DIFFERENCE_COLUMNS, FAULT_COLUMNS, LINE_COLUMNS
from gui.widgets.record_table import RecordTable
from gui.widgets.switcher import Switcher

_FAULTS, _CHANGES = 1, 2
_NO_LINES = "The traffic of each source line is listed here."
_NO_FAULTS_YET = "Out-of-bounds accesses and write-write races are listed here."
_NO_PIN = "Pin a run as A, then run again: the differences in bytes appear here."
_IS_PIN = "This run is A: change the kernel and run again to see the differences in bytes."


class Findings(Switcher):
    """`picked` carries what a row stands for: some of launch, file, line, program and tensor."""

    picked = Signal(dict)

    def __init__(self, parent: QWidget | None = None) -> None:
        place = itemgetter("file", "line")
        self.lines: RecordTable[Row] = RecordTable(LINE_COLUMNS, place, _NO_LINES)
        self.faults: RecordTable[Row] = RecordTable(FAULT_COLUMNS, place, _NO_FAULTS_YET, wrap=True)
        self.changes: RecordTable[Difference] = RecordTable(DIFFERENCE_COLUMNS, lambda change: change, _NO_PIN)
        super().__init__([("Lines", self.lines), ("Faults", self.faults), ("A against B", self.changes)], parent)
        self.pinned: Result | None = None
        self.lines.picked.connect(lambda row: self.picked.emit(_kinds(row)))
        self.faults.picked.connect(lambda row: self.picked.emit(_kinds(row)))
        self.changes.picked.connect(self._on_change)

    def show_run(self, result: Result) -> None:
        """List the faults of a run and compare it with A; what there is to see comes to the front."""
        self.show_faults(result)
        if self.pinned is not None and result is not self.pinned:
            self.changes.set_rows(differences(self.pinned, result))
            self.show_picture(_CHANGES)
        if not self.faults.is_empty:
            self.show_picture(_FAULTS)

    def show_faults(self, result: Result) -> None:
        self.faults.set_rows(view_data.faults(result), "Nothing out of bounds, no write-write race.")

    def show_launch(self, result: Result, launch: int) -> None:
        """List the traffic of one launch of a run."""
        self.lines.set_rows([row for row in result.tables.get("lines", []) if row["launch"] == launch])

    def clear(self) -> None:
        """Back to before a run; A stays pinned."""
        self.lines.set_rows([])
        self.faults.set_rows([], _NO_FAULTS_YET)
        self.changes.set_rows([], _NO_PIN if self.pinned is None else _IS_PIN)

    def pin(self, result: Result | None) -> None:
        """Make a run A; None lets it go."""
        self.pinned = result
        self.changes.set_rows([], _NO_PIN if result is None else _IS_PIN)
        if result is not None:
            self.show_picture(_CHANGES)

    def pick_line(self, file: str | None, line: int | None) -> None:
        """Mark the rows of a line, as another view selected it."""
        self.lines.mark((file, line))
        self.faults.mark((file, line))

    def _on_change(self, change: Difference) -> None:
        if change.kind == "line" and change.file:
            self.picked.emit({"file": change.file, "line": change.line})
        elif change.kind == "tensor":
            self.picked.emit({"tensor": change.tensor})


def _kinds(row: dict[str, Any]) -> dict[str, Any]:
    return {kind: row[kind] for kind in ("launch", "file", "line", "program", "tensor") if kind in row}
