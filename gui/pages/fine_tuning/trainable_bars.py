"""How many parameters train, on a log axis: from a few hundred to all of them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from gui.charts.ticks import decade_ticks, positive_range, short_quantity
from gui.theme import Theme, mix

_APART_PX = 34


def place(area: QRectF, count: float, counts: Sequence[float]) -> float:
    """Where a count lies on the axis that spans all `counts`; the left end for 0."""
    ends = positive_range(counts)
    if ends is None or count <= 0:
        return area.left()
    low, high = ends
    share = math.log(count / low) / math.log(high / low)
    return area.left() + min(1.0, max(0.0, share)) * area.width()


def paint_axis(painter: QPainter, theme: Theme, area: QRectF, counts: Sequence[float]) -> None:
    """Grid lines at powers of ten, with counts under them."""
    ends = positive_range(counts)
    named = area.left() - _APART_PX
    for tick in decade_ticks(*ends, max(2, int(area.width() / 40))) if ends else ():
        x = place(area, tick, counts)
        painter.setPen(QPen(QColor(theme.grid), 1))
        painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()))
        if x - named < _APART_PX:
            continue
        named = x
        painter.setPen(QColor(theme.muted))
        text = f"{short_quantity(tick / 1e3)} k" if 1e3 <= tick < 1e6 else short_quantity(tick)
        box = QRectF(x - 30, area.bottom() + 1, 60, 15)
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)


def paint_bar(painter: QPainter, theme: Theme, lane: QRectF, count: int, counts: Sequence[float]) -> float:
    """A line with a dot at the count: on a log axis a length from its left end says nothing. Returns where it ends."""
    end, y = place(lane, count, counts), lane.center().y()
    painter.setPen(QPen(QColor(mix(theme.surface, theme.accent, 0.45)), 2))
    painter.drawLine(QPointF(lane.left(), y), QPointF(end, y))
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(theme.accent))
    painter.drawEllipse(QPointF(end, y), 4, 4)
    return end + 3
