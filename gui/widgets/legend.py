"""Swatches with their names, in as many rows as the width asks for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetrics, QLinearGradient, QPainter, QPen, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from core.contracts.text import Text
from gui import theme as themes
from gui.theme import Theme
from gui.widgets.figure import Canvas
from gui.zoom import Px

_SWATCH_PX, _STRIP_PX = Px(10), Px(30)
_GAP_PX = Px(5)
_BETWEEN_PX, _CLOSE_PX = Px(10), Px(4)
_LEFT_PX = Px(2)


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


_MOST_WIDTHS = 16
"""For so many widths, a legend keeps where its entries are."""


class Legend(Canvas):
    """Entries in one row. If they do not fit they move closer together; if they still do not, they wrap into more rows.
    An entry that is wider than a row ends with an ellipsis."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.entries: tuple[Entry, ...] = ()
        self._placed: dict[int, list[list[tuple[Entry, QRectF]]]] = {}
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum)
        policy = self.sizePolicy()
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        self.setFont(themes.ui_font("small"))

    def set_entries(self, entries: Iterable[Entry]) -> None:
        """The same entries cost nothing: a slider sets them at each step, and a new layout of the page is slow."""
        before, self.entries = self.entries, tuple(entries)
        if self.entries == before:
            return
        self._placed.clear()
        self._fit()
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        metrics = self.fontMetrics()
        width = sum(_width_px(entry, metrics) + _BETWEEN_PX for entry in self.entries)
        return QSize(width, metrics.height() + 4)

    def minimumSizeHint(self) -> QSize:
        return QSize(0, self.sizeHint().height())

    def heightForWidth(self, width: int) -> int:
        return max(1, len(self.rows(width))) * self._row_px()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def rows(self, width: int) -> list[list[tuple[Entry, QRectF]]]:
        """The entries of each row with their boxes, swatch and name, in a legend of that width."""
        if width not in self._placed:  # a layout asks several times, and so does each repaint
            if len(self._placed) >= _MOST_WIDTHS:
                self._placed.clear()
            self._placed[width] = self._place(width)
        return self._placed[width]

    def _place(self, width: int) -> list[list[tuple[Entry, QRectF]]]:
        metrics = self.fontMetrics()
        row_px = metrics.height() + 4
        widths = [min(_width_px(entry, metrics), width - _LEFT_PX) for entry in self.entries]
        between = float(_CLOSE_PX)
        if self.entries:
            spare = width - _LEFT_PX - sum(widths)
            between = min(float(_BETWEEN_PX), max(between, spare / max(1, len(widths) - 1)))
        rows: list[list[tuple[Entry, QRectF]]] = []
        x = float(_LEFT_PX)
        for entry, needed in zip(self.entries, widths, strict=True):
            if not rows or x + needed > width:
                rows.append([])
                x = float(_LEFT_PX)
            rows[-1].append((entry, QRectF(x, (len(rows) - 1) * row_px, max(0, needed), row_px)))
            x += needed + between
        return rows

    def paint(self, painter: QPainter, theme: Theme) -> None:
        rows, metrics = self.rows(self.width()), self.fontMetrics()
        painter.translate(0, max(0, (self.height() - len(rows) * self._row_px()) // 2))
        for entry, box in (placed for row in rows for placed in row):
            swatch = QRectF(box.left(), box.center().y() - _SWATCH_PX / 2, entry.swatch_px, _SWATCH_PX)
            _draw_swatch(painter, entry, swatch)
            words = box.adjusted(entry.swatch_px + _GAP_PX, 0, 0, 0)
            painter.setPen(QColor(theme.muted))
            label = str(entry.label)
            if metrics.horizontalAdvance(label) > words.width():
                label = metrics.elidedText(label, Qt.TextElideMode.ElideRight, int(words.width()))
            painter.drawText(words.adjusted(0, 0, 2, 0), Qt.AlignmentFlag.AlignVCenter, label)

    def _row_px(self) -> int:
        return self.fontMetrics().height() + 4

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self._placed.clear()

    def _retranslate(self) -> None:
        super()._retranslate()
        self._placed.clear()
        self._fit()

    def _fit(self) -> None:
        """Take the height that the rows need: not every layout asks for it."""
        self.setMinimumHeight(self.heightForWidth(self.width()))


def _width_px(entry: Entry, metrics: QFontMetrics) -> int:
    return int(entry.swatch_px + _GAP_PX) + metrics.horizontalAdvance(str(entry.label))


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
