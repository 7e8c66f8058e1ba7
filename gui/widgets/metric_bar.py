"""A few key metrics side by side, each with its meaning."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QFontMetricsF, QMouseEvent, QPainter, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from core.contracts.text import tr
from gui import theme as themes
from gui.theme import Theme
from gui.widgets.data_table import DataTable, table_of
from gui.widgets.figure import Canvas, Figure
from gui.zoom import Px

HEIGHT_PX = Px(44)
_LEFT_PX, _RIGHT_PX = Px(12), Px(6)
_NAME_PX = Px(45)
_SMALLEST = 0.7
"""The smallest size of a value, as a factor: below it, a value is cut."""

Tone = Literal["plain", "good", "bad"]
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter


@dataclass(frozen=True)
class Number:
    """`value` includes its unit, and is coloured by `tone`: better, worse or neither. `detail` is the read-out."""

    label: str
    value: str
    detail: str = ""
    tone: Tone = "plain"
    short: str = ""
    """A shorter label for a narrow column."""

    def label_within(self, metrics: QFontMetrics, width: float) -> str:
        """The label, the short one where that is cut, or as much of it as there is room for."""
        fits = not self.short or metrics.horizontalAdvance(self.label) <= width
        return metrics.elidedText(self.label if fits else self.short, Qt.TextElideMode.ElideRight, int(width))


class MetricBar(Figure):
    """Numbers in columns, the value large, its name small below. The columns are equally wide unless that would cut a
    text. In a narrow bar the names are cut first."""

    tip_floats = True

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(tr("The numbers appear here once the parameters are valid."), parent)
        self._strip = _Strip(self)
        self.setFixedHeight(HEIGHT_PX)
        self.set_content(self._strip)

    @property
    def numbers(self) -> tuple[Number, ...]:
        return self._strip.numbers

    @property
    def needed_px(self) -> int:
        """The least width at which no text is cut."""
        return round(sum(self._strip.needed_px()))

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

    def data_table(self) -> DataTable | None:
        """One row per number, as it is shown."""
        return table_of({"name": [each.label for each in self.numbers], "shown": [each.value for each in self.numbers]})

    def restyle(self, theme: Theme) -> None:
        self._strip.update()


class _Strip(Canvas):
    def __init__(self, figure: MetricBar) -> None:
        super().__init__()
        self._figure = figure
        self.numbers: tuple[Number, ...] = ()
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        return QSize(600, HEIGHT_PX)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        super().mouseMoveEvent(event)
        number = next((number for number, box in self._columns() if box.contains(event.position())), None)
        head = tr("{label}: {value}", label=number.label, value=number.value) if number else ""
        text = None if number is None else f"{head}\n{number.detail}".strip()
        self._figure.tip.show_at(event.position().toPoint(), text)

    def _columns(self) -> list[tuple[Number, QRectF]]:
        widths, _ = self._widths()
        starts = [0.0, *itertools.accumulate(widths)]
        height = self.height()
        return [
            (number, QRectF(x, 0, wide, height)) for number, x, wide in zip(self.numbers, starts, widths, strict=False)
        ]

    def _widths(self) -> tuple[list[float], float]:
        """The width of each column, and the size of the values: 1, or less where they would be cut otherwise. Names are
        shortened first, then cut, before a value gets smaller."""
        room, count = self.width(), max(1, len(self.numbers))
        for needed in (self.needed_px(), self.needed_px(short=True)):
            if sum(needed) <= room:
                spare = (room - sum(needed)) / count
                is_equal = max(needed, default=0) <= room / count
                return [room / count if is_equal else each + spare for each in needed], 1.0
        names, values = self.needed_px(short=True), self._values_px()
        if sum(values) <= room:
            share = (room - sum(values)) / (sum(names) - sum(values))
            return [value + share * (name - value) for name, value in zip(names, values, strict=True)], 1.0
        texts = [value - _edges() for value in values]
        size = max(_SMALLEST, (room - count * _edges()) / sum(texts))
        smaller = [_edges() + text * size for text in texts]
        return [each * room / sum(smaller) for each in smaller], size

    def needed_px(self, *, short: bool = False) -> list[float]:
        """The width of each column at which its texts are whole, with the short labels if there are any."""
        label = QFontMetricsF(_label_font())
        names = [(number.short or number.label) if short else number.label for number in self.numbers]
        return [
            max(value, _edges() + label.horizontalAdvance(name))
            for name, value in zip(names, self._values_px(), strict=True)
        ]

    def _values_px(self) -> list[float]:
        """The width of each column at which its value is whole, and of its name so much that it can be guessed."""
        value, label = QFontMetricsF(_value_font()), QFontMetricsF(_label_font())
        return [
            _edges()
            + max(
                value.horizontalAdvance(number.value),
                min(label.horizontalAdvance(number.short or number.label), _NAME_PX),
            )
            for number in self.numbers
        ]

    def paint(self, painter: QPainter, theme: Theme) -> None:
        _, size = self._widths()
        value_font, label_font = _value_font(size), _label_font()
        tones = {"plain": theme.text, "good": theme.good, "bad": theme.bad}
        for index, (number, box) in enumerate(self._columns()):
            if index:
                painter.setPen(QPen(QColor(theme.border), 1))
                painter.drawLine(QPointF(box.left(), 9), QPointF(box.left(), box.height() - 9))
            inside = box.adjusted(_LEFT_PX, 5, -_RIGHT_PX, -5)
            value = QRectF(inside.left(), inside.top(), inside.width(), inside.height() * 0.55)
            label = QRectF(inside.left(), value.bottom(), inside.width(), inside.height() * 0.45)
            for rect, text, text_colour, font in (
                (value, number.value, tones[number.tone], value_font),
                (label, number.label_within(QFontMetrics(label_font), label.width()), theme.muted, label_font),
            ):
                painter.setFont(font)
                painter.setPen(QColor(text_colour))
                shown = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, int(rect.width()))
                painter.drawText(rect, _LEFT, shown)


def _edges() -> float:
    """What a column needs beside its texts."""
    return _LEFT_PX + _RIGHT_PX + 1


def _value_font(size: float = 1.0) -> QFont:
    font = themes.ui_font("title", bold=True)
    font.setPixelSize(int(font.pixelSize() * size))
    return font


def _label_font() -> QFont:
    return themes.ui_font("small")
