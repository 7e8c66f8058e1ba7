"""The two lists of kernel-lab: what went wrong, and what changed between two runs."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QColor
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QLabel,
    QStackedLayout,
    QTableWidget,
    QTableWidgetItem,
    QWidget,
)

from core.contracts.result import Row
from core.format import format_quantity
from gui import theme
from gui.pages.kernel_lab.compare import Difference

_ROW_PX = 23


class Listing(QWidget):
    """A table, or one sentence in its place. `row_picked` carries the number of a row that was clicked.

    The column `stretched` takes the room that the others leave; -1 lets each be as wide as its texts.
    """

    row_picked = Signal(int)

    def __init__(self, columns: Sequence[str], stretched: int, empty: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.table = QTableWidget(0, len(columns))
        self.table.setHorizontalHeaderLabels(columns)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.table.setShowGrid(False)
        self.table.setAlternatingRowColors(True)
        self.table.setWordWrap(False)
        self.table.verticalHeader().hide()
        self.table.verticalHeader().setDefaultSectionSize(_ROW_PX)
        header = self.table.horizontalHeader()
        header.setHighlightSections(False)
        header.setMinimumSectionSize(30)
        for column in range(len(columns)):
            mode = QHeaderView.ResizeMode.Stretch if column == stretched else QHeaderView.ResizeMode.ResizeToContents
            header.setSectionResizeMode(column, mode)
        self._sentence = QLabel(empty)
        self._sentence.setProperty("role", "empty")
        self._sentence.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._sentence.setWordWrap(True)
        self._stack = QStackedLayout(self)
        self._stack.addWidget(self._sentence)
        self._stack.addWidget(self.table)
        self.table.cellClicked.connect(lambda row, _: self.row_picked.emit(row))
        self.table.cellActivated.connect(lambda row, _: self.row_picked.emit(row))

    @property
    def sentence(self) -> str:
        """What stands in place of the table, '' while there are rows."""
        return self._sentence.text() if self._stack.currentWidget() is self._sentence else ""

    def show_sentence(self, sentence: str) -> None:
        self._sentence.setText(sentence)
        self._stack.setCurrentWidget(self._sentence)

    def fill(self, rows: Sequence[Sequence[str]], right: frozenset[int], tips: Sequence[str]) -> None:
        """Show rows of texts; those of the columns in `right` stand at the right."""
        self.table.setRowCount(len(rows))
        for at, (texts, tip) in enumerate(zip(rows, tips, strict=True)):
            for column, text in enumerate(texts):
                item = QTableWidgetItem(text)
                side = Qt.AlignmentFlag.AlignRight if column in right else Qt.AlignmentFlag.AlignLeft
                item.setTextAlignment(side | Qt.AlignmentFlag.AlignVCenter)
                item.setToolTip(tip)
                self.table.setItem(at, column, item)
        self._stack.setCurrentWidget(self.table)

    def pick(self, row: int | None) -> None:
        """Show that a row is selected; emits nothing."""
        if row is None:
            self.table.clearSelection()
        else:
            self.table.selectRow(row)


class FaultList(Listing):
    """Out-of-bounds accesses and races, each with its place."""

    def __init__(self, parent: QWidget | None = None) -> None:
        columns = ("Line", "What is wrong")
        super().__init__(columns, 1, "Out-of-bounds accesses and write-write races are listed here.", parent)
        self.faults: list[Row] = []
        self.table.setWordWrap(True)
        self.table.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        theme.notifier().changed.connect(self._colour)

    def set_faults(self, faults: Sequence[Row]) -> None:
        """Rows of the table 'faults' of a run; none says so."""
        self.faults = list(faults)
        if not faults:
            self.show_sentence("Nothing out of bounds, no write-write race.")
            return
        rows = []
        for fault in faults:
            rows.append((str(fault["line"]), fault["sentence"]))
        self.fill(rows, frozenset((0,)), [f"{fault['kind']}: {fault['count']:,} elements or bytes" for fault in faults])
        self._colour()

    def pick_line(self, file: str | None, line: int | None) -> None:
        """Mark the fault of a line, as another view selected it."""
        found = (at for at, fault in enumerate(self.faults) if (fault["file"], fault["line"]) == (file, line))
        self.pick(next(found, None))

    def _colour(self) -> None:
        for row in range(self.table.rowCount()):
            item = self.table.item(row, 0)
            if item is not None:
                item.setForeground(QColor(theme.current().bad))


class LineTable(Listing):
    """What each source line asked of each tensor."""

    def __init__(self, parent: QWidget | None = None) -> None:
        columns = ("Line", "Access", "Bytes", "Distinct", "Reuse", "Masked")
        super().__init__(columns, -1, "The traffic of each source line is listed here.", parent)
        self.lines: list[Row] = []

    def set_lines(self, rows: Sequence[Row], launch: int) -> None:
        """The rows of a launch in the table 'lines' of a run."""
        self.lines = [row for row in rows if row["launch"] == launch]
        texts = [
            (
                str(row["line"]),
                f"{row['kind']} {row['tensor']}",
                format_quantity(row["bytes"], "bytes"),
                format_quantity(row["unique_bytes"], "bytes"),
                format_quantity(row["reuse"], "x"),
                f"{100 * row['masked_share']:.3g}%",
            )
            for row in self.lines
        ]
        tips = [f"{row['file']}:{row['line']}: {row['accesses']:,} accesses, {row['bytes']:,} B" for row in self.lines]
        self.fill(texts, frozenset((0, 2, 3, 4, 5)), tips)

    def pick_line(self, file: str | None, line: int | None) -> None:
        """Mark a line, as another view selected it."""
        found = (at for at, row in enumerate(self.lines) if (row["file"], row["line"]) == (file, line))
        self.pick(next(found, None))


class DifferenceTable(Listing):
    """Bytes of A and of B, with signed differences: fewer in green, more in red."""

    def __init__(self, parent: QWidget | None = None) -> None:
        empty = "Pin a run as A, change the kernel and run again: the differences in bytes appear here."
        super().__init__(("Bytes of", "A", "B", "B − A", ""), 0, empty, parent)
        self.differences: list[Difference] = []
        theme.notifier().changed.connect(self._colour)

    def set_differences(self, differences: Sequence[Difference]) -> None:
        self.differences = list(differences)
        rows = [
            (
                d.label,
                format_quantity(d.a_bytes, "bytes"),
                format_quantity(d.b_bytes, "bytes"),
                signed_bytes(d.delta_bytes),
                "" if d.share is None or not d.delta_bytes else f"{100 * d.share:+.1f}%".replace("-", "−"),
            )
            for d in differences
        ]
        tips = [f"{d.label}: {d.a_bytes:,} B in A, {d.b_bytes:,} B in B ({d.delta_bytes:+,} B)" for d in differences]
        self.fill(rows, frozenset((1, 2, 3, 4)), tips)
        self._colour()

    def _colour(self) -> None:
        colours = theme.current()
        for row, difference in enumerate(self.differences):
            delta = difference.delta_bytes
            ink = colours.good if delta < 0 else colours.bad if delta > 0 else colours.faint
            for column in (3, 4):
                item = self.table.item(row, column)
                if item is not None:
                    item.setForeground(QColor(ink))


def signed_bytes(count: int) -> str:
    """'+1.05 MB', '−512 B', '0 B'."""
    sign = "+" if count > 0 else "−" if count < 0 else ""
    return f"{sign}{format_quantity(abs(count), 'bytes')}"
