"""The view of a table of records: its widths, its selection, its place on the screen, and how its cells are painted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QItemSelection, QItemSelectionModel, QModelIndex, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetrics, QKeyEvent, QPainter, QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QStyle, QStyledItemDelegate, QStyleOptionViewItem

from core.contracts.text import tr
from gui import theme
from gui.widgets.badge import chip_size, paint_chip
from gui.widgets.record_model import BAR_ROLE, Column, Index, RecordModel
from gui.widgets.table_view import TableView
from gui.zoom import Px

_ROW_PX, _LEAST_PX, _WIDEST_PX = Px(22), Px(30), Px(420)
_CELL_EDGE_PX, _HEAD_EDGE_PX = Px(22), Px(24)
_LONG_ROWS = 500
_Select = QItemSelectionModel.SelectionFlag
HOW_TO_SORT = tr("Ctrl+Left and Ctrl+Right choose the column to sort by, Ctrl+Up and Ctrl+Down the order.")
_SORT_BY = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}
_ORDERS = {Qt.Key.Key_Up: Qt.SortOrder.AscendingOrder, Qt.Key.Key_Down: Qt.SortOrder.DescendingOrder}


class RecordView(TableView):
    """Columns are as wide as their texts until the user sets a width."""

    def __init__(self, model: RecordModel[Any], wrap: bool) -> None:
        super().__init__(model)
        self._records = model
        self._text_px: dict[int, int] = {}
        self._is_fitting = self._is_resized = False
        self.setItemDelegate(_CellDelegate(self))
        self.setSortingEnabled(True)
        self.sortByColumn(-1, Qt.SortOrder.AscendingOrder)
        self.setWordWrap(wrap)
        rows, heads = self.verticalHeader(), self.horizontalHeader()
        rows.setMinimumSectionSize(_ROW_PX)
        rows.setDefaultSectionSize(_ROW_PX)
        if wrap:
            rows.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        heads.setMinimumSectionSize(_LEAST_PX)
        heads.sectionResized.connect(self._on_resized)
        self._set_modes()

    def start_over(self) -> None:
        """Original order, scrolled to the top, nothing selected, widths from the texts again."""
        with self.without_signals():
            self.sortByColumn(-1, Qt.SortOrder.AscendingOrder)
            self.select_places([], None)
            self.verticalScrollBar().setValue(0)
        self._is_resized = False
        self._text_px.clear()
        self._set_modes()

    def fit(self) -> None:
        """Measure the texts once per change of rows: Qt's own way asks for every cell many times."""
        self._text_px = {i: _text_px(column, self._records.rows) for i, column in enumerate(self._records.columns)}
        self._apply_widths()

    def hide_empty_columns(self) -> None:
        """Leave out the columns in which no row has a value; those that stretch stay, so that the table is filled."""
        for i, column in enumerate(self._records.columns):
            is_empty = all(column.value(row) is None for row in self._records.rows)
            self.setColumnHidden(i, is_empty and not column.stretch)

    def select(self, place: int | None) -> None:
        """Select one row, or none, and bring it into view. Emits no signal."""
        with self.without_signals():
            self.select_places([] if place is None else [place], place)
            if place is not None:
                column = max(0, self.columnAt(self.viewport().width() // 2))  # one in view: nothing moves sideways
                self.scrollTo(self._records.index(place, column), QAbstractItemView.ScrollHint.EnsureVisible)

    def select_places(self, places: Sequence[int], current: int | None) -> None:
        """Select rows, given in ascending order, without scrolling."""
        selection, last = QItemSelection(), self._records.columnCount() - 1
        begin = 0
        for end in range(1, len(places) + 1):
            if end == len(places) or places[end] != places[end - 1] + 1:
                selection.select(self._records.index(places[begin], 0), self._records.index(places[end - 1], last))
                begin = end
        index = QModelIndex() if current is None else self._records.index(current, 0)
        self.setAutoScroll(False)
        self.selectionModel().select(selection, _Select.ClearAndSelect)
        self.selectionModel().setCurrentIndex(index, _Select.NoUpdate)
        self.setAutoScroll(True)

    def selected_places(self) -> list[int]:
        """Selected rows from the top down."""
        ranges = self.selectionModel().selection()
        return sorted({place for part in ranges for place in range(part.top(), part.bottom() + 1)})

    def top_row(self) -> tuple[int, int]:
        """The topmost row in view and where it begins, in px; (-1, 0) where the table is not scrolled."""
        index = self.indexAt(self.viewport().rect().topLeft())
        is_scrolled = self.verticalScrollBar().value() > 0 and index.isValid()
        return (index.row(), self.visualRect(index).top()) if is_scrolled else (-1, 0)

    def restore(self, place: int | None, offset: int) -> None:
        """Scroll so that a row begins at `offset` px again."""
        if place is not None:
            self.visualRect(self._records.index(0, 0))  # forces the layout now, so that the scroll bar has its range
            self.verticalScrollBar().setValue(self.verticalHeader().sectionPosition(place) - offset)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Sort with Ctrl and the arrows, as a click on a header does."""
        key = Qt.Key(event.key())
        if event.modifiers() != Qt.KeyboardModifier.ControlModifier or key not in (*_SORT_BY, *_ORDERS):
            super().keyPressEvent(event)
            return
        heads, last = self.horizontalHeader(), self._records.columnCount() - 1
        column, order = heads.sortIndicatorSection(), heads.sortIndicatorOrder()
        column = column if 0 <= column <= last else -1
        self.sortByColumn(min(max(0, column + _SORT_BY.get(key, 0)), last), _ORDERS.get(key, order))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._apply_widths()

    def _set_modes(self) -> None:
        modes = QHeaderView.ResizeMode
        for i, column in enumerate(self._records.columns):
            self.horizontalHeader().setSectionResizeMode(i, modes.Stretch if column.stretch else modes.Interactive)

    def _apply_widths(self) -> None:
        if self._is_resized:
            return
        self._is_fitting = True
        for i, text_px in self._text_px.items():
            column = self._records.columns[i]
            if not column.stretch:
                limit = self.viewport().width() // 2 if column.elide_left else _WIDEST_PX
                self.setColumnWidth(i, max(min(text_px, limit), _head_px(column)))
        self._is_fitting = False

    def _on_resized(self, i: int, before: int, after: int) -> None:
        # A hidden column is one of width 0.
        is_ours = self._is_fitting or i >= len(self._records.columns) or self._records.columns[i].stretch
        self._is_resized = self._is_resized or not (is_ours or 0 in (before, after))


class _CellDelegate(QStyledItemDelegate):
    """Paints provenances as chips, and a bar under a number that has one."""

    def __init__(self, view: RecordView) -> None:
        super().__init__(view)
        self._view = view

    def initStyleOption(self, option: QStyleOptionViewItem, index: Index) -> None:
        super().initStyleOption(option, index)
        if self._column(index).elide_left:
            option.textElideMode = Qt.TextElideMode.ElideLeft

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        column = self._column(index)
        if column.badge:
            self._paint_badge(painter, option, index)
            return
        super().paint(painter, option, index)
        share = index.data(BAR_ROLE) if column.bar else None
        if share:
            area = QRectF(option.rect).adjusted(4, 0, -4, 0)
            bar = QRectF(area.left(), area.bottom() - 3, area.width() * share, 2)
            painter.fillRect(bar, QColor(theme.current().series[0]))

    def _column(self, index: Index) -> Column[Any]:
        return self._view.model().columns[index.column()]

    def _paint_badge(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        cell = QStyleOptionViewItem(option)
        self.initStyleOption(cell, index)
        text, cell.text = cell.text, ""
        cell.widget.style().drawControl(QStyle.ControlElement.CE_ItemViewItem, cell, painter, cell.widget)
        size = chip_size(text)
        rect = QRectF(option.rect.left() + 6, option.rect.center().y() - size.height() / 2 + 0.5, *size.toTuple())
        colours = theme.current()
        paint_chip(
            painter,
            rect,
            text,
            colours.provenance[self._column(index).value(self._view.model().shown[index.row()])],
            colours.surface,
        )


def _text_px(column: Column[Any], rows: Sequence[Any]) -> int:
    """The width of a column's texts; equal values are measured once."""
    metrics = QFontMetrics(column.font())
    is_sampled = column.number and column.sample and len(rows) > _LONG_ROWS
    texts = {column.sample, column.missing} if is_sampled else _texts(column, rows)
    if len(texts) > _LONG_ROWS:
        texts = {max(texts, key=len)}
    return max(map(metrics.horizontalAdvance, texts), default=0) + _CELL_EDGE_PX


def _texts(column: Column[Any], rows: Sequence[Any]) -> set[str]:
    values = set(map(column.value, rows))
    return {column.missing if value is None else column.write(value) for value in values}


def _head_px(column: Column[Any]) -> int:
    return QFontMetrics(theme.ui_font("body", bold=True)).horizontalAdvance(str(column.title)) + _HEAD_EDGE_PX
