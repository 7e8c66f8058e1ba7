"""A table of whole rows, or one sentence in its place. Programmatic selection emits no signal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from PySide6.QtCore import QAbstractTableModel, QEvent, QModelIndex, Signal
from PySide6.QtGui import QFocusEvent, QShowEvent
from PySide6.QtWidgets import QAbstractItemView, QSizePolicy, QStackedLayout, QTableView, QWidget

from core import language
from core.contracts.text import Text
from gui import theme, translation
from gui.widgets.empty_sentence import EmptySentence
from gui.widgets.keyboard_nav import keeps_arrows


class TableView(QTableView):
    """Rows are selected whole, and nothing is edited. The arrows stay with the table while it has the focus.

    `row_reached` carries the row that the user clicked or walked to.
    """

    row_reached = Signal(int)

    def __init__(self, model: QAbstractTableModel) -> None:
        super().__init__()
        self._is_silent = False
        self.setModel(model)
        self.setShowGrid(False)
        self.setAlternatingRowColors(True)
        self.setTabKeyNavigation(False)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.verticalHeader().hide()
        self.horizontalHeader().setHighlightSections(False)
        self.selectionModel().currentRowChanged.connect(self._on_current)

    @contextmanager
    def without_signals(self) -> Iterator[None]:
        """Within the block `row_reached` is not emitted: the program changes the selection, not the user."""
        before, self._is_silent = self._is_silent, True
        try:
            yield
        finally:
            self._is_silent = before

    def event(self, event: QEvent) -> bool:
        return keeps_arrows(event) or super().event(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Qt makes the first row the current one when the focus comes by Tab; this must not select it."""
        with self.without_signals():
            super().focusInEvent(event)

    def _on_current(self, index: QModelIndex) -> None:
        if not self._is_silent and index.isValid():
            self.row_reached.emit(index.row())


class TableOrSentence(QWidget):
    """`view`, or the sentence `empty` while there are no rows."""

    def __init__(self, view: TableView, empty: Text | str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.view = view
        view.model().setParent(self)
        self._sentence = EmptySentence(empty)
        self._sentence.setProperty("role", "empty")
        self._sentence.setMargin(12)
        self._sentence.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Ignored)
        self._stack = QStackedLayout(self)
        self._stack.addWidget(self._sentence)
        self._stack.addWidget(view)
        self._language = language.current()
        theme.notifier().changed.connect(self._restyle)
        translation.notifier().changed.connect(self._follow_language)

    @property
    def is_empty(self) -> bool:
        return self._stack.currentWidget() is self._sentence

    @property
    def sentence(self) -> str:
        """The sentence shown instead of the table, '' while there are rows."""
        return self._sentence.text() if self.is_empty else ""

    def showEvent(self, event: QShowEvent) -> None:
        self._follow_language()
        super().showEvent(event)

    def retranslate(self) -> None:
        """Write headers and cells in the current language. Called for a table in view, or when it is shown."""

    def _follow_language(self) -> None:
        if self._language != language.current() and self.isVisible():
            self._language = language.current()
            self.retranslate()

    def _show_table(self, has_rows: bool) -> None:
        self._stack.setCurrentWidget(self.view if has_rows else self._sentence)

    def _restyle(self, _: theme.Theme) -> None:
        self.view.viewport().update()
