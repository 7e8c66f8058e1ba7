"""A row of swatches with their names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QLinearGradient, QPainter, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from core.contracts.text import Text
from gui import theme as themes
from gui.theme import Theme
from gui.widgets.figure import Canvas

_SWATCH_PX, _STRIP_PX = 10, 30
_GAP_PX = 5
_BETWEEN_PX, _CLOSE_PX = 10, 4


@dataclass(frozen=True)
class Entry:
    """One name with its colour; `shape` says how it is drawn in the picture."""

    label: Text | str
    colour: str
    shape: Literal["fill", "outline", "line", "dot", "ring", "tick"] = "fill"
    scale: tuple[str, ...] = ()
    """Colours from one end of a scale to the other: a strip of them is drawn instead of one colour."""

    @property
    def swatch_px(self) -> int:
        return _STRIP_PX if self.scale else _SWATCH_PX


class Legend(Canvas):
    """Entries in one row. If they do not fit they move closer together; if they still do not, the last are left out."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.entries: tuple[Entry, ...] = ()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFont(themes.ui_font("small"))

    def set_entries(self, entries: Iterable[Entry]) -> None:
        self.entries = tuple(entries)
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        metrics = self.fontMetrics()
        width = sum(e.swatch_px + _GAP_PX + metrics.horizontalAdvance(str(e.label)) + _BETWEEN_PX for e in self.entries)
        return QSize(width, metrics.height() + 4)

    def minimumSizeHint(self) -> QSize:
        return QSize(0, self.sizeHint().height())

    def paint(self, painter: QPainter, theme: Theme) -> None:
        metrics = self.fontMetrics()
        too_wide = self.sizeHint().width() + 2 - _BETWEEN_PX - self.width()
        between = max(_CLOSE_PX, _BETWEEN_PX - max(0, too_wide) / max(1, len(self.entries) - 1))
        x, middle = 2.0, self.height() / 2
        for entry in self.entries:
            label = str(entry.label)
            width = metrics.horizontalAdvance(label)
            if x + entry.swatch_px + _GAP_PX + width > self.width():
                break
            _draw_swatch(painter, entry, QRectF(x, middle - _SWATCH_PX / 2, entry.swatch_px, _SWATCH_PX))
            x += entry.swatch_px + _GAP_PX
            painter.setPen(QColor(theme.muted))
            painter.drawText(QRectF(x, 0, width + 2, self.height()), Qt.AlignmentFlag.AlignVCenter, label)
            x += width + between


def _draw_swatch(painter: QPainter, entry: Entry, box: QRectF) -> None:
    colour = QColor(entry.colour)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    match entry.shape:
        case "fill":
            painter.setPen(QPen(QColor(themes.current().border_strong), 0.8))
            painter.setBrush(_strip(entry.scale, box) if entry.scale else colour)
            painter.drawRoundedRect(box, 2, 2)
        case "outline":
            painter.setPen(QPen(colour, 1.6))
            painter.drawRect(box.adjusted(1, 1, -1, -1))
        case "dot":
            painter.setBrush(colour)
            painter.drawEllipse(box.center(), 3.2, 3.2)
        case "ring":
            painter.setPen(QPen(colour, 1.8))
            painter.drawEllipse(box.center(), 3.4, 3.4)
        case "tick":
            painter.setPen(QPen(colour, 2))
            painter.drawLine(QPointF(box.center().x(), box.top()), QPointF(box.center().x(), box.bottom()))
        case "line":
            painter.setPen(QPen(colour, 2))
            painter.drawLine(QPointF(box.left(), box.center().y()), QPointF(box.right(), box.center().y()))


def _strip(colours: tuple[str, ...], box: QRectF) -> QLinearGradient:
    gradient = QLinearGradient(box.topLeft(), box.topRight())
    for index, colour in enumerate(colours):
        gradient.setColorAt(index / max(1, len(colours) - 1), QColor(colour))
    return gradient
