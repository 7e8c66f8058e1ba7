"""What stands beside a map of ranks: its rows by group and name, at any zoom, and what its colours mean."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Protocol

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFont, QMouseEvent, QPainter, QPen
from PySide6.QtWidgets import QWidget

from gui import theme as themes
from gui.charts.chart import Chart
from gui.theme import Theme
from gui.widgets.figure import Canvas

_GAP_PX, _TICK_PX, _LEAST_PX = 8, 4, 9.0
"""Between group and name, of the tick at each name, and the least height of a row that is named."""
_GROUP_PX = 14.0
_BAR_PX, _BAR_WIDTH_PX = 68, 10
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter


@dataclass(frozen=True)
class RankGrid:
    """`ranks` int [steps done, matrices], a column of the map for each step, steps counted from 1.

    `groups` and `names` [matrices] say what the rows are (the layer, and which of its matrices); rows of one group
    follow one another. `steps` is how many the axis spans. Colours go from 0 to `most`; `target` is the average rank
    that is wanted. `allocations` are the steps at which ranks were given out.
    """

    ranks: np.ndarray
    groups: tuple[str, ...]
    names: tuple[str, ...]
    steps: int
    most: int
    target: int
    allocations: tuple[int, ...] = ()

    @property
    def rows(self) -> int:
        return len(self.names)

    @property
    def done(self) -> int:
        """Steps that there are ranks of."""
        return int(self.ranks.shape[0])

    def spans(self) -> Iterator[tuple[str, int, int]]:
        """Each group with its first row and the row behind its last."""
        first = 0
        for row in range(1, self.rows + 1):
            if row == self.rows or self.groups[row] != self.groups[first]:
                yield self.groups[first], first, row
                first = row


class Map(Protocol):
    """What the margins read of the map that they belong to."""

    chart: Chart
    grid: RankGrid | None
    matrix: int | None
    pad: QWidget


def colours(theme: Theme, most: int) -> np.ndarray:
    """uint8 [most + 1, 3]: a colour a rank, the highest standing out most from the background."""
    places = np.linspace(0, 255, most + 1).round().astype(np.intp)
    return _table()[places if theme.is_dark else places[::-1]]


class RankNames(Canvas):
    """Groups and names of the rows in view. Where rows are too low for names, groups and the picked row stay."""

    row_clicked = Signal(int)

    def __init__(self, owner: Map) -> None:
        super().__init__()
        self._map = owner
        self.setFont(themes.ui_font("small"))
        self.setToolTip("")
        self.setFixedWidth(60)

    def sizeHint(self) -> QSize:
        return QSize(60, 80)

    def fit(self) -> None:
        """Take the width that groups and names need."""
        grid = self._map.grid
        if grid is not None:
            widest = sum(max(map(self._width, texts), default=0) for texts in (grid.groups, grid.names))
            self.setFixedWidth(int(widest) + 2 * _GAP_PX + _TICK_PX)

    def paint(self, painter: QPainter, theme: Theme) -> None:
        painter.fillRect(self.rect(), QColor(theme.sunken))
        grid = self._map.grid
        if grid is None:
            return
        first, last = self._rows_in_view(grid)
        last_named = -1e9
        for group, start, end in grid.spans():
            top, bottom = self._y_of(max(start, first)), self._y_of(min(end, last))
            if bottom > top and (top + bottom) / 2 - last_named >= _GROUP_PX:
                last_named = (top + bottom) / 2
                self._write(painter, theme.text, QRectF(2, last_named - 8, self.width(), 16), group, _LEFT)
        for row in self.named_rows():
            picked, middle = row == self._map.matrix, self._y_of(row + 0.5)
            slot = QRectF(0, middle - 8, self.width() - _TICK_PX - 3, 16)
            painter.setFont(self._name_font(bold=picked))
            self._write(painter, theme.accent if picked else theme.muted, slot, grid.names[row], _RIGHT)
            painter.setFont(self.font())
            painter.drawLine(QPointF(self.width() - _TICK_PX, middle), QPointF(self.width(), middle))
        if self._map.pad.hasFocus():
            painter.setPen(QPen(QColor(theme.accent), 1))
            painter.drawRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5))

    def named_rows(self) -> list[int]:
        """The rows whose names are written."""
        grid = self._map.grid
        if grid is None:
            return []
        first, last = self._rows_in_view(grid)
        if self._row_px() >= _LEAST_PX:
            return list(range(first, last))
        return [self._map.matrix] if self._map.matrix is not None and first <= self._map.matrix < last else []

    def mousePressEvent(self, event: QMouseEvent) -> None:
        super().mousePressEvent(event)
        grid, box = self._map.grid, self._box()
        if grid is None or event.button() != Qt.MouseButton.LeftButton:
            return
        y = event.position().y()
        row = int(self._low() + (y - box.top()) / self._row_px())
        if box.top() <= y <= box.bottom() and 0 <= row < grid.rows:
            self.row_clicked.emit(row)

    def _write(self, painter: QPainter, ink: str, slot: QRectF, text: str, flags: Qt.AlignmentFlag) -> None:
        painter.setPen(QColor(ink))
        painter.drawText(slot, flags, text)

    def _name_font(self, *, bold: bool) -> QFont:
        font = themes.ui_font("small", bold=bold)
        font.setPixelSize(max(9, min(font.pixelSize(), int(self._row_px()))))
        return font

    def _width(self, text: str) -> float:
        return self.fontMetrics().horizontalAdvance(text)

    def _box(self) -> QRectF:
        return self._map.chart.getViewBox().sceneBoundingRect()

    def _low(self) -> float:
        return float(self._map.chart.getViewBox().viewRange()[1][0])

    def _row_px(self) -> float:
        low, high = self._map.chart.getViewBox().viewRange()[1]
        return max(1e-6, float(self._box().height() / max(1e-9, high - low)))

    def _rows_in_view(self, grid: RankGrid) -> tuple[int, int]:
        low, high = self._map.chart.getViewBox().viewRange()[1]
        return max(0, int(low)), min(grid.rows, int(np.ceil(high)))

    def _y_of(self, row: float) -> float:
        return float(self._box().top() + (row - self._low()) * self._row_px())


class RankBar(Canvas):
    """A block of colour a rank, with the ranks that matter written: none, the average wanted, the one at the start."""

    def __init__(self, owner: Map) -> None:
        super().__init__()
        self._map = owner
        self.setFont(themes.ui_font("small"))
        self.setFixedWidth(_BAR_PX)
        self.setToolTip("Triplets that a matrix keeps (its rank): none, the average at the end, and all of the start")

    def sizeHint(self) -> QSize:
        return QSize(_BAR_PX, 80)

    def labels(self) -> dict[int, str]:
        """What is written beside which rank."""
        grid = self._map.grid
        if grid is None:
            return {}
        return {0: "rank 0", grid.most: f"{grid.most} start", grid.target: f"{grid.target} target"}

    def paint(self, painter: QPainter, theme: Theme) -> None:
        painter.fillRect(self.rect(), QColor(theme.sunken))
        grid = self._map.grid
        if grid is None:
            return
        box, table = self._map.chart.getViewBox().sceneBoundingRect(), colours(theme, grid.most)
        each = box.height() / (grid.most + 1)
        for rank, ink in enumerate(table):
            slot = QRectF(2, box.bottom() - (rank + 1) * each, _BAR_WIDTH_PX, each + 0.5)
            painter.fillRect(slot, QColor(*(int(value) for value in ink)))
        painter.setPen(QColor(theme.muted))
        for rank, text in self.labels().items():
            middle = min(max(box.bottom() - (rank + 0.5) * each, box.top() + 7), box.bottom() - 7)
            painter.drawText(QRectF(_BAR_WIDTH_PX + 6, middle - 8, _BAR_PX, 16), _LEFT, text)


@cache
def _table() -> np.ndarray:
    return np.asarray(pg.colormap.get("viridis").getLookupTable(0.0, 0.98, 256))[:, :3].astype(np.uint8)
