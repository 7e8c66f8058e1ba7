"""A small table of rows, sorted by any column: one sentence where there are none."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import (
    QAbstractTableModel,
    QItemSelectionModel,
    QModelIndex,
    QPersistentModelIndex,
    Qt,
    Signal,
)
from PySide6.QtGui import QColor, QFontMetrics
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QWidget

from core.contracts.result import Row
from gui import theme
from gui.widgets.columns import Column
from gui.widgets.told_table import QuietTable, ToldTable

_ROW_PX, _CELL_EDGE_PX, _HEAD_EDGE_PX, _WIDEST_PX = 22, 22, 24, 420
Index = QModelIndex | QPersistentModelIndex
_Select = QItemSelectionModel.SelectionFlag


class RowTable(ToldTable):
    """`key` is the column that tells rows apart; `picked` carries its value in a row that a person went to."""

    picked = Signal(str)

    def __init__(self, columns: Sequence[Column], key: str, empty: str, parent: QWidget | None = None) -> None:
        model = _Model(tuple(columns), key)
        super().__init__(_View(model), empty, parent)
        self.model = model

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
        self._show_table(bool(rows))

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


class _View(QuietTable):
    def __init__(self, model: _Model) -> None:
        super().__init__(model)
        self._rows = model
        self.setSortingEnabled(True)
        self.sortByColumn(-1, Qt.SortOrder.AscendingOrder)
        self.setWordWrap(False)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.verticalHeader().setDefaultSectionSize(_ROW_PX)
        header = self.horizontalHeader()
        header.setMinimumSectionSize(30)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)

    def fit(self) -> None:
        """Columns as wide as their longest text. Once a change of rows: Qt's own way asks for every cell many times."""
        head = QFontMetrics(theme.ui_font("body", bold=True))
        for at, column in enumerate(self._rows.columns):
            metrics = QFontMetrics(theme.mono_font("small") if column.number else theme.ui_font())
            texts = {column.text(row) for row in self._rows.rows}
            wide = max((metrics.horizontalAdvance(text) for text in texts), default=0) + _CELL_EDGE_PX
            self.setColumnWidth(at, min(_WIDEST_PX, max(wide, head.horizontalAdvance(column.title) + _HEAD_EDGE_PX)))


def _side(column: Column) -> Qt.AlignmentFlag:
    side = Qt.AlignmentFlag.AlignRight if column.number else Qt.AlignmentFlag.AlignLeft
    return side | Qt.AlignmentFlag.AlignVCenter
