"""The columns and the rows of a table: filtered and sorted as quickly with 60,000 rows as with six."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt
from PySide6.QtGui import QColor, QFont

from core.contracts.text import Text, tr
from core.format import exact_quantity
from core.outside import TIP_LIMIT, shown_label
from gui import theme
from gui.translation import plain_tip
from gui.widgets.data_table import Value, is_plain, plain

BAR_ROLE = Qt.ItemDataRole.UserRole
"""0 to 1: the length of the bar in a cell; None where there is none."""

R = TypeVar("R")
Index = QModelIndex | QPersistentModelIndex
Filter = Callable[[R], bool]


@dataclass(frozen=True)
class Column(Generic[R]):
    """One column of a table of `R`.

    `value` gets the value from a row, None if there is none; `write` formats it, and a cell without a value shows
    `missing`. `number` aligns to the right, in digits of equal width; `mono` overrides the choice of the font.
    """

    name: str
    title: Text | str
    help: Text | str
    value: Callable[[R], Any]
    write: Callable[[Any], str] = str
    unit: str = ""
    number: bool = True
    missing: str = "—"
    sample: str = ""
    """A text of the usual width, measured instead of every number of a long table."""
    order: Callable[[R], Any] | None = None
    """What rows are sorted by, if not the value."""
    tip: Callable[[R], str] | None = None
    """The tooltip, if not the exact value with its unit."""
    tone: Callable[[R], str] | None = None
    """The name of a colour of the theme ('good', 'bad', 'faint'); '' for the usual one."""
    mono: bool | None = None
    badge: bool = False
    """The value is a Provenance, painted as its chip."""
    bar: bool = False
    """A bar under the number shows its share of the largest one."""
    elide_left: bool = False
    """The texts differ at their end: one that is too long loses its beginning."""
    stretch: bool = False
    """The column takes the remaining width."""

    @property
    def alignment(self) -> Qt.AlignmentFlag:
        side = Qt.AlignmentFlag.AlignRight if self.number else Qt.AlignmentFlag.AlignLeft
        return side | Qt.AlignmentFlag.AlignVCenter

    def font(self) -> QFont:
        mono = self.number if self.mono is None else self.mono
        return theme.mono_font("small") if mono else theme.ui_font("small")

    def text(self, row: R) -> str:
        """What the cell shows."""
        value = self.value(row)
        return self.missing if value is None else shown_label(self.write(value))

    def plain_value(self, row: R) -> Value:
        """The value for other programs: a number or a text with all its digits. Of a record, what rows are sorted by
        or, without that, what the cell shows."""
        value = self.value(row)
        if is_plain(value):
            return plain(value)
        return plain(self.order(row)) if self.order is not None else self.write(value)

    def exact(self, row: R) -> str:
        """The number with every digit and its unit; of any other value, the text."""
        if self.tip is not None:
            return shown_label(self.tip(row), TIP_LIMIT)
        value = self.value(row)
        if value is None:
            return str(tr("{label}: none", label=self.help))
        return shown_label(str(exact_quantity(value, self.unit) if self.number else value), TIP_LIMIT)

    def in_order(self, rows: Sequence[R], descending: bool) -> list[R]:
        """Sorted by this column; rows without a value come last either way."""
        value = self.value
        present = [row for row in rows if value(row) is not None]
        present.sort(key=self.order or value, reverse=descending)
        return present + [row for row in rows if value(row) is None] if len(present) < len(rows) else present


def containing(columns: Sequence[Column[R]], text: str) -> Filter[R] | None:
    """Accepts rows with a cell that contains `text`, ignoring case; None for an empty text."""
    needle = text.lower()
    return (lambda row: any(needle in column.text(row).lower() for column in columns)) if needle else None


class RecordModel(QAbstractTableModel, Generic[R]):
    """Sorts and filters itself: a QSortFilterProxyModel asks Python for two values at each comparison, which blocks the
    window for a large table."""

    def __init__(self, columns: Sequence[Column[R]], key: Callable[[R], Hashable]) -> None:
        super().__init__()
        self.columns, self.key = tuple(columns), key
        self.rows: list[R] = []
        """All rows in their original order, including those that the filter rejects."""
        self.shown: list[R] = []
        self._filter: Filter[R] | None = None
        self._sorted_by, self._order = -1, Qt.SortOrder.AscendingOrder
        self._largest: dict[str, float] = {}

    def set_columns(self, columns: Sequence[Column[R]], key: Callable[[R], Hashable]) -> None:
        """Replace the columns, and remove the rows."""
        self.beginResetModel()
        self.columns, self.key, self._sorted_by = tuple(columns), key, -1
        self.rows, self.shown = [], []
        self.endResetModel()

    def set_rows(self, rows: Sequence[R], accepts: Filter[R] | None) -> None:
        """Show those of `rows` that the filter accepts; None accepts all."""
        self.beginResetModel()
        self.rows, self._filter = list(rows), accepts
        self.shown = self._in_order()
        for column in self.columns:
            if column.bar:
                self._largest[column.name] = max((column.value(row) or 0.0 for row in rows), default=0.0)
        self.endResetModel()

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """By the values of a column; column -1 is the original order."""
        self.layoutAboutToBeChanged.emit()
        before = self.persistentIndexList()
        kept = [self.shown[index.row()] for index in before]
        self._sorted_by, self._order = column, order
        self.shown = self._in_order()
        places = {id(row): place for place, row in enumerate(self.shown)} if before else {}
        after = [self.index(places[id(row)], index.column()) for row, index in zip(kept, before, strict=True)]
        self.changePersistentIndexList(before, after)
        self.layoutChanged.emit()

    def places(self) -> dict[Hashable, int]:
        """The position of each shown row by its key; of several rows with one key, the first."""
        keys = list(map(self.key, self.shown))
        return dict(zip(reversed(keys), range(len(keys) - 1, -1, -1), strict=True))

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self.shown)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self.columns)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if orientation is not Qt.Orientation.Horizontal or section >= len(self.columns):
            return None
        column = self.columns[section]
        if role == Qt.ItemDataRole.DisplayRole:
            return str(column.title)
        if role == Qt.ItemDataRole.ToolTipRole:
            return str(column.help)
        return column.alignment if role == Qt.ItemDataRole.TextAlignmentRole else None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        column, row = self.columns[index.column()], self.shown[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return column.text(row)
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return column.alignment
        if role == Qt.ItemDataRole.ToolTipRole:
            return plain_tip(column.exact(row))
        if role == Qt.ItemDataRole.FontRole:
            return column.font()
        if role == Qt.ItemDataRole.ForegroundRole:
            tone = "" if column.tone is None else column.tone(row)
            return QColor(getattr(theme.current(), tone)) if tone else None
        if role == BAR_ROLE and column.bar:
            value, largest = column.value(row), self._largest.get(column.name, 0.0)
            return min(1.0, max(0.0, value / largest)) if value is not None and largest > 0 else None
        return None

    def _in_order(self) -> list[R]:
        rows = self.rows if self._filter is None else list(filter(self._filter, self.rows))
        if not 0 <= self._sorted_by < len(self.columns):
            return list(rows)
        return self.columns[self._sorted_by].in_order(rows, self._order == Qt.SortOrder.DescendingOrder)
