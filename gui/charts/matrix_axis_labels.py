"""Token labels and count bars around a matrix, aligned with its rows and columns at any zoom."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QMouseEvent, QPainter
from PySide6.QtWidgets import QWidget

from core.contracts.text import tr
from gui import theme as themes
from gui.charts.chart import Chart
from gui.charts.mask_picture import MatrixSource, Span, binned_rows, label_step
from gui.charts.ticks import short_quantity
from gui.theme import Theme, mix
from gui.widgets.figure import Canvas, HoverTip
from gui.zoom import Px

ROWS_PX, COUNTS_PX = Px(84), Px(84)
_UPRIGHT_PX, _LEVEL_PX = Px(58), Px(20)
_ROW_TEXT_PX, _COLUMN_TEXT_PX, _NUMBER_PX = Px(12), Px(13), Px(42)
_TOKENS_UP_TO = 4
"""Labels are tokens while at least every fourth one fits, otherwise numbers."""


class Matrix(Protocol):
    """The part of the picture that the axis labels read."""

    chart: Chart
    source: MatrixSource | None
    cell: tuple[int, int] | None
    tip: HoverTip


class AxisLabels(Canvas):
    """A strip beside the matrix."""

    def __init__(self, matrix: Matrix) -> None:
        super().__init__()
        self._matrix = matrix
        self.setMouseTracking(True)

    def area(self) -> tuple[QRectF, tuple[float, float], tuple[float, float]]:
        """The matrix in chart pixels, and the visible columns and rows."""
        box = self._matrix.chart.getViewBox()
        (x0, x1), (y0, y1) = box.viewRange()
        return box.sceneBoundingRect(), (x0, x1), (y0, y1)


class QueryLabels(AxisLabels):
    """The query of each row, left of the matrix."""

    def __init__(self, matrix: Matrix) -> None:
        super().__init__(matrix)
        self.setFixedWidth(ROWS_PX)

    def sizeHint(self) -> QSize:
        return QSize(ROWS_PX, 80)

    def paint(self, painter: QPainter, theme: Theme) -> None:
        source = self._matrix.source
        if source is None:
            return
        box, _, (first, last) = self.area()
        pixel = box.height() / (last - first)
        step = label_step(last - first, box.height(), _ROW_TEXT_PX)
        tokens = step <= _TOKENS_UP_TO
        if not tokens:
            step = label_step(last - first, box.height(), 2 * _ROW_TEXT_PX)
        painter.setFont(themes.ui_font("small"))
        metrics = painter.fontMetrics()
        last_drawn = -float(_ROW_TEXT_PX)
        for row in range(int(first) // step * step, min(source.rows, int(last) + 1), step):
            middle = box.top() + (row + 0.5 - first) * pixel
            if not box.top() <= middle <= box.bottom():
                continue
            centre = min(max(8.0, middle), self.height() - 8.0)
            if centre - last_drawn < _ROW_TEXT_PX - 1:
                continue
            last_drawn = centre
            picked = self._matrix.cell is not None and self._matrix.cell[0] == row
            painter.setPen(QColor(theme.text if picked else theme.muted))
            text = source.row_labels[row] if tokens else short_quantity(row)
            slot = QRectF(2, centre - 8, ROWS_PX - 8, 16)
            text = metrics.elidedText(text, Qt.TextElideMode.ElideRight, int(slot.width()))
            painter.drawText(slot, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, text)


class KeyLabels(AxisLabels):
    """The key of each column, above the matrix: upright text for tokens, level text for numbers."""

    def __init__(self, matrix: Matrix) -> None:
        super().__init__(matrix)
        self.setFixedHeight(_UPRIGHT_PX)

    def sizeHint(self) -> QSize:
        return QSize(80, _UPRIGHT_PX)

    @property
    def upright(self) -> bool:
        """Whether there is room for tokens. It depends only on the width, which the height never changes."""
        box, (first, last), _ = self.area()
        return label_step(last - first, box.width(), _COLUMN_TEXT_PX) <= _TOKENS_UP_TO

    def fit(self) -> None:
        """Take the height that tokens or numbers need."""
        height = _UPRIGHT_PX if self.upright else _LEVEL_PX
        if self.height() != height and self._matrix.chart.getViewBox().width() > 1:
            self.setFixedHeight(height)

    def paint(self, painter: QPainter, theme: Theme) -> None:
        source = self._matrix.source
        if source is None:
            return
        box, (first, last), _ = self.area()
        pixel = box.width() / (last - first)
        step = label_step(last - first, box.width(), _COLUMN_TEXT_PX)
        tokens = self.upright
        if not tokens:
            step = label_step(last - first, box.width(), _NUMBER_PX)
        painter.setFont(themes.ui_font("small"))
        metrics = painter.fontMetrics()
        last_drawn = -float(_COLUMN_TEXT_PX)
        for col in range(int(first) // step * step, min(source.cols, int(last) + 1), step):
            middle = box.left() + (col + 0.5 - first) * pixel
            if not box.left() <= middle <= box.right():
                continue
            if tokens:
                middle = min(max(8.0, middle), self.width() - 8.0)
                if middle - last_drawn < _COLUMN_TEXT_PX - 1:
                    continue
                last_drawn = middle
            picked = self._matrix.cell is not None and self._matrix.cell[1] == col
            painter.setPen(QColor(theme.text if picked else theme.muted))
            if not tokens:
                text = short_quantity(col)
                width = metrics.horizontalAdvance(text) + 2.0
                slot = QRectF(max(0.0, middle - width / 2), self.height() - 18, width, 16)
                painter.drawText(slot, Qt.AlignmentFlag.AlignCenter, text)
                continue
            text = metrics.elidedText(source.col_labels[col], Qt.TextElideMode.ElideRight, self.height() - 8)
            painter.save()
            painter.translate(QPointF(middle, self.height() - 4))
            painter.rotate(-90)
            slot = QRectF(0, -8, self.height(), 16)
            painter.drawText(slot, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, text)
            painter.restore()


class RowCounts(AxisLabels):
    """How many keys each query sees: one bar per row (or the mean of the rows that share a pixel)."""

    def __init__(self, matrix: Matrix) -> None:
        super().__init__(matrix)
        self.setFixedWidth(COUNTS_PX)

    def sizeHint(self) -> QSize:
        return QSize(COUNTS_PX, 80)

    def rows_in_view(self, source: MatrixSource) -> Span:
        _, _, (first, last) = self.area()
        return max(0, int(first)), max(1, min(source.rows, int(-(-last // 1))))

    def describe(self, y: float) -> str | None:
        """How many keys the row at `y` (in pixels of this strip) sees."""
        source = self._matrix.source
        box, _, (first, last) = self.area()
        if source is None or not box.top() <= y < box.bottom():
            return None
        row = int(first + (y - box.top()) / box.height() * (last - first))
        if not 0 <= row < source.rows:
            return None
        seen = int(source.row_counts[row])
        lines = [
            tr("query {row:,} '{query}'", row=row, query=source.row_labels[row]),
            tr("sees {seen:,} of {keys:,} keys", seen=seen, keys=source.cols),
        ]
        if seen == 0:
            lines.append(tr("Its softmax is 0 / 0: the kernel gives zeros."))
        return "\n".join(map(str, lines))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        super().mouseMoveEvent(event)
        tip = self._matrix.tip
        owner = tip.parentWidget()
        if isinstance(owner, QWidget):
            tip.show_at(self.mapTo(owner, event.position().toPoint()), self.describe(event.position().y()))

    def paint(self, painter: QPainter, theme: Theme) -> None:
        source = self._matrix.source
        if source is None:
            return
        box, _, (first, last) = self.area()
        edges, means = binned_rows(source.row_counts, self.rows_in_view(source), max(1, int(box.height())))
        pixel = box.height() / (last - first)
        full_width = self.width() - 8.0
        track = QRectF(4, box.top(), full_width, box.height())
        painter.fillRect(track, QColor(theme.sunken))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        visible_colour, hidden_colour = QColor(mix(theme.surface, theme.series[1], 0.8)), QColor(theme.bad)
        places = np.clip(box.top() + (edges - first) * pixel, box.top(), box.bottom())
        heights = np.diff(places)
        heights = np.maximum(1.0, np.where(heights > 5, heights - 1.0, heights))  # a gap, where there is room for one
        widths = np.where(means == 0, 3.0, np.maximum(1.0, full_width * means / source.cols))
        painter.setPen(Qt.PenStyle.NoPen)
        for colour, shown in ((visible_colour, means != 0), (hidden_colour, means == 0)):
            bars = zip(places[:-1][shown].tolist(), widths[shown].tolist(), heights[shown].tolist(), strict=True)
            painter.setBrush(colour)
            painter.drawRects([QRectF(4, y, width, height) for y, width, height in bars])
