"""Tokens and their position ids: one column per token, one row per way of counting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QHeaderView, QTableView, QVBoxLayout, QWidget

from core.contracts.text import Text, tr
from gui import theme
from gui.translation import show_text
from gui.widgets.fitted_label import FittedLabel

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
    """The table, and a line that says what it is when no way of counting differs."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.model, self.view = PositionModel(), QTableView()
        self.view.setModel(self.model)
        self.view.setSelectionMode(QTableView.SelectionMode.NoSelection)
        self.view.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        show_text(self.view.setAccessibleName, tr("Position ids"))
        self._caption = FittedLabel(_DIFFER, _DIFFER)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.view, 1)
        column.addWidget(self._caption)

    def set_rows(self, rows: Sequence[PositionRow]) -> None:
        """The tokens, then the ways of counting."""
        self.model.set_rows(rows)
        self.view.resizeColumnsToContents()
        self._caption.set_wordings(_DIFFER if len(rows) > 2 else _SAME if len(rows) == 2 else _NO_POSITIONS)


_DIFFER = tr("Position ids of the keys by way of counting. The remark above says what rotary embeddings make of it.")
_SAME = tr("No pad comes before a token, and there is one document: every way of counting gives these position ids.")
_NO_POSITIONS = tr("Cross-attention compares two texts: models use no position distances here.")
