"""Methods as rows, with what each of them costs and brings: trainable parameters, memory, exact match."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFontMetricsF, QMouseEvent, QPainter, QPen
from PySide6.QtWidgets import QVBoxLayout, QWidget

from core.format import format_quantity
from gui import theme as themes
from gui.charts.ticks import short_quantity
from gui.pages.fine_tuning import memory_bars, trainable_bars
from gui.pages.fine_tuning.memory_bars import PARTS, MemorySplit
from gui.theme import Theme, mix
from gui.widgets.figure import Figure
from gui.widgets.legend import Entry, Legend
from gui.widgets.selectable_rows import SelectableRows

_HEAD_PX, _AXIS_PX, _GAP_PX = 17, 16, 8
_VALUE_PX = (48, 56, 78)
"""Room for the values of each column, at the right of its bars."""

_HALF_FROM_PX = 90
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
_WIDE_HEADS = ("trainable parameters (log)", "memory of a step", "exact match, held out")
_SHORT_HEADS = ("trainable (log)", "memory", "exact match")


@dataclass(frozen=True)
class MethodCost:
    """One method. NaN is what is not known; `matches` are shares of held-out rows: unseen people, untold facts."""

    key: str
    name: str
    trainable: int
    total: int
    memory: MemorySplit
    matches: tuple[float, float] = (math.nan, math.nan)
    error: str = ""
    about: str = ""

    @property
    def share(self) -> float:
        return self.trainable / self.total if self.total else math.nan


class MethodBoard(Figure):
    """`picked` carries the key of a method whose row was clicked or picked by keyboard."""

    picked = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("The costs of each method appear here once the parameters are valid.", parent)
        self.rows: tuple[MethodCost, ...] = ()
        self.chosen = ""
        self.bars, self.legend, self.match_legend = _Bars(self), Legend(), Legend()
        self.bars.picked.connect(lambda index: self.picked.emit(self.rows[index].key))
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(self.bars, 1)
        column.addWidget(self.legend)
        column.addWidget(self.match_legend)
        self.set_content(content)

    def set_rows(self, rows: Sequence[MethodCost]) -> None:
        """Show these; none is the empty state."""
        self.rows = tuple(rows)
        if not rows:
            self.show_empty()
            return
        self._write_legend(themes.current())
        self.bars.update()
        self.show_content()

    def choose(self, key: str) -> None:
        """Write a method in bold; emits nothing."""
        if key != self.chosen:
            self.chosen = key
            self.bars.update()

    def describe(self, index: int) -> str:
        """Everything known of a row."""
        row = self.rows[index]
        lines = [row.name]
        if row.about:
            lines.append(row.about)
        if row.total:
            share = format_quantity(100 * row.share, "%")
            lines.append(f"{row.trainable:,} of {row.total:,} parameters train ({share})")
        lines += memory_bars.described(row.memory)
        for share, name in zip(row.matches, ("unseen people", "untold facts"), strict=True):
            if math.isfinite(share):
                lines.append(f"exact match, {name}: {share:.1%}")
        if row.error:
            lines.append(f"stopped: {row.error}")
        return "\n".join(lines)

    def restyle(self, theme: Theme) -> None:
        self._write_legend(theme)
        self.bars.update()

    def _write_legend(self, theme: Theme) -> None:
        known = [part for part in PARTS if any(row.memory.bytes_of(part) > 0 for row in self.rows)]
        self.legend.set_entries(Entry(part, memory_bars.ink(theme, part)) for part in known)
        unseen, untold = match_inks(theme)
        self.match_legend.set_entries([Entry("exact match: unseen people", unseen), Entry("untold facts", untold)])
        self.match_legend.setVisible(any(math.isfinite(share) for row in self.rows for share in row.matches))


class _Bars(SelectableRows):
    """Three columns of bars beside one column of names."""

    def __init__(self, figure: MethodBoard) -> None:
        super().__init__(figure)
        self._board = figure

    def sizeHint(self) -> QSize:
        return QSize(480, _HEAD_PX + _AXIS_PX + 22 * max(4, len(self._board.rows)))

    def minimumSizeHint(self) -> QSize:
        return QSize(280, _HEAD_PX + _AXIS_PX + 15 * max(4, len(self._board.rows)))

    def row_boxes(self) -> list[QRectF]:
        rows = self._board.rows
        high = (self.height() - _HEAD_PX - _AXIS_PX) / max(1, len(rows))
        return [QRectF(0, _HEAD_PX + at * high, self.width(), high) for at in range(len(rows))]

    def describe(self, index: int) -> str:
        return self._board.describe(index)

    def areas(self) -> tuple[QRectF, QRectF, QRectF]:
        """Where the bars of each column lie, room for their values at the right of them left out."""
        bold = QFontMetricsF(themes.ui_font("small", bold=True))
        names = max((bold.horizontalAdvance(row.name) for row in self._board.rows), default=40.0) + 14
        wide = max(8.0, (self.width() - names - sum(_VALUE_PX) - 2 * _GAP_PX) / 3)
        high = self.height() - _HEAD_PX - _AXIS_PX
        first, second, third = (
            QRectF(names + at * (wide + _GAP_PX) + sum(_VALUE_PX[:at]), _HEAD_PX, wide, high) for at in range(3)
        )
        return first, second, third

    def paint(self, painter: QPainter, theme: Theme) -> None:
        rows = self._board.rows
        if not rows:
            return
        self.paint_focus(painter, theme)
        painter.setFont(themes.ui_font("small"))
        counts, memory, matches = self.areas()
        longest = memory_bars.longest([row.memory for row in rows])
        trainable_bars.paint_axis(painter, theme, counts, [row.trainable for row in rows])
        memory_bars.paint_axis(painter, theme, memory, longest)
        self._paint_match_axis(painter, theme, matches)
        self._paint_heads(painter, theme)
        for row, box in zip(rows, self.row_boxes(), strict=True):
            chosen = row.key == self._board.chosen
            painter.setFont(themes.ui_font("small", bold=chosen))
            painter.setPen(QColor(theme.accent if chosen else theme.bad if row.error else theme.text))
            painter.drawText(box.adjusted(4, 0, 0, 0), _LEFT, row.name)
            lane = _lane(box)
            end = trainable_bars.paint_bar(
                painter, theme, _in(counts, lane), row.trainable, [r.trainable for r in rows]
            )
            self._paint_value(painter, theme, end, box, format_quantity(100 * row.share, "%"))
            end = memory_bars.paint_bar(painter, theme, _in(memory, lane), row.memory, longest)
            if row.memory.total > 0:
                self._paint_value(painter, theme, end, box, short_quantity(row.memory.total, "bytes"))
            self._paint_matches(painter, theme, _in(matches, lane), box, row)

    def _paint_heads(self, painter: QPainter, theme: Theme) -> None:
        metrics, (first, second, third) = painter.fontMetrics(), self.areas()
        painter.setPen(QColor(theme.muted))
        areas = (first, second, third)
        for area, value, wide, short in zip(areas, _VALUE_PX, _WIDE_HEADS, _SHORT_HEADS, strict=True):
            room = area.width() + value
            text = wide if metrics.horizontalAdvance(wide) <= room else short
            painter.drawText(QRectF(area.left(), 0, room, _HEAD_PX), _LEFT, text)

    def _paint_match_axis(self, painter: QPainter, theme: Theme, area: QRectF) -> None:
        for share in (0.0, 0.5, 1.0):
            x = area.left() + share * area.width()
            painter.setPen(QPen(QColor(theme.grid), 1))
            painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()))
            if share == 0.5 and area.width() < _HALF_FROM_PX:
                continue
            painter.setPen(QColor(theme.muted))
            box = QRectF(x - 24, area.bottom() + 1, 48, 15)
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, f"{share:.0%}")

    def _paint_matches(self, painter: QPainter, theme: Theme, lane: QRectF, box: QRectF, row: MethodCost) -> None:
        """Two thin bars, and both shares in words; a dash before they are known."""
        half = lane.height() / 2
        for at, (share, ink) in enumerate(zip(row.matches, match_inks(theme), strict=True)):
            if share > 0:  # not of NaN either
                bar = QRectF(lane.left(), lane.top() + at * half, max(1.5, share * lane.width()), half - 0.5)
                painter.fillRect(bar, QColor(ink))
        known = [share for share in row.matches if math.isfinite(share)]
        text = " · ".join(f"{100 * share:.0f}" for share in known) + "%" if known else "—"
        end = lane.left() + max((share for share in known), default=0.0) * lane.width()
        self._paint_value(painter, theme, end, box, text)

    def _paint_value(self, painter: QPainter, theme: Theme, end: float, box: QRectF, text: str) -> None:
        painter.setPen(QColor(theme.text))
        painter.drawText(QRectF(end + 5, box.top(), 80, box.height()), _LEFT, text)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        super().mouseMoveEvent(event)
        self.setCursor(Qt.CursorShape.PointingHandCursor)


def match_inks(theme: Theme) -> tuple[str, str]:
    """Of unseen people and of untold facts."""
    return mix(theme.surface, theme.good, 0.85), mix(theme.surface, theme.series[7], 0.8)


def _lane(box: QRectF) -> QRectF:
    """The strip of a row that bars fill."""
    high = min(16.0, box.height() * 0.66)
    return QRectF(0, box.center().y() - high / 2, 0, high)


def _in(area: QRectF, lane: QRectF) -> QRectF:
    return QRectF(area.left(), lane.top(), area.width(), lane.height())
