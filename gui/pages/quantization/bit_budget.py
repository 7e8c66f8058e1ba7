"""A whole model's weights in each format, in bytes, against the memory of GPUs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPen
from PySide6.QtWidgets import QVBoxLayout, QWidget

from core.format import format_quantity
from gui import theme as themes
from gui.charts.ticks import nice_ticks, short_quantity
from gui.theme import Theme, mix
from gui.widgets.figure import Figure
from gui.widgets.legend import Entry, Legend
from gui.widgets.selectable_rows import SelectableRows

_HEAD_PX, _AXIS_PX = 17, 31
_VALUE_PX = 58
"""Room behind the longest bar for its value."""
_NAME_GAP_PX, _BETWEEN_PX = 10, 6
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter


@dataclass(frozen=True)
class ModelBytes:
    """One model's weights in one format: `linear_bytes` of the layers that are quantized, `other_bytes` of the rest.

    `format` is '' for the weights as they are, in 16 bits; `bits` are those of a parameter of the linear layers.
    """

    format: str
    label: str
    bits: float
    linear_bytes: float
    other_bytes: float

    @property
    def bytes(self) -> float:
        return self.linear_bytes + self.other_bytes


@dataclass(frozen=True)
class Memory:
    """The memory of a GPU, or of several of the same size."""

    label: str
    bytes: float


class BitBudget(Figure):
    """`format_picked` carries the format of a row that was clicked ('' for 16 bits)."""

    format_picked = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("The weights of a whole model appear here once the parameters are valid.", parent)
        self.bars = _Bars(self)
        self.bars.picked.connect(lambda index: self.format_picked.emit(self.rows[index].format))
        self.legend = Legend()
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(self.bars, 1)
        column.addWidget(self.legend)
        self.set_content(content)

    @property
    def rows(self) -> tuple[ModelBytes, ...]:
        return self.bars.rows

    def set_model(self, rows: Sequence[ModelBytes], memories: Sequence[Memory] = (), chosen: str | None = None) -> None:
        """Show these; no row is the empty state. The row of the format `chosen` is written in bold."""
        self.bars.rows, self.bars.memories, self.bars.chosen = tuple(rows), tuple(memories), chosen
        if not rows:
            self.show_empty()
            return
        self.restyle(themes.current())
        self.show_content()

    def describe(self, index: int) -> str:
        """Everything known of one row."""
        return self.bars.describe(index)

    def restyle(self, theme: Theme) -> None:
        linear, other = _inks(theme)
        entries = [Entry("linear layers", linear), Entry("the rest, in 16 bits", other)]
        if self.bars.lines():
            entries.append(Entry("memory of GPUs", theme.warn, "tick"))
        self.legend.set_entries(entries)
        self.bars.update()


class _Bars(SelectableRows):
    def __init__(self, figure: BitBudget) -> None:
        super().__init__(figure)
        self.rows: tuple[ModelBytes, ...] = ()
        self.memories: tuple[Memory, ...] = ()
        self.chosen: str | None = None

    def sizeHint(self) -> QSize:
        return QSize(420, _HEAD_PX + _AXIS_PX + 26 * max(4, len(self.rows)))

    def minimumSizeHint(self) -> QSize:
        return QSize(240, _HEAD_PX + _AXIS_PX + 15 * max(4, len(self.rows)))

    def row_boxes(self) -> list[QRectF]:
        area = self._area()
        height = area.height() / max(1, len(self.rows))
        return [QRectF(0, area.top() + index * height, self.width(), height) for index in range(len(self.rows))]

    def describe(self, index: int) -> str:
        row, first = self.rows[index], self.rows[0]
        lines = [
            f"{row.label}: {format_quantity(row.bits, 'bits', 4)} a parameter of the linear layers",
            f"weights {format_quantity(row.bytes, 'bytes')} ({row.bytes:,.0f} B)",
            f"linear layers {format_quantity(row.linear_bytes, 'bytes')}, "
            f"the rest {format_quantity(row.other_bytes, 'bytes')}",
        ]
        if index:
            lines.append(f"{row.bytes / first.bytes:.1%} of {first.label}")
        roomy = next((memory for memory in self.memories if memory.bytes >= row.bytes), None)
        if roomy is not None:
            lines.append(f"the smallest that holds them: {format_quantity(roomy.bytes, 'bytes')} ({roomy.label})")
        elif self.memories:
            lines.append(
                f"more than the {format_quantity(self.memories[-1].bytes, 'bytes')} of {self.memories[-1].label}"
            )
        return "\n".join(lines)

    def lines(self) -> list[Memory]:
        """The memories that lie on the axis."""
        return [memory for memory in self.memories if memory.bytes <= self._longest()]

    def paint(self, painter: QPainter, theme: Theme) -> None:
        if not self.rows:
            return
        self.paint_focus(painter, theme)
        painter.setFont(themes.ui_font("small"))
        self._paint_axis(painter, theme)
        for row, box in zip(self.rows, self.row_boxes(), strict=True):
            self._paint_bar(painter, theme, row, box)
        self._paint_memories(painter, theme)
        for row, box in zip(self.rows, self.row_boxes(), strict=True):
            self._paint_words(painter, theme, row, box)

    def _longest(self) -> float:
        """Bytes at the right end: of the longest bar, and of the smallest memory, so that one sees what fits."""
        return max([row.bytes for row in self.rows] + [memory.bytes for memory in self.memories[:1]], default=1.0)

    def _area(self) -> QRectF:
        metrics = QFontMetricsF(themes.ui_font("small", bold=True))
        left = max((metrics.horizontalAdvance(row.label) for row in self.rows), default=40.0) + _NAME_GAP_PX + 4
        return QRectF(left, _HEAD_PX, self.width() - left - _VALUE_PX, self.height() - _HEAD_PX - _AXIS_PX)

    def _x(self, amount: float) -> float:
        area = self._area()
        return area.left() + amount / self._longest() * area.width()

    def _paint_axis(self, painter: QPainter, theme: Theme) -> None:
        area = self._area()
        for tick in nice_ticks(self._longest(), max(2, int(area.width() / 70))):
            x = self._x(tick)
            painter.setPen(QPen(QColor(theme.grid), 1))
            painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()))
            painter.setPen(QColor(theme.muted))
            box = QRectF(x - 40, area.bottom() + 1, 80, 15)
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, short_quantity(tick, "bytes") if tick else "0")
        name = QRectF(area.left(), area.bottom() + 15, area.width(), 15)
        painter.drawText(name, Qt.AlignmentFlag.AlignCenter, "bytes of weights")

    def _paint_bar(self, painter: QPainter, theme: Theme, row: ModelBytes, box: QRectF) -> None:
        thickness = min(20.0, box.height() * 0.62)
        top = box.center().y() - thickness / 2
        painter.setPen(Qt.PenStyle.NoPen)
        begin = 0.0
        for amount, ink in zip((row.linear_bytes, row.other_bytes), _inks(theme), strict=True):
            left, right = self._x(begin), self._x(begin + amount)
            painter.setBrush(QColor(ink))
            painter.drawRect(QRectF(left, top, max(1.0, right - left), thickness))
            begin += amount

    def _paint_memories(self, painter: QPainter, theme: Theme) -> None:
        """A line a memory, where its name does not run into the one before: a line without a name says nothing."""
        area, taken = self._area(), self._area().left()
        painter.setPen(QColor(theme.warn))
        if self.lines():
            painter.drawText(QRectF(4, 0, area.left(), _HEAD_PX), _LEFT, "GPU, GB")
        for memory in self.lines():
            x, text = self._x(memory.bytes), short_quantity(memory.bytes / 1e9)
            half = painter.fontMetrics().horizontalAdvance(text) / 2
            if x - half < taken:
                continue
            painter.setPen(QPen(QColor(theme.warn), 1.4, Qt.PenStyle.DashLine))
            painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()))
            painter.drawText(QRectF(x - 40, 0, 80, _HEAD_PX), Qt.AlignmentFlag.AlignCenter, text)
            taken = x + half + _BETWEEN_PX

    def _paint_words(self, painter: QPainter, theme: Theme, row: ModelBytes, box: QRectF) -> None:
        chosen = row.format == self.chosen
        painter.setFont(themes.ui_font("small", bold=chosen))
        painter.setPen(QColor(theme.text))
        painter.drawText(box.adjusted(4, 0, 0, 0), _LEFT, row.label)
        amount = format_quantity(row.bytes, "bytes")
        left = self._x(row.bytes) + 6
        metrics = painter.fontMetrics()
        text = next(
            (text for text in (f"{amount} · {format_quantity(row.bits, 'bits')}", amount) if self._fits(left, text)),
            amount,
        )
        width = metrics.horizontalAdvance(text)
        # A line that runs through a number makes another number of it.
        patch = QRectF(left - 2, box.center().y() - metrics.height() / 2, width + 4, metrics.height())
        painter.fillRect(patch, QColor(theme.surface))
        painter.drawText(QRectF(left, box.top(), width + 2, box.height()), _LEFT, text)

    def _fits(self, left: float, text: str) -> bool:
        return left + QFontMetricsF(themes.ui_font("small", bold=True)).horizontalAdvance(text) < self.width() - 2


def _inks(theme: Theme) -> tuple[str, str]:
    """Of the linear layers and of the rest."""
    return mix(theme.surface, theme.series[0], 0.8), mix(theme.surface, theme.series[6], 0.6)
