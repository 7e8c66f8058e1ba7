"""Rows of a report, filtered and sorted: as quick with 60,000 of them as with six."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import itemgetter

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt
from PySide6.QtGui import QColor

from core.contracts.result import Row
from gui import theme
from gui.widgets.columns import Column, matching

BAR_ROLE = Qt.ItemDataRole.UserRole
"""0 to 1: how long the bar behind a cell is; None where it has none."""

_KEYS = ("tensor", "format", "layer")
Index = QModelIndex | QPersistentModelIndex


class ReportModel(QAbstractTableModel):
    """Sorts and filters itself: a QSortFilterProxyModel asks Python for two values at each comparison, which holds the
    window up for a large report."""

    def __init__(self) -> None:
        super().__init__()
        self.columns: tuple[Column, ...] = ()
        self.shown: list[Row] = []
        self.total = 0
        """Rows of the chosen format, whatever the filter lets through."""
        self.key: Callable[[Row], object] = itemgetter("tensor")
        """What a row is known by while a report grows: the tensor or the layer, and the format."""
        self._font = theme.mono_font("small")
        self._rows: Sequence[Row] = ()
        self._format = ""
        self._text = ""
        self._sorted_by, self._order = -1, Qt.SortOrder.AscendingOrder
        self._longest = 0.0

    def set_columns(self, columns: tuple[Column, ...]) -> None:
        """Other columns, in the rows' own order."""
        if columns != self.columns:
            self.beginResetModel()
            self.columns, self.shown, self._rows, self._sorted_by = columns, [], (), -1
            names = [column.name for column in columns if column.name in _KEYS]
            self.key = itemgetter(*names)
            self.endResetModel()

    def show(self, rows: Sequence[Row], format_id: str, text: str) -> None:
        """Show the rows of one format ('' for all) that `text` asks for."""
        chooses = format_id and rows and "format" in rows[0]
        of_format = [row for row in rows if row["format"] == format_id] if chooses else list(rows)
        self.beginResetModel()
        self._rows, self.total = rows, len(of_format)
        self.shown = self._in_order(matching(of_format, text))
        self._longest = max((row.get("snr_db") or 0.0 for row in of_format), default=0.0)
        self.endResetModel()

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """By a column's values; what has none comes last either way. Column -1 is the rows' own order."""
        self._sorted_by, self._order = column, order
        self.layoutAboutToBeChanged.emit()
        before = self.persistentIndexList()
        keys = [self.key(self.shown[index.row()]) for index in before]
        kept = set(map(id, self.shown)) if column < 0 else set()
        self.shown = self._in_order([row for row in self._rows if id(row) in kept] if kept else self.shown)
        places = self.places() if before else {}
        after = [self.index(places[key], index.column()) for key, index in zip(keys, before, strict=True)]
        self.changePersistentIndexList(before, after)
        self.layoutChanged.emit()

    def places(self) -> dict[object, int]:
        """Where each row is shown, by its key."""
        return {key: at for at, key in enumerate(map(self.key, self.shown))}

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self.shown)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self.columns)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if orientation is not Qt.Orientation.Horizontal or section >= len(self.columns):
            return None
        column = self.columns[section]
        if role == Qt.ItemDataRole.DisplayRole:
            return column.title
        if role == Qt.ItemDataRole.ToolTipRole:
            return column.help
        return _alignment(column) if role == Qt.ItemDataRole.TextAlignmentRole else None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        column, row = self.columns[index.column()], self.shown[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return column.text(row)
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _alignment(column)
        if role == Qt.ItemDataRole.ToolTipRole:
            return column.exact(row)
        if role == Qt.ItemDataRole.FontRole:
            return self._font
        if role == Qt.ItemDataRole.ForegroundRole and column.name == "nonfinite" and row["nonfinite"]:
            return QColor(theme.current().bad)
        if role == BAR_ROLE and column.name == "snr_db" and row["snr_db"] is not None and self._longest > 0:
            return min(1.0, max(0.0, row["snr_db"] / self._longest))
        return None

    def _in_order(self, rows: list[Row]) -> list[Row]:
        if not 0 <= self._sorted_by < len(self.columns):
            return rows
        return self.columns[self._sorted_by].in_order(rows, self._order == Qt.SortOrder.DescendingOrder)


def _alignment(column: Column) -> Qt.AlignmentFlag:
    side = Qt.AlignmentFlag.AlignRight if column.number else Qt.AlignmentFlag.AlignLeft
    return side | Qt.AlignmentFlag.AlignVCenter
