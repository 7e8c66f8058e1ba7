"""What quantized weights do to a model's answers: the loss that each format adds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPen
from PySide6.QtWidgets import QVBoxLayout, QWidget

from core.format import format_quantity
from gui import theme as themes
from gui.charts.ticks import nice_ticks, short_quantity
from gui.theme import Theme
from gui.widgets.figure import Figure
from gui.widgets.legend import Entry, Legend
from gui.widgets.selectable_rows import SelectableRows

_HEAD_PX, _TICKS_PX, _NAME_PX = 18, 17, 15
_WIDE_PX = 500
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter


@dataclass(frozen=True)
class Outcome:
    """The loss of one model with one format on its linear layers, in nats a token over `tokens` tokens.

    `increase` is against the weights as they are (format ''), whose own is 0. `stderr` is its standard error where one
    is known; `bits` are those of a parameter of the `layers` linear layers that were quantized.
    """

    model: str
    format: str
    label: str
    loss: float
    perplexity: float
    increase: float
    tokens: int
    bits: float
    layers: int
    stderr: float | None = None

    @property
    def is_number(self) -> bool:
        """Whether there is a loss to draw: weights can be so wrong that there is none."""
        return math.isfinite(self.increase)


class OutputEffect(Figure):
    """`format_picked` carries the format of a row that was clicked."""

    format_picked = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Run (F5) to measure what each format adds to the loss of a small trained model.", parent)
        self.rows_view = _Rows(self)
        self.rows_view.picked.connect(lambda index: self.format_picked.emit(self.rows_view.rows[index].format))
        self.legend = Legend()
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(self.rows_view, 1)
        column.addWidget(self.legend)
        self.set_content(content)

    @property
    def rows(self) -> tuple[Outcome, ...]:
        """The outcomes that are rows: those of formats, in the order given."""
        return tuple(self.rows_view.rows)

    def set_outcomes(self, outcomes: Sequence[Outcome], chosen: str | None = None) -> None:
        """Show these, a band a model; without a format beside the weights as they are it is the empty state."""
        self.rows_view.set_bands(_bands(outcomes), chosen)
        if not self.rows_view.rows:
            self.show_empty()
            return
        self.restyle(themes.current())
        self.show_content()

    def describe(self, index: int) -> str:
        """Everything known of one row."""
        return self.rows_view.describe(index)

    def restyle(self, theme: Theme) -> None:
        entries = [Entry("added loss", theme.series[0], "dot"), Entry("no worse", theme.good, "dot")]
        if any(row.stderr for row in self.rows):
            entries.append(Entry("standard error", theme.text, "line"))
        self.legend.set_entries(entries)
        self.rows_view.update()


@dataclass(frozen=True)
class _Band:
    """One model: its weights as they are, where that was measured, and its formats."""

    reference: Outcome | None
    rows: tuple[Outcome, ...]

    @property
    def limits(self) -> tuple[float, float]:
        """The least and the most that is drawn; 0 is always between."""
        ends = [row.increase + sign * (row.stderr or 0.0) for row in self.rows if row.is_number for sign in (-1, 1)]
        low, high = min([0.0, *ends]), max([0.0, *ends])
        return (low, high) if high > low else (0.0, 1.0)


def _bands(outcomes: Sequence[Outcome]) -> list[_Band]:
    found = []
    for model in dict.fromkeys(outcome.model for outcome in outcomes):
        of_model = [outcome for outcome in outcomes if outcome.model == model]
        rows = tuple(outcome for outcome in of_model if outcome.format)
        if rows:
            found.append(_Band(next((outcome for outcome in of_model if not outcome.format), None), rows))
    return found


class _Rows(SelectableRows):
    def __init__(self, figure: OutputEffect) -> None:
        super().__init__(figure)
        self.bands: list[_Band] = []
        self.rows: list[Outcome] = []
        self.chosen: str | None = None

    def set_bands(self, bands: list[_Band], chosen: str | None) -> None:
        self.bands, self.chosen = bands, chosen
        self.rows = [row for band in bands for row in band.rows]

    def sizeHint(self) -> QSize:
        return QSize(420, 22 * max(4, len(self.rows)) + self._fixed_px())

    def minimumSizeHint(self) -> QSize:
        return QSize(240, 12 * max(4, len(self.rows)) + self._fixed_px())

    def row_boxes(self) -> list[QRectF]:
        return [box for place in self._places() for box in place[1]]

    def describe(self, index: int) -> str:
        row = self.rows[index]
        reference = next((band.reference for band in self.bands if row in band.rows), None)
        lines = [f"{row.model} in {row.label}, {format_quantity(row.bits, 'bits', 4)} a parameter"]
        if row.is_number:
            error = "" if row.stderr is None else f" ± {row.stderr:.2g} (standard error)"
            lines += [
                f"loss {format_quantity(row.loss, digits=5)} nats a token: {_signed(row.increase)}{error}",
                f"perplexity {format_quantity(row.perplexity, '', 4)}",
            ]
        else:
            lines.append("its loss is not a number: the answers are lost")
        if reference is not None:
            was = format_quantity(reference.perplexity, digits=4)
            lines.append(f"as it is: loss {format_quantity(reference.loss, digits=5)}, perplexity {was}")
        lines.append(f"{row.tokens:,} tokens, {row.layers} linear layers quantized; measured (CPU)")
        return "\n".join(lines)

    def paint(self, painter: QPainter, theme: Theme) -> None:
        if not self.rows:
            return
        self.paint_focus(painter, theme)
        for band, (head, boxes, plot) in zip(self.bands, self._places(), strict=True):
            self._paint_head(painter, theme, band, head)
            self._paint_axis(painter, theme, band, plot)
            for row, box in zip(band.rows, boxes, strict=True):
                self._paint_row(painter, theme, row, box, _Scale(band.limits, plot))

    def _fixed_px(self) -> int:
        return (_HEAD_PX + _TICKS_PX) * max(1, len(self.bands)) + _NAME_PX

    def _places(self) -> list[tuple[QRectF, list[QRectF], QRectF]]:
        """A band each: where its head is, its rows, and the part of them that is to scale."""
        height = (self.height() - self._fixed_px()) / max(1, len(self.rows))
        left, right = self._name_px(), self._value_px()
        places, y = [], 0.0
        for band in self.bands:
            head = QRectF(4, y, self.width() - 8, _HEAD_PX)
            boxes = [QRectF(0, head.bottom() + i * height, self.width(), height) for i in range(len(band.rows))]
            plot = QRectF(left, head.bottom(), self.width() - left - right, height * len(band.rows))
            places.append((head, boxes, plot))
            y = plot.bottom() + _TICKS_PX
        return places

    def _name_px(self) -> float:
        return max((_bold_px(row.label) for row in self.rows), default=40.0) + 16

    def _value_px(self) -> float:
        return max((_bold_px(self._value(row)) for row in self.rows), default=40.0) + 14

    def _value(self, row: Outcome) -> str:
        if not row.is_number:
            return "no number"
        # At 420 px and less the figure needs the room more than the read-out's second number does.
        error = f" ± {row.stderr:.1g}" if row.stderr is not None and self.width() >= _WIDE_PX else ""
        return _signed(row.increase) + error

    def _paint_head(self, painter: QPainter, theme: Theme, band: _Band, head: QRectF) -> None:
        """The model in bold, and as much of how it answers unquantized as fits."""
        model = band.rows[0].model
        painter.setFont(themes.ui_font("small", bold=True))
        painter.setPen(QColor(theme.text))
        name = painter.fontMetrics().elidedText(model, Qt.TextElideMode.ElideMiddle, int(head.width()))
        painter.drawText(head, _LEFT, name)
        rest = head.adjusted(_bold_px(name) + 8, 0, 0, 0)
        if band.reference is None:
            return
        was = band.reference
        loss = f"loss {format_quantity(was.loss, digits=4)} as it is"
        wordings = (
            f"{loss}, perplexity {format_quantity(was.perplexity)}, {was.tokens:,} tokens",
            f"{loss}, perplexity {format_quantity(was.perplexity)}",
            loss,
        )
        painter.setFont(themes.ui_font("small"))
        painter.setPen(QColor(theme.muted))
        metrics = painter.fontMetrics()
        painter.drawText(rest, _LEFT, next((t for t in wordings if metrics.horizontalAdvance(t) < rest.width()), ""))

    def _paint_axis(self, painter: QPainter, theme: Theme, band: _Band, plot: QRectF) -> None:
        scale = _Scale(band.limits, plot)
        painter.setFont(themes.ui_font("small"))
        for tick in _ticks(*band.limits, most=max(2, int(plot.width() / 64))):
            x = scale.x(tick)
            painter.setPen(QPen(QColor(theme.border_strong if tick == 0 else theme.grid), 1))
            painter.drawLine(QPointF(x, plot.top()), QPointF(x, plot.bottom()))
            painter.setPen(QColor(theme.muted))
            box = QRectF(x - 32, plot.bottom(), 64, _TICKS_PX - 2)
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, short_quantity(tick))
        if band is self.bands[-1]:
            name = QRectF(0, plot.bottom() + _TICKS_PX - 2, self.width(), _NAME_PX)
            painter.drawText(name, Qt.AlignmentFlag.AlignCenter, "added loss, nats a token")

    def _paint_row(self, painter: QPainter, theme: Theme, row: Outcome, box: QRectF, scale: _Scale) -> None:
        painter.setFont(themes.ui_font("small", bold=row.format == self.chosen))
        painter.setPen(QColor(theme.text))
        painter.drawText(box.adjusted(12, 0, 0, 0), _LEFT, row.label)
        painter.drawText(box.adjusted(scale.plot.right() + 8, 0, 0, 0), _LEFT, self._value(row))
        if not row.is_number:
            return
        middle, x = box.center().y(), scale.x(row.increase)
        worse = row.increase > (row.stderr or 0.0)
        ink = QColor(theme.series[0] if worse else theme.good)
        painter.setPen(QPen(ink, 1.6))
        painter.drawLine(QPointF(scale.x(0.0), middle), QPointF(x, middle))
        if row.stderr:
            painter.setPen(QPen(QColor(theme.text), 1.2))
            low, high = scale.x(row.increase - row.stderr), scale.x(row.increase + row.stderr)
            half = min(4.0, box.height() / 4)
            painter.drawLine(QPointF(low, middle), QPointF(high, middle))
            for end in (low, high):
                painter.drawLine(QPointF(end, middle - half), QPointF(end, middle + half))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(ink)
        painter.drawEllipse(QPointF(x, middle), 3.6, 3.6)


@dataclass(frozen=True)
class _Scale:
    """Added loss to pixels, within a plot."""

    limits: tuple[float, float]
    plot: QRectF

    def x(self, increase: float) -> float:
        low, high = self.limits
        return self.plot.left() + (increase - low) / (high - low) * self.plot.width()


def _ticks(low: float, high: float, most: int) -> list[float]:
    """Round values on both sides of 0, the same step apart."""
    ticks = nice_ticks(high - low, most)
    step = ticks[1] if len(ticks) > 1 else high - low
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [index * step for index in range(first, last + 1)]


def _signed(increase: float) -> str:
    sign = "+" if increase > 0 else "−" if increase < 0 else ""
    return sign + format_quantity(abs(increase))


def _bold_px(text: str) -> float:
    return QFontMetricsF(themes.ui_font("small", bold=True)).horizontalAdvance(text)
