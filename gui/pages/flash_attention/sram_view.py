"""The tiles on chip: shared memory and registers as stacked bars, compared with their capacities."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetrics, QMouseEvent, QPainter, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from core.contracts.text import tr
from core.topics.flash_attention.plan import SramPiece, SramStore
from gui import theme as themes
from gui.theme import Theme, colour, mix
from gui.widgets.data_table import DataTable, table_of
from gui.widgets.figure import Canvas, Figure, sram_bytes
from gui.zoom import Px

_BAR_PX = Px(18)
_LINE_PX = Px(17)
_GAP_PX = Px(6)
_SWATCH_PX, _APART_PX = Px(9), Px(4)
_BETWEEN_PX = 10


class SramView(Figure):
    """Each store is one bar to scale, with its pieces named below; newly loaded pieces are framed."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(tr("The contents of SRAM appear here once there is a schedule to step through."), parent)
        self._bars = _Bars(self)
        self.set_content(self._bars)

    @property
    def stores(self) -> tuple[SramStore, ...]:
        return self._bars.stores

    @property
    def fresh(self) -> frozenset[str]:
        """The names of the newly loaded pieces."""
        return self._bars.fresh

    def set_stores(self, stores: Sequence[SramStore], fresh: Collection[str] = ()) -> None:
        """Show what is on chip in one step; `fresh` are the names it loads. No stores shows the empty state."""
        if not stores:
            self._bars.stores = ()
            self.show_empty()
            return
        shown = tuple(stores), frozenset(fresh)
        if shown != (self._bars.stores, self._bars.fresh):
            self._bars.stores, self._bars.fresh = shown
            self._bars.updateGeometry()
            self._bars.update()
        self.show_content()

    def data_table(self) -> DataTable | None:
        """One row per piece on chip."""
        pieces = [(store, piece) for store in self.stores for piece in store.pieces]
        return table_of(
            {
                "memory": [str(store.name) for store, _ in pieces],
                "capacity_bytes": [store.capacity_bytes for store, _ in pieces],
                "piece": [piece.name for _, piece in pieces],
                "shape": [" x ".join(map(str, piece.shape)) for _, piece in pieces],
                "dtype": [piece.dtype for _, piece in pieces],
                "bytes": [piece.bytes for _, piece in pieces],
                "loaded_now": [piece.name in self.fresh for _, piece in pieces],
            }
        )

    def restyle(self, theme: Theme) -> None:
        self._bars.update()

    def sizeHint(self) -> QSize:
        return self._bars.sizeHint()


