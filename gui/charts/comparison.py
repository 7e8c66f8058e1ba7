"""Implementations side by side, one row each: time with its samples, and error on a log axis with what is allowed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPen
from PySide6.QtWidgets import QVBoxLayout, QWidget

from core.contracts.result import Row
from core.format import format_quantity
from gui import theme as themes
from gui.charts.ticks import decade_ticks, nice_ticks, positive_range, short_quantity
from gui.theme import Theme, mix
from gui.widgets.figure import Canvas, Figure
from gui.widgets.legend import Entry, Legend

_HEAD_PX = 17
_AXIS_PX = 17
_GAP_PX = 16
_ERROR_HEADS = ("RMS error against float64", "RMS error vs float64", "RMS error")
_VALUE_PX = 62
"""Room behind the longest bar for its value."""
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter


@dataclass(frozen=True)
class Contender:
    """One implementation. `runs_on` is 'cuda', 'cpu', 'emulated' or 'unavailable' (then `reason` says why).

    `time_ms` and its `samples_ms` are there only where it was timed; errors are against float64, `allowed_error`
    being the most that passes.
    """

    label: str
    runs_on: str
    reason: str = ""
    time_ms: float | None = None
    samples_ms: tuple[float, ...] = ()
    tflops: float | None = None
    peak_memory_bytes: float | None = None
    max_error: float | None = None
    rms_error: float | None = None
    allowed_error: float | None = None
    passed: bool | None = None

    @classmethod
    def from_row(cls, row: Row) -> Contender:
        """A row of the table 'comparison' that topics return. What ran emulated or not at all has no time."""
        emulated = row["runs_on"] in ("emulated", "unavailable")
        return cls(
            label=row["label"],
            runs_on=row["runs_on"],
            reason=row.get("reason") or "",
            time_ms=None if emulated else row.get("time_ms"),
            samples_ms=() if emulated else tuple(row.get("time_ms_samples") or ()),
            tflops=None if emulated else row.get("tflops"),
            peak_memory_bytes=row.get("peak_memory_bytes"),
            max_error=row.get("max_abs_error"),
            rms_error=row.get("rms_error"),
            allowed_error=row.get("allowed_rms_error"),
            passed=row.get("passed"),
        )

    @property
    def slowest_ms(self) -> float:
        return max(self.time_ms or 0.0, *self.samples_ms, 0.0)

    @property
    def is_available(self) -> bool:
        return self.runs_on != "unavailable"


class Comparison(Figure):
    """Rows in the order given. `picked` carries the index of the row clicked."""

    picked = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        sentence = "Run (F5) to compare the implementations that this machine has: time, and error against float64."
        super().__init__(sentence, parent)
        self.rows_view = _Rows(self)
        self.legend = Legend()
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(self.rows_view, 1)
        column.addWidget(self.legend)
        self.set_content(content)

    @property
    def rows(self) -> tuple[Contender, ...]:
        return self.rows_view.rows

    def set_rows(self, rows: Sequence[Contender]) -> None:
        """Compare these; none shows the empty state."""
        self.rows_view.rows = tuple(rows)
        if not rows:
            self.show_empty()
            return
        self._write_legend(themes.current())
        self.rows_view.update()
        self.show_content()

    def describe(self, index: int) -> str:
        """Everything known of one row."""
        return describe(self.rows[index])

    def restyle(self, theme: Theme) -> None:
        self._write_legend(theme)
        self.rows_view.update()

    def _write_legend(self, theme: Theme) -> None:
        timed = [
            Entry("median time", theme.series[0]),
            Entry("sample", theme.text, "dot"),
        ]
        errors = [Entry("RMS error", theme.good, "dot"), Entry("allowed", theme.warn, "tick")]
        self.legend.set_entries([*(timed if any(row.time_ms for row in self.rows) else []), *errors])


def describe(row: Contender) -> str:
    """The read-out of one implementation."""
    if not row.is_available:
        return f"{row.label}: not available\n{row.reason}"
    lines = [f"{row.label} on {row.runs_on.upper() if row.runs_on == 'cpu' else row.runs_on}"]
    if row.time_ms is not None:
        spread = f", {len(row.samples_ms)} samples" if row.samples_ms else ""
        lines.append(f"time {format_quantity(row.time_ms, 'ms')} median{spread}")
        if row.samples_ms:
            low, high = min(row.samples_ms), max(row.samples_ms)
            lines.append(f"from {format_quantity(low, 'ms')} to {format_quantity(high, 'ms')}")
    else:
        lines.append("emulated: no time")
    if row.tflops is not None:
        lines.append(f"{format_quantity(row.tflops * 1e12, 'FLOP/s')}")
    if row.peak_memory_bytes is not None:
        lines.append(f"peak memory {format_quantity(row.peak_memory_bytes, 'bytes')}")
    if row.rms_error is not None:
        allowed = "" if row.allowed_error is None else f" (allowed {row.allowed_error:.2e})"
        lines.append(f"RMS error {row.rms_error:.2e}{allowed}")
    if row.max_error is not None:
        lines.append(f"largest error {row.max_error:.2e}")
    return "\n".join(lines)


class _Rows(Canvas):
    def __init__(self, figure: Comparison) -> None:
        super().__init__()
        self._figure = figure
        self.rows: tuple[Contender, ...] = ()
        self.setMouseTracking(True)

    def sizeHint(self) -> QSize:
        return QSize(440, _HEAD_PX + _AXIS_PX + 22 * max(4, len(self.rows)))

    def minimumSizeHint(self) -> QSize:
        return QSize(240, _HEAD_PX + _AXIS_PX + 13 * max(4, len(self.rows)))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        super().mouseMoveEvent(event)
        index = self._row_at(event.position().y())
        text = None if index is None else self._figure.describe(index)
        self._figure.tip.show_at(self.mapTo(self._figure, event.position().toPoint()), text)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        super().mousePressEvent(event)
        index = self._row_at(event.position().y())
        if index is not None and event.button() == Qt.MouseButton.LeftButton:
            self._figure.picked.emit(index)

    def paint(self, painter: QPainter, theme: Theme) -> None:
        if not self.rows:
            return
        painter.setFont(themes.ui_font("small"))
        longest = max((row.slowest_ms for row in self.rows), default=0.0)
        errors = positive_range(v for row in self.rows for v in (row.rms_error or 0.0, row.allowed_error or 0.0))
        self._paint_axes(painter, theme, longest, errors)
        for index, row in enumerate(self.rows):
            self._paint_row(painter, theme, index, row, longest, errors)

    def _name_px(self) -> float:
        metrics = self.fontMetrics()
        widest = max((metrics.horizontalAdvance(f"{row.label}  CPU") for row in self.rows), default=80)
        return min(widest + 10.0, self.width() * 0.36)

    def _columns(self) -> tuple[QRectF, QRectF]:
        """Where times and errors are drawn. Without any time their column takes only the words."""
        left = self._name_px() + 8
        height = self.height() - _HEAD_PX - _AXIS_PX
        free = self.width() - left - _GAP_PX - 20
        share = 0.56 if any(row.time_ms is not None for row in self.rows) else 0.34
        time = QRectF(left, _HEAD_PX, free * share, height)
        return time, QRectF(time.right() + _GAP_PX, _HEAD_PX, free - time.width(), height)

    def _line(self, index: int) -> QRectF:
        height = (self.height() - _HEAD_PX - _AXIS_PX) / len(self.rows)
        return QRectF(0, _HEAD_PX + index * height, self.width(), height)

    def _row_at(self, y: float) -> int | None:
        return next((i for i in range(len(self.rows)) if self._line(i).top() <= y < self._line(i).bottom()), None)

    def _paint_axes(self, painter: QPainter, theme: Theme, longest: float, errors: tuple[float, float] | None) -> None:
        time, error = self._columns()
        painter.setPen(QColor(theme.muted))
        painter.drawText(QRectF(time.left(), 0, time.width(), _HEAD_PX), _LEFT, "time")
        metrics = painter.fontMetrics()
        head = next((t for t in _ERROR_HEADS if metrics.horizontalAdvance(t) <= error.width() + 16), _ERROR_HEADS[-1])
        painter.drawText(QRectF(error.left(), 0, error.width() + 20, _HEAD_PX), _LEFT, head)
        if longest > 0:
            scale = (time.width() - _VALUE_PX) / longest
            for tick in nice_ticks((time.width() - _GAP_PX) / scale, max(2, int(time.width() / 54))):
                x = time.left() + tick * scale
                _paint_tick(painter, theme, x, time, short_quantity(tick, "ms") if tick else "0")
        if errors is not None:
            for tick in decade_ticks(*errors, most=max(2, int(error.width() / 52))):
                _paint_tick(painter, theme, _log_x(tick, error, errors), error, f"1e{round(math.log10(tick))}")

    def _paint_row(
        self,
        painter: QPainter,
        theme: Theme,
        index: int,
        row: Contender,
        longest: float,
        errors: tuple[float, float] | None,
    ) -> None:
        line, (time, error) = self._line(index), self._columns()
        name = QRectF(4, line.top(), self._name_px(), line.height())
        painter.setPen(QColor(theme.text if row.is_available else theme.faint))
        metrics = painter.fontMetrics()
        painter.drawText(name, _LEFT, metrics.elidedText(row.label, Qt.TextElideMode.ElideRight, int(name.width())))
        # The card's badge says CPU too: where there is no room for both, the name is worth more.
        if row.runs_on == "cpu" and metrics.horizontalAdvance(f"{row.label}  CPU") <= name.width():
            painter.setPen(QColor(theme.muted))
            painter.drawText(name.adjusted(metrics.horizontalAdvance(f"{row.label}  "), 0, 0, 0), _LEFT, "CPU")
        across = QRectF(time.left(), line.top(), self.width() - time.left() - 4, line.height())
        if not row.is_available:
            painter.setPen(QColor(theme.faint))
            text = metrics.elidedText(row.reason, Qt.TextElideMode.ElideRight, int(across.width()))
            painter.drawText(across, _LEFT, text)
            return
        slot = QRectF(time.left(), line.top(), time.width(), line.height())
        if row.time_ms is None:
            painter.setPen(QColor(theme.muted))
            painter.drawText(slot, _LEFT, "emulated: no time")
        else:
            _paint_time(painter, theme, row, slot, longest)
        if errors is not None and row.rms_error is not None and math.isfinite(row.rms_error):
            _paint_error(painter, theme, row, QRectF(error.left(), line.top(), error.width(), line.height()), errors)


def _paint_tick(painter: QPainter, theme: Theme, x: float, area: QRectF, text: str) -> None:
    painter.setPen(QPen(QColor(theme.grid), 1))
    painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()))
    painter.setPen(QColor(theme.muted))
    painter.drawText(QRectF(x - 35, area.bottom() + 1, 70, _AXIS_PX - 1), Qt.AlignmentFlag.AlignCenter, text)


def _paint_time(painter: QPainter, theme: Theme, row: Contender, slot: QRectF, longest: float) -> None:
    """The bar to the median, the samples as dots on it, the value behind it."""
    assert row.time_ms is not None
    scale = (slot.width() - _VALUE_PX) / (longest or 1.0)
    thickness = min(13.0, slot.height() * 0.62)
    bar = QRectF(slot.left(), slot.center().y() - thickness / 2, max(1.5, row.time_ms * scale), thickness)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(mix(theme.surface, theme.series[0], 0.75)))
    painter.drawRoundedRect(bar, 2, 2)
    painter.setBrush(QColor(theme.text))
    for sample in row.samples_ms:
        painter.drawEllipse(QPointF(slot.left() + sample * scale, slot.center().y()), 1.6, 1.6)
    end = slot.left() + row.slowest_ms * scale + 6
    text = format_quantity(row.time_ms, "ms")
    painter.setPen(QColor(theme.text))
    painter.drawText(QRectF(end, slot.top(), _VALUE_PX + _GAP_PX, slot.height()), _LEFT, text)


def _paint_error(painter: QPainter, theme: Theme, row: Contender, slot: QRectF, errors: tuple[float, float]) -> None:
    """A stem to the error and the limit it must stay left of."""
    assert row.rms_error is not None
    ink = QColor(theme.bad if row.passed is False else theme.good)
    middle = slot.center().y()
    x = slot.left() if row.rms_error <= 0 else _log_x(row.rms_error, slot, errors)
    painter.setPen(QPen(ink, 1.4))
    painter.drawLine(QPointF(slot.left(), middle), QPointF(x, middle))
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(ink)
    painter.drawEllipse(QPointF(x, middle), 3.6, 3.6)
    if row.allowed_error:
        limit = _log_x(row.allowed_error, slot, errors)
        painter.setPen(QPen(QColor(theme.warn), 2))
        half = min(8.0, slot.height() * 0.36)
        painter.drawLine(QPointF(limit, middle - half), QPointF(limit, middle + half))


def _log_x(value: float, area: QRectF, limits: tuple[float, float]) -> float:
    low, high = (math.log10(limit) for limit in limits)
    share = (math.log10(value) - low) / (high - low)
    return area.left() + min(1.0, max(0.0, share)) * area.width()
