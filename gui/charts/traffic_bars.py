"""HBM bytes, tensor by tensor, read and written, of two kernels on one scale, with their ratio called out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPen
from PySide6.QtWidgets import QVBoxLayout, QWidget

from core.format import format_quantity
from gui import theme as themes
from gui.charts.palette import tensor_inks
from gui.charts.ticks import nice_ticks, short_quantity
from gui.theme import Theme, mix
from gui.widgets.figure import Canvas, Figure
from gui.widgets.legend import Entry, Legend

_NAME_PX = 74
_WAY_PX = 48
_TOTAL_PX = 66
_AXIS_PX = 32
_CALLOUT_PX = 34
_WAYS = ("read", "written")


@dataclass(frozen=True)
class TensorBytes:
    """Bytes of one tensor moved by one kernel; `kernel` is a key of the groups given with it."""

    kernel: str
    tensor: str
    read_bytes: int
    written_bytes: int

    def moved(self, way: str) -> int:
        return self.read_bytes if way == "read" else self.written_bytes


class TrafficBars(Figure):
    """Two bars a kernel, read and written, stacked by tensor. `tensor_picked` says which segment was clicked."""

    tensor_picked = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("The bytes that each kernel moves appear here.", parent)
        self.bars = _Bars(self)
        self.legend = Legend()
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(self.bars, 1)
        column.addWidget(self.legend)
        self.set_content(content)

    def set_rows(self, kernels: Sequence[tuple[str, str]], rows: Sequence[TensorBytes]) -> None:
        """Show the bytes of `kernels` ((key, label), the one to beat first); no bytes at all shows the empty state."""
        self.bars.kernels, self.bars.rows = tuple(kernels), tuple(rows)
        if not any(row.read_bytes or row.written_bytes for row in rows):
            self.show_empty()
            return
        self._write_legend(themes.current())
        self.bars.update()
        self.show_content()

    def highlight(self, tensor: str | None) -> None:
        """Dim every other tensor; None lights all of them."""
        if tensor != self.bars.highlighted:
            self.bars.highlighted = tensor
            self.bars.update()

    @property
    def highlighted(self) -> str | None:
        return self.bars.highlighted

    def total(self, kernel: str) -> int:
        """Bytes read and written by one kernel."""
        return self.bars.total(kernel)

    @property
    def ratio(self) -> float | None:
        """How many times fewer bytes the last kernel moves than the first; None unless both move some."""
        return self.bars.ratio()

    def describe(self, x: float, y: float) -> str | None:
        """What the segment at a position of the bars is."""
        found = self.bars.segment_at(x, y)
        return None if found is None else self.bars.describe(*found)

    def restyle(self, theme: Theme) -> None:
        self._write_legend(theme)
        self.bars.update()

    def _write_legend(self, theme: Theme) -> None:
        tensors = dict.fromkeys(row.tensor for row in self.bars.rows if row.read_bytes or row.written_bytes)
        inks = self.bars.inks(theme)
        self.legend.set_entries(Entry(tensor, inks[tensor]) for tensor in tensors)


class _Bars(Canvas):
    def __init__(self, figure: TrafficBars) -> None:
        super().__init__()
        self._figure = figure
        self.kernels: tuple[tuple[str, str], ...] = ()
        self.rows: tuple[TensorBytes, ...] = ()
        self.highlighted: str | None = None
        self.setMouseTracking(True)
        self.setMinimumHeight(110)

    def sizeHint(self) -> QSize:
        return QSize(420, 200)

    def total(self, kernel: str) -> int:
        return sum(row.read_bytes + row.written_bytes for row in self.rows if row.kernel == kernel)

    def inks(self, theme: Theme) -> dict[str, str]:
        """The theme's own colours of its tensors; others take its series in turn."""
        names = list(dict.fromkeys(row.tensor for row in self.rows))
        others = tensor_inks(theme, [name for name in names if name not in theme.tensors])
        return {name: others.get(name, theme.tensor(name)) for name in names}

    def ratio(self) -> float | None:
        totals = [self.total(key) for key, _ in self.kernels]
        return totals[0] / totals[-1] if len(totals) > 1 and totals[0] and totals[-1] else None

    def describe(self, row: TensorBytes, way: str) -> str:
        label = dict(self.kernels)[row.kernel]
        moved, total = row.moved(way), self.total(row.kernel)
        return (
            f"{label} · {row.tensor} {way}\n{format_quantity(moved, 'bytes')} ({moved:,} B)\n"
            f"{moved / total:.1%} of its HBM bytes"
        )

    def segment_at(self, x: float, y: float) -> tuple[TensorBytes, str] | None:
        for row, way, box in self._segments():
            if box.adjusted(-1, 0, 1, 0).contains(QPointF(x, y)):
                return row, way
        return None

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        super().mouseMoveEvent(event)
        position = event.position()
        text = self._figure.describe(position.x(), position.y())
        self._figure.tip.show_at(self.mapTo(self._figure, position.toPoint()), text)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        super().mousePressEvent(event)
        found = self.segment_at(event.position().x(), event.position().y())
        if found is not None and event.button() == Qt.MouseButton.LeftButton:
            self._figure.tensor_picked.emit(found[0].tensor)

    def paint(self, painter: QPainter, theme: Theme) -> None:
        if not self.kernels:
            return
        self._paint_axis(painter, theme)
        for row, way, box in self._segments():
            self._paint_segment(painter, theme, row, way, box)
        for index, (key, label) in enumerate(self.kernels):
            self._paint_words(painter, theme, index, key, label)
        self._paint_callout(painter, theme)

    def _area(self) -> QRectF:
        """Where the bars lie."""
        left = _NAME_PX + _WAY_PX
        return QRectF(left, _CALLOUT_PX, self.width() - left - _TOTAL_PX, self.height() - _CALLOUT_PX - _AXIS_PX)

    def _bar(self, kernel: int, way: int) -> QRectF:
        area = self._area()
        slot = area.height() / max(1, len(self.kernels))
        thickness = min(26.0, slot * 0.36)
        top = area.top() + slot * kernel + (slot - 2 * thickness - 3) / 2 + way * (thickness + 3)
        return QRectF(area.left(), top, area.width(), thickness)

    def _longest(self) -> int:
        return max(
            (sum(row.moved(way) for row in self.rows if row.kernel == key) for key, _ in self.kernels for way in _WAYS),
            default=0,
        )

    def _segments(self) -> Iterator[tuple[TensorBytes, str, QRectF]]:
        scale = self._area().width() / max(1, self._longest())
        for index, (key, _) in enumerate(self.kernels):
            for way_index, way in enumerate(_WAYS):
                bar = self._bar(index, way_index)
                left = bar.left()
                for row in self.rows:
                    if row.kernel == key and row.moved(way):
                        width = row.moved(way) * scale
                        yield row, way, QRectF(left, bar.top(), width, bar.height())
                        left += width

    def _paint_axis(self, painter: QPainter, theme: Theme) -> None:
        area, longest = self._area(), self._longest()
        painter.setFont(themes.ui_font("small"))
        for tick in nice_ticks(longest, max(2, int(area.width() / 80))):
            x = area.left() + tick / max(1, longest) * area.width()
            painter.setPen(QPen(QColor(theme.grid), 1))
            painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()))
            painter.setPen(QColor(theme.muted))
            box = QRectF(x - 40, area.bottom() + 1, 80, 15)
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, short_quantity(tick, "bytes"))
        name = QRectF(area.left(), area.bottom() + 15, area.width(), 15)
        painter.drawText(name, Qt.AlignmentFlag.AlignCenter, "HBM bytes")

    def _paint_segment(self, painter: QPainter, theme: Theme, row: TensorBytes, way: str, box: QRectF) -> None:
        lit = self.highlighted is None or row.tensor == self.highlighted
        own = self.inks(theme)[row.tensor]
        ink = own if lit else mix(theme.surface, own, 0.25)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(ink))
        painter.drawRect(box.adjusted(0, 0, -1 if box.width() > 3 else 0, 0))
        painter.setFont(themes.ui_font("small", bold=True))
        metrics = painter.fontMetrics()
        label = f"{row.tensor} {short_quantity(row.moved(way), 'bytes')}"
        if metrics.horizontalAdvance(label) + 8 > box.width():
            label = row.tensor
        if metrics.horizontalAdvance(label) + 4 < box.width() and metrics.height() <= box.height() + 4:
            painter.setPen(QColor(theme.on_accent if lit else theme.muted))
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, label)

    def _paint_words(self, painter: QPainter, theme: Theme, index: int, key: str, label: str) -> None:
        """The kernel's name, read and written, and the totals at the ends of the bars."""
        first, second = self._bar(index, 0), self._bar(index, 1)
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        left = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        painter.setFont(themes.ui_font("body", bold=True))
        painter.setPen(QColor(theme.text))
        painter.drawText(QRectF(2, first.top(), _NAME_PX, second.bottom() - first.top()), left, label)
        ends = {way: box.right() for row, way, box in self._segments() if row.kernel == key}
        for way, bar in zip(_WAYS, (first, second), strict=True):
            painter.setFont(themes.ui_font("small"))
            painter.setPen(QColor(theme.muted))
            painter.drawText(QRectF(_NAME_PX, bar.top(), _WAY_PX - 6, bar.height()), right, way)
            total = sum(row.moved(way) for row in self.rows if row.kernel == key)
            painter.setFont(themes.ui_font("small", bold=True))
            painter.setPen(QColor(theme.text))
            end = ends.get(way, bar.left())
            painter.drawText(
                QRectF(end + 6, bar.top(), _TOTAL_PX + 20, bar.height()), left, format_quantity(total, "bytes")
            )
        if index:
            self._paint_absent(painter, theme, key, second, ends.get("written", second.left()))

    def _paint_absent(self, painter: QPainter, theme: Theme, key: str, bar: QRectF, end: float) -> None:
        """Tensors that the first kernel moves and this one does not at all: the point of a fused kernel."""
        moved = {row.tensor for row in self.rows if row.kernel == key and (row.read_bytes or row.written_bytes)}
        others = dict.fromkeys(row.tensor for row in self.rows if row.read_bytes or row.written_bytes)
        absent = [tensor for tensor in others if tensor not in moved]
        if not absent or not moved:
            return
        text = f"{' and '.join(absent)}: 0 B"
        painter.setPen(QColor(theme.good))
        box = QRectF(end + 6 + _TOTAL_PX + 8, bar.top(), self.width() - end - _TOTAL_PX - 14, bar.height())
        if painter.fontMetrics().horizontalAdvance(text) < box.width():
            painter.drawText(box, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, text)

    def _paint_callout(self, painter: QPainter, theme: Theme) -> None:
        ratio = self.ratio()
        if ratio is None:
            return
        headline = f"{short_quantity(ratio)}× {'fewer' if ratio >= 1 else 'the'} bytes"
        line = QRectF(2, 2, self.width() - 8, _CALLOUT_PX - 6)
        painter.setFont(themes.ui_font("heading", bold=True))
        painter.setPen(QColor(theme.good if ratio >= 1 else theme.warn))
        painter.drawText(line, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, headline)
        taken = painter.fontMetrics().horizontalAdvance(headline)
        totals = " → ".join(format_quantity(self.total(key), "bytes") for key, _ in self.kernels)
        rest = line.adjusted(taken + 12, 2, 0, 0)
        painter.setPen(QColor(theme.muted))
        for size in ("body", "small"):  # half a number would be a wrong one: it fits or is left out
            painter.setFont(themes.ui_font(size))
            if painter.fontMetrics().horizontalAdvance(totals) <= rest.width():
                painter.drawText(rest, Qt.AlignmentFlag.AlignVCenter, totals)
                break
