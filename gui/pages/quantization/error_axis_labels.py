"""What stands beside an error map: the names of its rows, at any zoom, and what its colours mean."""

from __future__ import annotations

from typing import Protocol

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QLinearGradient, QMouseEvent, QPainter, QPen
from PySide6.QtWidgets import QWidget

from gui import theme as themes
from gui.charts.chart import Chart
from gui.charts.error_grid import ErrorGrid, Place, colours
from gui.theme import Theme
from gui.widgets.figure import Canvas, HoverTip

_ROW_TEXT_PX, _WIDEST_PX, _NARROWEST_PX = 13.0, 168, 56
_LARGEST_SHARE = 0.36
"""Of the map's width, that names may take."""
_BAR_PX, _BAR_WIDTH_PX = 76, 10
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter


class Map(Protocol):
    """What the margins read of the map that they belong to."""

    chart: Chart
    grid: ErrorGrid | None
    place: Place | None
    tip: HoverTip
    pad: QWidget

    def width(self) -> int: ...


class RowNames(Canvas):
    """Names of the rows in view; where not all fit, the picked and the worst come first. Worst ones are red."""

    row_clicked = Signal(int)

    def __init__(self, owner: Map) -> None:
        super().__init__()
        self._map = owner
        self.setFont(themes.ui_font("small"))
        self.setMouseTracking(True)
        self.setFixedWidth(_NARROWEST_PX)

    def sizeHint(self) -> QSize:
        return QSize(_NARROWEST_PX, 80)

    def fit(self) -> None:
        """Take the width that the names need, within reason."""
        names = self._map.grid.names if self._map.grid is not None else ()
        widest = max((self.fontMetrics().horizontalAdvance(name) for name in names), default=0)
        most = max(_NARROWEST_PX, min(_WIDEST_PX, int(_LARGEST_SHARE * self._map.width())))
        self.setFixedWidth(min(most, max(_NARROWEST_PX, widest + 14)))

    def shown_rows(self) -> list[int]:
        """The rows that are named, most important first."""
        grid = self._map.grid
        if grid is None:
            return []
        (first, last), pixel = self._rows_in_view(), self._row_px()
        worst = [grid.places[name][0] for name in grid.worst if name in grid.places and grid.places[name][1] < 0]
        picked = [] if self._map.place is None else [self._map.place[0]]
        step = max(1, -(-int(_ROW_TEXT_PX * 1.5) // max(1, int(pixel)))) if pixel < _ROW_TEXT_PX else 1
        others = range(first - first % step, last, step)
        taken: list[int] = []
        for row in dict.fromkeys((*picked, *worst, *others)):
            if first <= row < last and all(abs(row - other) * pixel >= _ROW_TEXT_PX for other in taken):
                taken.append(row)
        return taken

    def paint(self, painter: QPainter, theme: Theme) -> None:
        grid = self._map.grid
        painter.fillRect(self.rect(), QColor(theme.sunken))
        if grid is None:
            return
        worst = {grid.places[name][0] for name in grid.worst if name in grid.places and grid.places[name][1] < 0}
        picked = None if self._map.place is None else self._map.place[0]
        for row in self.shown_rows():
            middle = self._y_of(row + 0.5)
            painter.setFont(themes.ui_font("small", bold=row == picked))
            ink = theme.accent if row == picked else theme.bad if row in worst else theme.muted
            painter.setPen(QColor(ink))
            slot = QRectF(2, middle - 8, self.width() - 8, 16)
            metrics = painter.fontMetrics()
            text = metrics.elidedText(grid.names[row], Qt.TextElideMode.ElideMiddle, int(slot.width()))
            painter.drawText(slot, _RIGHT, text)
            painter.drawLine(QPointF(self.width() - 4, middle), QPointF(self.width(), middle))
        if self._map.pad.hasFocus():
            painter.setPen(QPen(QColor(theme.accent), 1))
            painter.drawRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        super().mousePressEvent(event)
        row = self.row_at(event.position().y())
        if row is not None and event.button() == Qt.MouseButton.LeftButton:
            self.row_clicked.emit(row)

    def row_at(self, y: float) -> int | None:
        grid = self._map.grid
        if grid is None:
            return None
        box, (low, high) = self._box(), self._map.chart.getViewBox().viewRange()[1]
        row = int(low + (y - box.top()) / max(1.0, box.height()) * (high - low))
        return row if 0 <= row < grid.rows and box.top() <= y <= box.bottom() else None

    def _box(self) -> QRectF:
        return self._map.chart.getViewBox().sceneBoundingRect()

    def _row_px(self) -> float:
        low, high = self._map.chart.getViewBox().viewRange()[1]
        return float(self._box().height() / max(1e-9, high - low))

    def _rows_in_view(self) -> tuple[int, int]:
        low, high = self._map.chart.getViewBox().viewRange()[1]
        rows = 0 if self._map.grid is None else self._map.grid.rows
        return max(0, int(low)), min(rows, int(high + 0.999))

    def _y_of(self, row: float) -> float:
        low = self._map.chart.getViewBox().viewRange()[1][0]
        return float(self._box().top() + (row - low) * self._row_px())


class ColourBar(Canvas):
    """The colours with the errors that they stand for, in percent of the weights."""

    def __init__(self, owner: Map) -> None:
        super().__init__()
        self._map = owner
        self.setFont(themes.ui_font("small"))
        self.setFixedWidth(_BAR_PX)
        self.setToolTip("Relative RMSE: root mean square of the errors over that of the weights")

    def sizeHint(self) -> QSize:
        return QSize(_BAR_PX, 80)

    def labels(self) -> tuple[str, str, str]:
        """The errors at the top, in the middle and at the bottom; what lies beyond the ends has their colour."""
        grid = self._map.grid
        if grid is None:
            return "", "", ""
        low, high = grid.limits
        return f"≥ {_short(high)}", _short((low + high) / 2), f"≤ {_short(low)}"

    def paint(self, painter: QPainter, theme: Theme) -> None:
        painter.fillRect(self.rect(), QColor(theme.sunken))
        if self._map.grid is None:
            return
        box = self._map.chart.getViewBox().sceneBoundingRect()
        bar = QRectF(8, box.top(), _BAR_WIDTH_PX, box.height())
        gradient = QLinearGradient(bar.bottomLeft(), bar.topLeft())
        table = colours(theme)
        for step in range(0, 256, 15):
            gradient.setColorAt(step / 255, QColor(*(int(value) for value in table[step])))
        painter.fillRect(bar, gradient)
        painter.setPen(QColor(theme.muted))
        top, middle, bottom = self.labels()
        for y, text in ((bar.top() + 6, top), (bar.center().y(), middle), (bar.bottom() - 6, bottom)):
            painter.drawText(QRectF(bar.right() + 4, y - 8, self.width() - bar.right() - 4, 16), _LEFT, text)
        painter.drawText(QRectF(0, bar.bottom() + 3, self.width() - 2, 15), _RIGHT, "RMSE")


def _short(percent: float) -> str:
    return f"{percent:.3g}%" if percent >= 1 else f"{percent:.2g}%"
