"""What is on chip now: the tiles in shared memory and in registers as packed bars against their capacities."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from gui import theme as themes
from gui.theme import Theme, colour, mix
from gui.widgets.figure import Canvas, Figure, sram_bytes

_BAR_PX = 18
_LINE_PX = 17
_GAP_PX = 6
_SWATCH_PX = 9


@dataclass(frozen=True)
class Resident:
    """One tile or vector on chip. `tensor` names its colour, `detail` its shape and type, `fresh`: loaded this step."""

    name: str
    detail: str
    bytes: int
    tensor: str
    fresh: bool = False


@dataclass(frozen=True)
class Store:
    """One kind of memory of an SM, e.g. 'Shared memory', and what lies in it in order."""

    name: str
    capacity_bytes: int
    residents: tuple[Resident, ...]

    @property
    def used_bytes(self) -> int:
        return sum(resident.bytes for resident in self.residents)


class SramView(Figure):
    """Each store as one bar to scale, with its residents named below it; what was just loaded is framed."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("What lies in SRAM appears here once there is a schedule to step through.", parent)
        self._bars = _Bars(self)
        self.set_content(self._bars)

    @property
    def stores(self) -> tuple[Store, ...]:
        return self._bars.stores

    def set_stores(self, stores: tuple[Store, ...]) -> None:
        """Show the residents of one step; no stores shows the empty state."""
        if not stores:
            self._bars.stores = ()
            self.show_empty()
            return
        if stores != self._bars.stores:
            self._bars.stores = stores
            self._bars.updateGeometry()
            self._bars.update()
        self.show_content()

    def restyle(self, theme: Theme) -> None:
        self._bars.update()

    def sizeHint(self) -> QSize:
        return self._bars.sizeHint()


class _Bars(Canvas):
    def __init__(self, figure: SramView) -> None:
        super().__init__()
        self._figure = figure
        self.stores: tuple[Store, ...] = ()
        self.setMouseTracking(True)
        self.setFont(themes.ui_font("small"))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        per_store = 2 * _LINE_PX + _BAR_PX + _GAP_PX
        return QSize(240, max(1, len(self.stores)) * per_store)

    def paint(self, painter: QPainter, theme: Theme) -> None:
        for index, store in enumerate(self.stores):
            top = index * (2 * _LINE_PX + _BAR_PX + _GAP_PX)
            self._paint_header(painter, theme, store, top)
            self._paint_bar(painter, theme, index)
            self._paint_names(painter, theme, store, top + _LINE_PX + _BAR_PX + 1)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        super().mouseMoveEvent(event)
        position = event.position()
        for index, store in enumerate(self.stores):
            for resident, box in self._segments(index):
                if box.adjusted(-1, 0, 1, 0).contains(position):
                    new = "\nloaded in this step" if resident.fresh else ""
                    size = f"{sram_bytes(resident.bytes)} ({resident.bytes:,} B)"
                    text = f"{resident.name}  {resident.detail}\n{size}{new}"
                    self._figure.tip.show_at(self.mapTo(self._figure, position.toPoint()), text)
                    return
            if self._bar(index).contains(position):
                free = store.capacity_bytes - store.used_bytes
                text = f"{store.name} of one SM\n{sram_bytes(max(0, free))} free of {sram_bytes(store.capacity_bytes)}"
                self._figure.tip.show_at(self.mapTo(self._figure, position.toPoint()), text)
                return
        self._figure.tip.hide()

    def _bar(self, index: int) -> QRectF:
        top = index * (2 * _LINE_PX + _BAR_PX + _GAP_PX) + _LINE_PX
        return QRectF(1, top, self.width() - 2, _BAR_PX)

    def _segments(self, index: int) -> Iterator[tuple[Resident, QRectF]]:
        store, bar = self.stores[index], self._bar(index)
        # A store that is asked for more than it has is drawn full: the bar then spans what is asked for.
        scale = bar.width() / max(store.capacity_bytes, store.used_bytes, 1)
        left = bar.left()
        for resident in store.residents:
            width = resident.bytes * scale
            yield resident, QRectF(left, bar.top(), width, bar.height())
            left += width

    def _paint_header(self, painter: QPainter, theme: Theme, store: Store, top: int) -> None:
        line = QRectF(1, top, self.width() - 2, _LINE_PX)
        painter.setPen(QColor(theme.text))
        painter.drawText(line, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, store.name)
        over = store.used_bytes > store.capacity_bytes
        painter.setPen(QColor(theme.bad if over else theme.muted))
        usage = f"{sram_bytes(store.used_bytes)} of {sram_bytes(store.capacity_bytes)}"
        painter.drawText(line, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, usage)

    def _paint_bar(self, painter: QPainter, theme: Theme, index: int) -> None:
        painter.setPen(QPen(colour(theme.border), 1))
        painter.setBrush(QColor(theme.sunken))
        painter.drawRoundedRect(self._bar(index), 3, 3)
        metrics = painter.fontMetrics()
        for resident, box in self._segments(index):
            ink = theme.tensor(resident.tensor)
            inner = box.adjusted(0.5, 1, -0.5, -1)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(ink if resident.fresh else mix(theme.sunken, ink, 0.6)))
            painter.drawRect(inner)
            if resident.fresh and inner.width() > 3:
                painter.setPen(QPen(QColor(theme.tiles["current"]), 2))
                painter.setBrush(Qt.BrushStyle.NoBrush)
                painter.drawRect(inner.adjusted(1, 0, -1, 0))
            if metrics.horizontalAdvance(resident.name) + 4 < inner.width():
                painter.setPen(QColor(theme.on_accent if resident.fresh else theme.text))
                painter.drawText(inner, Qt.AlignmentFlag.AlignCenter, resident.name)

    def _paint_names(self, painter: QPainter, theme: Theme, store: Store, top: float) -> None:
        metrics = painter.fontMetrics()
        x = 1.0
        for resident in store.residents:
            label = f"{resident.name} {sram_bytes(resident.bytes)}"
            width = metrics.horizontalAdvance(label)
            if x + _SWATCH_PX + 4 + width > self.width():
                break
            swatch = QRectF(x, top + (_LINE_PX - _SWATCH_PX) / 2, _SWATCH_PX, _SWATCH_PX)
            painter.setPen(QPen(QColor(theme.tiles["current"]), 1.5) if resident.fresh else Qt.PenStyle.NoPen)
            painter.setBrush(QColor(theme.tensor(resident.tensor)))
            painter.drawRoundedRect(swatch, 2, 2)
            painter.setPen(QColor(theme.text if resident.fresh else theme.muted))
            line = QRectF(x + _SWATCH_PX + 4, top, width + 2, _LINE_PX)
            painter.drawText(line, Qt.AlignmentFlag.AlignVCenter, label)
            x += _SWATCH_PX + 4 + width + 10
