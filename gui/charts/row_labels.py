"""The names of a row map's rows beside it, by group where there are groups, at any zoom."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFont, QMouseEvent, QPainter
from PySide6.QtWidgets import QWidget

from core.outside import shown_label
from gui import theme as themes
from gui.charts.chart import Chart
from gui.theme import Theme
from gui.widgets.figure import Canvas, frame_focus
from gui.zoom import Px

_GAP_PX, _TICK_PX = Px(6), Px(4)
_NAME_PX, _LOWEST_NAME_PX, _GROUP_PX = Px(13.0), Px(9.0), Px(14.0)
"""The height of a name; the least height at which every row of a group is named; the height of a group's name."""
_NARROWEST_PX, _WIDEST_PX, _WIDEST_SHARE = Px(56), Px(168), 0.36
"""Limits of the width, the last as a share of the map."""
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter


def group_spans(groups: Sequence[str]) -> Iterator[tuple[str, int, int]]:
    """Each group with its first row and the row after its last; the rows of a group are consecutive."""
    first = 0
    for row in range(1, len(groups) + 1):
        if row == len(groups) or groups[row] != groups[first]:
            yield groups[first], first, row
            first = row


class RowLabels(Canvas):
    """If rows are too low for all names, the selected and the highlighted ones come first.

    In groups, either all rows are named or only the selected and highlighted ones: the group says where they are.
    """

    row_clicked = Signal(int)

    def __init__(self, chart: Chart, focused: QWidget) -> None:
        """`focused` is the widget whose focus is drawn as a frame."""
        super().__init__()
        self._chart, self._focused = chart, focused
        self._names: tuple[str, ...] = ()
        self._groups: tuple[str, ...] = ()
        self._highlighted: tuple[int, ...] = ()
        self._selected: int | None = None
        self.setFont(themes.ui_font("small"))
        self.setMouseTracking(True)
        self.setFixedWidth(_NARROWEST_PX)

    def sizeHint(self) -> QSize:
        return QSize(_NARROWEST_PX, 80)

    def set_rows(self, names: Sequence[str], groups: Sequence[str], highlighted: Sequence[int]) -> None:
        """`highlighted` rows are red, the most important first."""
        self._names, self._groups, self._highlighted = (
            tuple(map(shown_label, names)),
            tuple(map(shown_label, groups)),
            tuple(highlighted),
        )
        self.update()

    def select(self, row: int | None) -> None:
        self._selected = row
        self.update()

    def fit(self, map_px: int) -> None:
        """Take the width that groups and names need in a map of width `map_px`, within limits."""
        width = self._widest(self._groups) + self._widest(self._names) + 2 * _GAP_PX + _TICK_PX
        most = max(_NARROWEST_PX, min(_WIDEST_PX, int(_WIDEST_SHARE * map_px)))
        self.setFixedWidth(min(most, max(_NARROWEST_PX, width)))

    def named_rows(self) -> list[int]:
        """The rows whose names are written, most important first."""
        (first, last), row_px = self._rows_in_view(), self._row_px()
        least_px = _LOWEST_NAME_PX if self._groups else _NAME_PX
        others: Collection[int] = range(first, last)
        if row_px < least_px:
            step = max(1, -(-int(_NAME_PX * 1.5) // max(1, int(row_px))))
            others = () if self._groups else range(first - first % step, last, step)
        selected = () if self._selected is None else (self._selected,)
        named: list[int] = []
        for row in dict.fromkeys((*selected, *self._highlighted, *others)):
            if first <= row < last and all(abs(row - other) * row_px >= least_px for other in named):
                named.append(row)
        return named

    def paint(self, painter: QPainter, theme: Theme) -> None:
        painter.fillRect(self.rect(), QColor(theme.sunken))
        self._paint_groups(painter, theme)
        left = self._widest(self._groups)
        for row in self.named_rows():
            middle = self._y_of(row + 0.5)
            painter.setFont(self._name_font(bold=row == self._selected))
            text_colour = (
                theme.accent if row == self._selected else theme.bad if row in self._highlighted else theme.muted
            )
            painter.setPen(QColor(text_colour))
            slot = QRectF(left + 2, middle - 8, self.width() - left - _TICK_PX - 4, 16)
            metrics = painter.fontMetrics()
            name = metrics.elidedText(self._names[row], Qt.TextElideMode.ElideMiddle, int(slot.width()))
            painter.drawText(slot, _RIGHT, name)
            painter.drawLine(QPointF(self.width() - _TICK_PX, middle), QPointF(self.width(), middle))
        if self._focused.hasFocus():
            frame_focus(painter, self)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        super().mousePressEvent(event)
        row = self.row_at(event.position().y())
        if row is not None and event.button() == Qt.MouseButton.LeftButton:
            self.row_clicked.emit(row)

    def row_at(self, y: float) -> int | None:
        box = self._box()
        row = int(self._low() + (y - box.top()) / self._row_px())
        return row if 0 <= row < len(self._names) and box.top() <= y <= box.bottom() else None

    def _paint_groups(self, painter: QPainter, theme: Theme) -> None:
        painter.setPen(QColor(theme.text))
        first, last = self._rows_in_view()
        last_named = -_GROUP_PX
        for group, start, end in group_spans(self._groups):
            top, bottom = self._y_of(max(start, first)), self._y_of(min(end, last))
            if bottom > top and (top + bottom) / 2 - last_named >= _GROUP_PX:
                last_named = (top + bottom) / 2
                painter.drawText(QRectF(2, last_named - 8, self.width(), 16), _LEFT, group)

    def _name_font(self, *, bold: bool) -> QFont:
        font = themes.ui_font("small", bold=bold)
        if self._groups:  # rows may be lower than the font's usual size
            font.setPixelSize(max(int(_LOWEST_NAME_PX), min(font.pixelSize(), int(self._row_px()))))
        return font

    def _widest(self, texts: Sequence[str]) -> int:
        return max(map(self.fontMetrics().horizontalAdvance, dict.fromkeys(texts)), default=0)

    def _box(self) -> QRectF:
        return self._chart.getViewBox().sceneBoundingRect()

    def _low(self) -> float:
        return float(self._chart.getViewBox().viewRange()[1][0])

    def _row_px(self) -> float:
        low, high = self._chart.getViewBox().viewRange()[1]
        return max(1e-6, float(self._box().height() / max(1e-9, high - low)))

    def _rows_in_view(self) -> tuple[int, int]:
        low, high = self._chart.getViewBox().viewRange()[1]
        return max(0, int(low)), min(len(self._names), int(high + 0.999))

    def _y_of(self, row: float) -> float:
        return float(self._box().top() + (row - self._low()) * self._row_px())
