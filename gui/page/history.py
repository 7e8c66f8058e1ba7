"""The past runs of a topic: reopen, save, export, delete and undo the deletion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QAbstractItemView, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from core.contracts.text import EMPTY, Text, tr, tr_in, tr_plural
from core.engine.history import HistoryEntry
from core.format import format_quantity, quantity
from gui.translation import show_text
from gui.widgets.record_model import Column
from gui.widgets.record_table import RecordTable


class HistoryPanel(QWidget):
    """Shows runs and requests changes, which the owner of the history makes. Signals carry the id of a run."""

    reopen_requested = Signal(object)
    save_requested = Signal(object)
    pin_requested = Signal(object)
    export_requested = Signal(object)
    delete_requested = Signal(object)
    undo_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._defaults: Mapping[str, Any] = {}
        self.table: RecordTable[HistoryEntry] = RecordTable(
            self._columns(), lambda entry: entry.id, tr("Finished runs appear here.")
        )
        self.table.view.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.reopen = _button(tr("Reopen"))
        self.save = _button(tr("Save run…"))
        show_text(self.save.setToolTip, tr("Save the run as one file that opens on any machine"))
        self.pin = _button(tr("Pin as A"))
        show_text(self.pin.setToolTip, tr("Keep this run as A, to compare the next run, B, with it"))
        self.export = _button(tr("Export…"))
        self.delete = _button(tr("Delete"))
        self.undo = _button(tr("Undo delete"))
        self._hint = QLabel()
        self._hint.setProperty("role", "small")
        self._lay_out()
        self._connect()
        self.set_entries([])
        self.set_undo(False)

    def set_defaults(self, defaults: Mapping[str, Any]) -> None:
        """The default parameters: only values that differ from them are listed."""
        self._defaults = defaults

    def set_entries(self, entries: Sequence[HistoryEntry], unreadable: int = 0) -> None:
        """Newest first; `unreadable` is how many more runs there are that could not be read."""
        self.table.set_rows(entries)
        size = quantity(sum(entry.size_bytes for entry in entries), "bytes")
        count = tr_plural("{count} run, {size}", "{count} runs, {size}", count=len(entries), size=size)
        missing = tr_plural(
            "{count} run of {total} could not be read.",
            "{count} runs of {total} could not be read.",
            count=unreadable,
            total=len(entries) + unreadable,
        )
        hint = count if entries else EMPTY
        show_text(self._hint.setText, tr("{runs}. {missing}", runs=count, missing=missing) if unreadable else hint)
        self._enable()

    def set_undo(self, possible: bool) -> None:
        """Whether there is a deletion to undo."""
        self.undo.setVisible(possible)

    @property
    def selected(self) -> Any:
        """The id of the selected run, or None."""
        return next((entry.id for entry in self.table.selected), None)

    def _columns(self) -> tuple[Column[HistoryEntry], ...]:
        return (
            Column(
                "when",
                tr_in("column", "Started"),
                tr("When the run started"),
                lambda entry: entry.started_at.astimezone(),
                _clock,
                number=False,
            ),
            Column(
                "device",
                tr("Device"),
                tr("The device of the run"),
                lambda entry: entry.environment.get("device", ""),
                number=False,
            ),
            Column("took", tr("Duration"), tr("How long the run took"), lambda entry: entry.wall_s, _seconds, "s"),
            Column(
                "params",
                tr("Parameters"),
                tr("Parameters that differ from the defaults"),
                self._changed,
                number=False,
                stretch=True,
            ),
        )

    def _changed(self, entry: HistoryEntry) -> str:
        changed = [f"{name}={value}" for name, value in entry.params.items() if self._defaults.get(name) != value]
        return "  ".join(changed) or str(tr("defaults"))

    def _connect(self) -> None:
        self.table.view.selectionModel().selectionChanged.connect(lambda *_: self._enable())
        self.table.view.doubleClicked.connect(lambda _: self.reopen.click())
        self.undo.clicked.connect(self.undo_requested)
        for button, signal in (
            (self.reopen, self.reopen_requested),
            (self.pin, self.pin_requested),
            (self.save, self.save_requested),
            (self.export, self.export_requested),
            (self.delete, self.delete_requested),
        ):
            button.clicked.connect(lambda _=False, signal=signal: signal.emit(self.selected))
        keys = QShortcut(QKeySequence(Qt.Key.Key_Delete), self.table.view, context=Qt.ShortcutContext.WidgetShortcut)
        keys.activated.connect(self.delete.click)

    def _enable(self) -> None:
        for button in (self.reopen, self.pin, self.save, self.export, self.delete):
            button.setEnabled(self.selected is not None)

    def _lay_out(self) -> None:
        bar = QHBoxLayout()
        bar.setContentsMargins(8, 6, 8, 2)
        bar.setSpacing(6)
        bar.addWidget(self._hint)
        bar.addStretch(1)
        for button in (self.undo, self.reopen, self.pin, self.save, self.export, self.delete):
            bar.addWidget(button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addLayout(bar)
        layout.addWidget(self.table, 1)


def _button(text: Text) -> QPushButton:
    button = QPushButton()
    show_text(button.setText, text)
    return button


def _clock(when: datetime) -> str:
    return when.strftime("%Y-%m-%d %H:%M:%S")


def _seconds(value: float) -> str:
    return format_quantity(value, "s")
