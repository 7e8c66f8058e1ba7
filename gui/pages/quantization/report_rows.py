"""The view of a report's rows: it keeps what a person selected and looks at while rows come in."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter

from PySide6.QtCore import QItemSelection, QItemSelectionModel, QModelIndex, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QFontMetrics, QPainter, QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QStyledItemDelegate, QStyleOptionViewItem, QTableView, QWidget

from core.contracts.result import Row
from gui import theme
from gui.pages.quantization.report_model import BAR_ROLE, Index, ReportModel
from gui.widgets.columns import Column

_ROW_PX = 21
_CELL_EDGE_PX, _HEAD_EDGE_PX = 14, 20
_Select = QItemSelectionModel.SelectionFlag


class ReportRows(QTableView):
    """`row_reached` carries the row that a person clicked or walked to; what the program selects is not told."""

    row_reached = Signal(int)

    def __init__(self, model: ReportModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows = model
        self._quiet = self._resized = False
        self._longest: dict[int, int] = {}
        self.setModel(model)
        self._bars, self._plain = _Bars(self), QStyledItemDelegate(self)
        self.setSortingEnabled(True)
        self.setShowGrid(False)
        self.setAlternatingRowColors(True)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)
        self.verticalHeader().hide()
        self.verticalHeader().setMinimumSectionSize(_ROW_PX)
        self.verticalHeader().setDefaultSectionSize(_ROW_PX)
        self.horizontalHeader().setHighlightSections(False)
        self.horizontalHeader().setMinimumSectionSize(40)
        self.horizontalHeader().sectionResized.connect(self._on_resized)
        self.selectionModel().currentRowChanged.connect(self._on_current)

    def begin_anew(self, keep_order: bool = False) -> None:
        """Other rows come, not more of the same: widths from the columns, from the top, in their own order."""
        self._quiet = True
        if not keep_order:
            self.sortByColumn(-1, Qt.SortOrder.AscendingOrder)
        self.clearSelection()
        self.verticalScrollBar().setValue(0)
        self._longest.clear()
        # What tells names apart is at their end; a sentence begins with it.
        sentences = any(column.name == "why" for column in self._rows.columns)
        self.setTextElideMode(Qt.TextElideMode.ElideRight if sentences else Qt.TextElideMode.ElideLeft)
        for at, column in enumerate(self._rows.columns):
            self.setColumnWidth(at, self._least_px(column))
            self.setItemDelegateForColumn(at, self._bars if column.name == "snr_db" else self._plain)
        self._quiet = self._resized = False

    def show_rows(self, rows: Sequence[Row], format_id: str, text: str) -> None:
        """Show these; rows that were there stay selected, and the topmost in view stays there."""
        selected = [self._rows.key(self._rows.shown[at]) for at in self.selected_rows()]
        current, top = self._key_at(self.currentIndex()), self.indexAt(self.viewport().rect().topLeft())
        anchor, offset = self._key_at(top), self.visualRect(top).top() if top.isValid() else 0
        scrolled = self.verticalScrollBar().value() > 0
        across = self.horizontalScrollBar().value()
        self._quiet = True
        self._rows.show(rows, format_id, text)
        self._widen_names()
        if selected or current is not None or scrolled:
            places = self._rows.places()
            self._select_places(sorted(places[key] for key in selected if key in places), places.get(current))
            if scrolled and anchor in places:
                self.visualRect(self._rows.index(0, 0))  # lays out now what would be later: the bar knows its range
                self.verticalScrollBar().setValue(places[anchor] * _ROW_PX - offset)
        self.horizontalScrollBar().setValue(across)
        self._quiet = False

    def select(self, at: int | None) -> None:
        """Select one row, or none, and bring it into view; tells nobody."""
        self._quiet = True
        self._select_places([] if at is None else [at], at)
        if at is not None:
            in_view = max(0, self.columnAt(self.viewport().width() // 2))
            self.scrollTo(self._rows.index(at, in_view), QAbstractItemView.ScrollHint.EnsureVisible)
        self._quiet = False

    def selected_rows(self) -> list[int]:
        """Selected rows from the top down."""
        chosen = self.selectionModel().selection()
        return sorted({at for part in chosen for at in range(part.top(), part.bottom() + 1)})

    def _select_places(self, places: Sequence[int], current: int | None) -> None:
        selection, last = QItemSelection(), self._rows.columnCount() - 1
        begin = 0
        for end in range(1, len(places) + 1):
            if end == len(places) or places[end] != places[end - 1] + 1:
                first, final = self._rows.index(places[begin], 0), self._rows.index(places[end - 1], last)
                selection.select(first, final)
                begin = end
        self.selectionModel().select(selection, _Select.ClearAndSelect)
        index = QModelIndex() if current is None else self._rows.index(current, 0)
        self.selectionModel().setCurrentIndex(index, _Select.NoUpdate)

    def _least_px(self, column: Column) -> int:
        """The width of a column's usual texts and of its name."""
        text = QFontMetrics(theme.mono_font("small")).horizontalAdvance(column.sample)
        head = QFontMetrics(theme.ui_font("body", bold=True)).horizontalAdvance(column.title)
        return max(text + _CELL_EDGE_PX, head + _HEAD_EDGE_PX)

    def _widen_names(self) -> None:
        """Names as wide as the longest, within half of the view; not once a person has set a width."""
        if self._resized:
            return
        digit = QFontMetrics(theme.mono_font("small")).horizontalAdvance("0")
        for at, column in enumerate(self._rows.columns):
            if not column.number and self._rows.shown:
                lengths = map(len, map(itemgetter(column.name), self._rows.shown))
                self._longest[at] = max(self._longest.get(at, len(column.sample)), *lengths)
                width = min(self._longest[at] * digit + _CELL_EDGE_PX, self.viewport().width() // 2)
                if not self.isColumnHidden(at):
                    self.setColumnWidth(at, max(width, self._least_px(column)))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._quiet = True
        self._widen_names()
        self._quiet = False

    def _on_resized(self, at: int, before: int, after: int) -> None:
        # A hidden column is one of width 0.
        self._resized = self._resized or not (self._quiet or 0 in (before, after))

    def _key_at(self, index: QModelIndex) -> object:
        return self._rows.key(self._rows.shown[index.row()]) if index.isValid() else None

    def _on_current(self, index: QModelIndex) -> None:
        if not self._quiet and index.isValid():
            self.row_reached.emit(index.row())


class _Bars(QStyledItemDelegate):
    """Draws a bar behind a number that has one."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        super().paint(painter, option, index)
        share = index.data(BAR_ROLE)
        if share:
            room = QRectF(option.rect).adjusted(4, 0, -4, 0)
            bar = QRectF(room.left(), room.bottom() - 3, room.width() * share, 2)
            painter.fillRect(bar, QColor(theme.current().series[0]))
