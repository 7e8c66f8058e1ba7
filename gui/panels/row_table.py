"""A small table of rows, sorted by any column: one sentence where there are none."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import (
    QAbstractTableModel,
    QEvent,
    QItemSelectionModel,
    QModelIndex,
    QPersistentModelIndex,
    Qt,
    Signal,
)
from PySide6.QtGui import QColor, QFontMetrics
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QLabel, QStackedLayout, QTableView, QWidget

from core.result import Row
from gui import theme
from gui.panels.report_columns import Column
from gui.plots.arrow_keys import keeps_arrows

_ROW_PX, _CELL_EDGE_PX, _HEAD_EDGE_PX, _WIDEST_PX = 22, 22, 24, 420
Index = QModelIndex | QPersistentModelIndex
_Select = QItemSelectionModel.SelectionFlag


class RowTable(QWidget):
    """`key` is the column that tells rows apart; `picked` carries its value in a row that a person went to."""

    picked = Signal(str)

    def __init__(self, columns: Sequence[Column], key: str, empty: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.model = _Model(tuple(columns), key)
        self.model.setParent(self)
        self.table = _View(self)
        self._sentence = QLabel(empty)
        self._sentence.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._sentence.setWordWrap(True)
        self._stack = QStackedLayout(self)
        self._stack.addWidget(self._sentence)
        self._stack.addWidget(self.table)
        theme.notifier().changed.connect(self._restyle)
        self._restyle(theme.current())

    @property
    def is_empty(self) -> bool:
        return self._stack.currentWidget() is self._sentence

    @property
    def rows(self) -> tuple[Row, ...]:
        """In the order in which they are shown."""
        return tuple(self.model.shown)

    def set_rows(self, rows: Sequence[Row], empty: str | None = None) -> None:
        """Show these in the order that a person chose; none shows a sentence. What is marked stays marked."""
        if list(rows) != self.model.rows:
            marked = self.model.marked
            self.table.quietly(lambda: self.model.set_rows(rows))
            self.table.fit()
            self.mark(marked, again=True)
        if empty is not None:
            self._sentence.setText(empty)
        self._stack.setCurrentWidget(self.table if rows else self._sentence)

    def mark(self, key: str | None, *, again: bool = False) -> None:
        """Show that a row is selected; None, or one that is not there, none. Emits nothing."""
        if key == self.model.marked and not again:
            return
        self.model.marked = key
        row = next((at for at, row in enumerate(self.model.shown) if row[self.model.key] == key), None)
        if row is None:
            self.table.quietly(self.table.clearSelection)
        else:
            index, how = self.model.index(row, 0), _Select.ClearAndSelect | _Select.Rows
            self.table.quietly(lambda: self.table.selectionModel().setCurrentIndex(index, how))

    def reached(self, index: QModelIndex) -> None:
        """A person went to a row."""
        key = str(self.model.shown[index.row()][self.model.key])
        self.model.marked = key
        self.picked.emit(key)

    def _restyle(self, now: theme.Theme) -> None:
        self._sentence.setStyleSheet(f"color: {now.muted}; padding: 12px;")


class _Model(QAbstractTableModel):
    def __init__(self, columns: tuple[Column, ...], key: str) -> None:
        super().__init__()
        self.columns, self.key = columns, key
        self.rows: list[Row] = []
        self.shown: list[Row] = []
        self.marked: str | None = None
        self._sorted_by, self._order = -1, Qt.SortOrder.AscendingOrder

    def set_rows(self, rows: Sequence[Row]) -> None:
        self.beginResetModel()
        self.rows = list(rows)
        self.shown = self._in_order()
        self.endResetModel()

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """By a column's values; what has none comes last either way."""
        self.layoutAboutToBeChanged.emit()
        before = self.persistentIndexList()
        kept = [self.shown[index.row()] for index in before]
        self._sorted_by, self._order = column, order
        self.shown = self._in_order()
        places = {id(row): at for at, row in enumerate(self.shown)}
        after = [self.index(places[id(row)], index.column()) for row, index in zip(kept, before, strict=True)]
        self.changePersistentIndexList(before, after)
        self.layoutChanged.emit()

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self.shown)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self.columns)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if orientation is not Qt.Orientation.Horizontal or section >= len(self.columns):
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return self.columns[section].title
        if role == Qt.ItemDataRole.ToolTipRole:
            return self.columns[section].help
        return _side(self.columns[section]) if role == Qt.ItemDataRole.TextAlignmentRole else None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        column, row = self.columns[index.column()], self.shown[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return column.text(row)
        if role == Qt.ItemDataRole.ToolTipRole:
            return column.exact(row)
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _side(column)
        if role == Qt.ItemDataRole.FontRole:
            return theme.ui_font("small") if not column.number else theme.mono_font("small")
        if role == Qt.ItemDataRole.ForegroundRole and column.name == "error":
            return QColor(theme.current().bad)
        return None

    def _in_order(self) -> list[Row]:
        if not 0 <= self._sorted_by < len(self.columns):
            return list(self.rows)
        return self.columns[self._sorted_by].in_order(self.rows, self._order == Qt.SortOrder.DescendingOrder)


class _View(QTableView):
    def __init__(self, owner: RowTable) -> None:
        super().__init__()
        self._owner, self._quiet = owner, False
        self.setModel(owner.model)
        self.setSortingEnabled(True)
        self.sortByColumn(-1, Qt.SortOrder.AscendingOrder)
        self.setShowGrid(False)
        self.setAlternatingRowColors(True)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(_ROW_PX)
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        header.setMinimumSectionSize(30)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        self.selectionModel().currentRowChanged.connect(self._on_current)

    def quietly(self, change: Callable[[], object]) -> None:
        """Do something that is not a person's doing."""
        self._quiet = True
        change()
        self._quiet = False

    def fit(self) -> None:
        """Columns as wide as their longest text. Once a change of rows: Qt's own way asks for every cell many times."""
        head = QFontMetrics(theme.ui_font("body", bold=True))
        for at, column in enumerate(self._owner.model.columns):
            metrics = QFontMetrics(theme.mono_font("small") if column.number else theme.ui_font())
            texts = {column.text(row) for row in self._owner.model.rows}
            wide = max((metrics.horizontalAdvance(text) for text in texts), default=0) + _CELL_EDGE_PX
            self.setColumnWidth(at, min(_WIDEST_PX, max(wide, head.horizontalAdvance(column.title) + _HEAD_EDGE_PX)))

    def event(self, event: QEvent) -> bool:
        return keeps_arrows(event) or super().event(event)

    def _on_current(self, index: QModelIndex) -> None:
        if not self._quiet and index.isValid():
            self._owner.reached(index)


def _side(column: Column) -> Qt.AlignmentFlag:
    side = Qt.AlignmentFlag.AlignRight if column.number else Qt.AlignmentFlag.AlignLeft
    return side | Qt.AlignmentFlag.AlignVCenter
