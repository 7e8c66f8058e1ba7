"""The past runs of a topic: reopen, export, delete and undo the deletion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from core.engine.history import HistoryEntry
from core.format import format_quantity

_COLUMNS = ("When", "Device", "Took", "Parameters")
_WIDTHS_PX = (150, 190, 90)


class HistoryPanel(QWidget):
    """Shows rows and asks; whoever owns the history answers. Signals carry the id of the run picked."""

    reopen_requested = Signal(object)
    export_requested = Signal(object)
    delete_requested = Signal(object)
    undo_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._entries: list[HistoryEntry] = []
        self._defaults: Mapping[str, Any] = {}
        self.table = QTableWidget(0, len(_COLUMNS))
        self.reopen = QPushButton("Reopen")
        self.export = QPushButton("Export…")
        self.delete = QPushButton("Delete")
        self.undo = QPushButton("Undo delete")
        self._hint = QLabel()
        self._hint.setProperty("role", "small")
        self._style_table()
        self._lay_out()
        self._connect()
        self.set_entries([])
        self.set_undo(False)

    def set_defaults(self, defaults: Mapping[str, Any]) -> None:
        """The parameters that go without saying: only others are listed."""
        self._defaults = defaults

    def set_entries(self, entries: Sequence[HistoryEntry]) -> None:
        """Newest first."""
        self._entries = list(entries)
        self.table.setRowCount(len(self._entries))
        for index, entry in enumerate(self._entries):
            for column, text in enumerate(self._texts(entry)):
                item = QTableWidgetItem(text)
                item.setToolTip(text)
                self.table.setItem(index, column, item)
        kept = format_quantity(sum(entry.size_bytes for entry in self._entries), "bytes")
        self._hint.setText(
            f"{len(entries)} {'run' if len(entries) == 1 else 'runs'}, {kept}"
            if entries
            else "Finished runs are kept here."
        )
        self._enable()

    def set_undo(self, possible: bool) -> None:
        """Whether there is a deletion to take back."""
        self.undo.setVisible(possible)

    @property
    def selected(self) -> Any:
        """The id of the run picked, or None."""
        index = self.table.currentRow()
        picked = 0 <= index < len(self._entries) and bool(self.table.selectedItems())
        return self._entries[index].id if picked else None

    def _texts(self, entry: HistoryEntry) -> tuple[str, ...]:
        when = entry.started_at.astimezone().strftime("%Y-%m-%d %H:%M:%S")
        changed = [f"{name}={value}" for name, value in entry.params.items() if self._defaults.get(name) != value]
        took = format_quantity(entry.wall_s, "s")
        return when, entry.environment.get("device", ""), took, "  ".join(changed) or "defaults"

    def _connect(self) -> None:
        self.table.itemSelectionChanged.connect(self._enable)
        self.table.itemDoubleClicked.connect(lambda _: self.reopen.click())
        self.undo.clicked.connect(self.undo_requested)
        for button, signal in (
            (self.reopen, self.reopen_requested),
            (self.export, self.export_requested),
            (self.delete, self.delete_requested),
        ):
            button.clicked.connect(lambda _=False, signal=signal: signal.emit(self.selected))
        keys = QShortcut(QKeySequence(Qt.Key.Key_Delete), self.table, context=Qt.ShortcutContext.WidgetShortcut)
        keys.activated.connect(self.delete.click)

    def _enable(self) -> None:
        for button in (self.reopen, self.export, self.delete):
            button.setEnabled(self.selected is not None)

    def _style_table(self) -> None:
        self.table.setHorizontalHeaderLabels(_COLUMNS)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setShowGrid(False)
        self.table.setAlternatingRowColors(True)
        self.table.setWordWrap(False)
        self.table.verticalHeader().hide()
        self.table.verticalHeader().setDefaultSectionSize(23)
        header = self.table.horizontalHeader()
        header.setStretchLastSection(True)
        header.setHighlightSections(False)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        for column, width in enumerate(_WIDTHS_PX):
            self.table.setColumnWidth(column, width)

    def _lay_out(self) -> None:
        bar = QHBoxLayout()
        bar.setContentsMargins(8, 6, 8, 2)
        bar.setSpacing(6)
        bar.addWidget(self._hint)
        bar.addStretch(1)
        for button in (self.undo, self.reopen, self.export, self.delete):
            bar.addWidget(button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addLayout(bar)
        layout.addWidget(self.table, 1)
