"""A few headline numbers side by side, each with what it means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from gui import theme as themes
from gui.plots.figure import Canvas, Figure
from gui.theme import Theme

HEIGHT_PX = 44
Tone = Literal["plain", "good", "bad"]
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter


@dataclass(frozen=True)
class Number:
    """`value` is written with its unit and coloured by `tone`: better, worse or neither. `detail` is the read-out."""

    label: str
    value: str
    detail: str = ""
    tone: Tone = "plain"


class NumberStrip(Figure):
    """Numbers in equal columns: the value large, its name small below."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("The numbers appear here once the parameters are valid.", parent)
        self._strip = _Strip(self)
        self.setFixedHeight(HEIGHT_PX)
        self.set_content(self._strip)

    @property
    def numbers(self) -> tuple[Number, ...]:
        return self._strip.numbers

    def set_numbers(self, numbers: Sequence[Number]) -> None:
        """Show these; none shows the empty state."""
        if tuple(numbers) == self._strip.numbers:
            return
        self._strip.numbers = tuple(numbers)
        if not numbers:
            self.show_empty()
            return
        self._strip.update()
        self.show_content()

    def restyle(self, theme: Theme) -> None:
        self._strip.update()


class _Strip(Canvas):
    def __init__(self, figure: NumberStrip) -> None:
        super().__init__()
        self._figure = figure
        self.numbers: tuple[Number, ...] = ()
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        return QSize(600, HEIGHT_PX)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        super().mouseMoveEvent(event)
        found = [number for number, box in self._columns() if box.contains(event.position())]
        text = f"{found[0].label}: {found[0].value}\n{found[0].detail}".strip() if found else None
        self._figure.tip.show_at(event.position().toPoint(), text)

    def _columns(self) -> list[tuple[Number, QRectF]]:
        width = self.width() / max(1, len(self.numbers))
        return [(number, QRectF(k * width, 0, width, self.height())) for k, number in enumerate(self.numbers)]

    def paint(self, painter: QPainter, theme: Theme) -> None:
        tones = {"plain": theme.text, "good": theme.good, "bad": theme.bad}
        for index, (number, box) in enumerate(self._columns()):
            if index:
                painter.setPen(QPen(QColor(theme.border), 1))
                painter.drawLine(QPointF(box.left(), 9), QPointF(box.left(), box.height() - 9))
            inside = box.adjusted(12, 5, -6, -5)
            value = QRectF(inside.left(), inside.top(), inside.width(), inside.height() * 0.55)
            label = QRectF(inside.left(), value.bottom(), inside.width(), inside.height() * 0.45)
            for rect, text, ink, font in (
                (value, number.value, tones[number.tone], themes.ui_font("title", bold=True)),
                (label, number.label, theme.muted, themes.ui_font("small")),
            ):
                painter.setFont(font)
                painter.setPen(QColor(ink))
                shown = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, int(rect.width()))
                painter.drawText(rect, _LEFT, shown)
