"""Tokens and their position ids: one column per token, one row per way of counting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QHeaderView, QLabel, QTableView, QVBoxLayout, QWidget

from core.contracts.text import Text, sentences, tr
from core.language import ENGLISH
from gui import theme
from gui.translation import show_text
from gui.widgets.data_table import DataTable, table_of

_Index = QModelIndex | QPersistentModelIndex


@dataclass(frozen=True)
class PositionRow:
    """A title and one cell per token."""

    title: Text
    cells: tuple[str, ...]


class PositionModel(QAbstractTableModel):
    """The rows as Qt reads them; columns are numbered by place."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: tuple[PositionRow, ...] = ()

    def set_rows(self, rows: Sequence[PositionRow]) -> None:
        self.beginResetModel()
        self.rows = tuple(rows)
        self.endResetModel()

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008, as Qt declares it
        return 0 if parent.isValid() else len(self.rows)

    def columnCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() or not self.rows else len(self.rows[0].cells)

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        row, column = index.row(), index.column()
        if role == Qt.ItemDataRole.DisplayRole:
            return self.rows[row].cells[column]
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return Qt.AlignmentFlag.AlignCenter
        if role == Qt.ItemDataRole.ForegroundRole and row > 1 and self._is_shifted(row, column):
            return QColor(theme.current().accent)
        return None

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if role != Qt.ItemDataRole.DisplayRole:
            return None
        return str(section) if orientation is Qt.Orientation.Horizontal else str(self.rows[section].title)

    def _is_shifted(self, row: int, column: int) -> bool:
        return self.rows[row].cells[column] != self.rows[1].cells[column]


class PositionTable(QWidget):
    """The table, and below it what rotary embeddings make of it, or why there is nothing to make."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.model, self.view = PositionModel(), QTableView()
        self.view.setModel(self.model)
        self.view.setSelectionMode(QTableView.SelectionMode.NoSelection)
        self.view.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        show_text(self.view.setAccessibleName, tr("Position ids"))
        self.caption = QLabel()
        self.caption.setProperty("role", "small")
        self.caption.setWordWrap(True)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.view, 1)
        column.addWidget(self.caption)

    def set_rows(self, rows: Sequence[PositionRow], remarks: Sequence[Text]) -> None:
        """The tokens, then the ways of counting, and the remarks on those that differ."""
        self.model.set_rows(rows)
        self.view.resizeColumnsToContents()
        nothing_differs = _SAME if len(rows) > 1 else _NO_POSITIONS
        show_text(self.caption.setText, sentences(*remarks) if remarks else nothing_differs)

    def data_table(self) -> DataTable | None:
        """One row per token: its place, the token, and its position id by each way of counting."""
        if not self.model.rows:
            return None
        columns = {row.title.in_language(ENGLISH): row.cells for row in self.model.rows}
        return table_of({"place": range(self.model.columnCount()), **columns})


_SAME = tr("No pad comes before a token, and there is one document: every way of counting gives these position ids.")
_NO_POSITIONS = tr("Cross-attention compares two texts: models use no position distances here.")
