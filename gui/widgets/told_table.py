"""A table, or one sentence where it has no rows; what the program selects in it is not told as a person's doing."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QAbstractTableModel, QEvent, QModelIndex, Qt
from PySide6.QtWidgets import QAbstractItemView, QLabel, QStackedLayout, QTableView, QWidget

from gui import theme
from gui.widgets.keyboard_nav import keeps_arrows


class ToldTable(QWidget):
    """`table` and `empty`, the sentence. The arrows stay with the table while it has the focus."""

    def __init__(self, table: QuietTable, empty: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.table = table
        table.model().setParent(self)
        table.selectionModel().currentRowChanged.connect(self._on_current)
        self._sentence = QLabel(empty)
        self._sentence.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._sentence.setWordWrap(True)
        self._stack = QStackedLayout(self)
        self._stack.addWidget(self._sentence)
        self._stack.addWidget(table)
        theme.notifier().changed.connect(self._restyle)
        self._restyle(theme.current())

    @property
    def is_empty(self) -> bool:
        return self._stack.currentWidget() is self._sentence

    def reached(self, index: QModelIndex) -> None:
        """A person went to a row."""

    def _show_table(self, has_rows: bool) -> None:
        self._stack.setCurrentWidget(self.table if has_rows else self._sentence)

    def _on_current(self, index: QModelIndex) -> None:
        if not self.table.is_quiet and index.isValid():
            self.reached(index)

    def _restyle(self, now: theme.Theme) -> None:
        self._sentence.setStyleSheet(f"color: {now.muted}; padding: 12px;")
        self.table.viewport().update()


class QuietTable(QTableView):
    """Rows are selected whole, and nothing is edited."""

    def __init__(self, model: QAbstractTableModel) -> None:
        super().__init__()
        self.is_quiet = False
        self.setModel(model)
        self.setShowGrid(False)
        self.setAlternatingRowColors(True)
        self.setTabKeyNavigation(False)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.verticalHeader().hide()
        self.horizontalHeader().setHighlightSections(False)

    def quietly(self, change: Callable[[], object]) -> None:
        """Do something that is not a person's doing."""
        self.is_quiet = True
        change()
        self.is_quiet = False

    def event(self, event: QEvent) -> bool:
        return keeps_arrows(event) or super().event(event)