class _Bars(Canvas):
    def __init__(self, figure: SramView) -> None:
        super().__init__()
        self._figure = figure
        self.stores: tuple[SramStore, ...] = ()
        self.fresh: frozenset[str] = frozenset()
        self.setMouseTracking(True)
        self.setFont(themes.ui_font("small"))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        per_store = 2 * _LINE_PX + _BAR_PX + _GAP_PX
        return QSize(240, max(1, len(self.stores)) * per_store)

    def paint(self, painter: QPainter, theme: Theme) -> None:
        for index, store in enumerate(self.stores):
            top = index * (2 * _LINE_PX + _BAR_PX + _GAP_PX)
            self._paint_bar(painter, theme, index)
            self._paint_header(painter, theme, index)
            self._paint_names(painter, theme, store, top + _LINE_PX + _BAR_PX + 1)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        super().mouseMoveEvent(event)
        position = event.position()
        for index, store in enumerate(self.stores):
            for piece, box in self._segments(index):
                if box.adjusted(-1, 0, 1, 0).contains(position):
                    lines = [f"{piece.name}  {_detail(piece)}", f"{sram_bytes(piece.bytes)} ({piece.bytes:,} B)"]
                    if piece.name in self.fresh:
                        lines.append(str(tr("loaded in this step")))
                    self._figure.tip.show_at(self.mapTo(self._figure, position.toPoint()), "\n".join(lines))
                    return
            if self._bar(index).contains(position):
                free = sram_bytes(max(0, store.capacity_bytes - store.used_bytes))
                capacity = sram_bytes(store.capacity_bytes)
                lines = [
                    str(tr("{memory} of one SM", memory=store.name)),
                    str(tr("{free} free of {capacity}", free=free, capacity=capacity)),
                ]
                self._figure.tip.show_at(self.mapTo(self._figure, position.toPoint()), "\n".join(lines))
                return
        self._figure.tip.hide()

    def _bar(self, index: int) -> QRectF:
        top = index * (2 * _LINE_PX + _BAR_PX + _GAP_PX) + _LINE_PX
        return QRectF(1, top, self.width() - 2, _BAR_PX)

    def _segments(self, index: int) -> Iterator[tuple[SramPiece, QRectF]]:
        store, bar = self.stores[index], self._bar(index)
        # A store that is over capacity is drawn full: the bar then spans the bytes used.
        scale = bar.width() / max(store.capacity_bytes, store.used_bytes, 1)
        left = bar.left()
        for piece in store.pieces:
            width = piece.bytes * scale
            yield piece, QRectF(left, bar.top(), width, bar.height())
            left += width

    def _paint_header(self, painter: QPainter, theme: Theme, index: int) -> None:
        """The name of the store and its use; the use stands in the free part of the bar where the name would be cut."""
        store, bar = self.stores[index], self._bar(index)
        line = QRectF(bar.left(), bar.top() - _LINE_PX, bar.width(), _LINE_PX)
        over = store.used_bytes > store.capacity_bytes
        painter.setPen(QColor(theme.bad if over else theme.muted))
        used, capacity = sram_bytes(store.used_bytes), sram_bytes(store.capacity_bytes)
        if used.split()[-1] == capacity.split()[-1]:
            used = used.split()[0]  # one unit is enough where there is little room
        metrics = painter.fontMetrics()
        usage = str(tr("{used} of {capacity}", used=used, capacity=capacity))
        if metrics.horizontalAdvance(f"{store.name}{usage}") + _APART_PX > line.width():
            usage = f"{used}/{capacity}"
        usage = metrics.elidedText(usage, Qt.TextElideMode.ElideRight, int(line.width()))
        usage_px = metrics.horizontalAdvance(usage) + _APART_PX
        free = bar.adjusted(sum(box.width() for _, box in self._segments(index)), 0, -_APART_PX, 0)
        is_in_bar = metrics.horizontalAdvance(str(store.name)) + usage_px > line.width() and usage_px < free.width()
        painter.drawText(
            free if is_in_bar else line, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, usage
        )
        name_px = line.width() - (0 if is_in_bar else usage_px)
        name = metrics.elidedText(str(store.name), Qt.TextElideMode.ElideRight, int(name_px))
        painter.setPen(QColor(theme.text))
        painter.drawText(line, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, name)

    def _paint_bar(self, painter: QPainter, theme: Theme, index: int) -> None:
        painter.setPen(QPen(colour(theme.border), 1))
        painter.setBrush(QColor(theme.sunken))
        painter.drawRoundedRect(self._bar(index), 3, 3)
        metrics = painter.fontMetrics()
        for piece, box in self._segments(index):
            ink = theme.tensor(piece.tensor)
            inner = box.adjusted(0.5, 1, -0.5, -1)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(ink if piece.name in self.fresh else mix(theme.sunken, ink, 0.6)))
            painter.drawRect(inner)
            if piece.name in self.fresh and inner.width() > 3:
                painter.setPen(QPen(QColor(theme.tiles["current"]), 2))
                painter.setBrush(Qt.BrushStyle.NoBrush)
                painter.drawRect(inner.adjusted(1, 0, -1, 0))
            if metrics.horizontalAdvance(piece.name) + 4 < inner.width():
                painter.setPen(QColor(theme.on_accent if piece.name in self.fresh else theme.text))
                painter.drawText(inner, Qt.AlignmentFlag.AlignCenter, piece.name)

    def _paint_names(self, painter: QPainter, theme: Theme, store: SramStore, top: float) -> None:
        metrics = painter.fontMetrics()
        labels = self._names(store, metrics)
        widths = [metrics.horizontalAdvance(label) for label in labels]
        spare = self.width() - 1 - sum(_SWATCH_PX + 4 + width for width in widths)
        between = max(2, min(_BETWEEN_PX, spare / max(1, len(labels) - 1)))  # closer together before one is cut
        x = 1.0
        for piece, label, width in zip(store.pieces, labels, widths, strict=True):
            swatch = QRectF(x, top + (_LINE_PX - _SWATCH_PX) / 2, _SWATCH_PX, _SWATCH_PX)
            painter.setPen(QPen(QColor(theme.tiles["current"]), 1.5) if piece.name in self.fresh else Qt.PenStyle.NoPen)
            painter.setBrush(QColor(theme.tensor(piece.tensor)))
            painter.drawRoundedRect(swatch, 2, 2)
            painter.setPen(QColor(theme.text if piece.name in self.fresh else theme.muted))
            line = QRectF(x + _SWATCH_PX + 4, top, width + 2, _LINE_PX)
            painter.drawText(line, Qt.AlignmentFlag.AlignVCenter, label)
            x += _SWATCH_PX + 4 + width + between

    def _names(self, store: SramStore, metrics: QFontMetrics) -> list[str]:
        """All pieces, with their sizes if there is room: the tool tip has them, too."""
        with_sizes = [f"{piece.name} {sram_bytes(piece.bytes)}" for piece in store.pieces]
        needed = (
            sum(_SWATCH_PX + 4 + metrics.horizontalAdvance(label) + _BETWEEN_PX for label in with_sizes) - _BETWEEN_PX
        )
        return with_sizes if 1 + needed <= self.width() else [piece.name for piece in store.pieces]


def _detail(piece: SramPiece) -> str:
    return f"{' × '.join(map(str, piece.shape))} {piece.dtype}"
