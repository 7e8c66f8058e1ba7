"""Packed rows as bars: the documents of each, one after another, and the padding that is left."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFocusEvent, QKeyEvent, QMouseEvent, QPainter, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from core.chat.packing import Packing
from core.contracts.text import tr, tr_plural
from gui.theme import Theme, mix
from gui.translation import show_text
from gui.widgets.data_table import DataTable, table_of
from gui.widgets.figure import Canvas, Figure
from gui.widgets.keyboard_nav import STEPS, keeps_arrows
from gui.zoom import Px

_PITCH_PX, _MOST_ROWS = Px(9), 200
_SHADES = (0, 2, 3, 5)


class PackedBars(Figure):
    """The first rows, as many as there is room for. `picked` carries the row that was clicked or walked to."""

    picked = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(tr("The packed rows appear here once the template can be rendered."), parent)
        self.packing: Packing | None = None
        self.row = 0
        self.canvas = _Bars(self)
        self.set_content(self.canvas)

    def set_packing(self, packing: Packing | None) -> None:
        """Show another packing; None, or one without rows, shows the empty state."""
        self.packing = packing if packing is not None and packing.rows else None
        if self.packing is None:
            self.show_empty()
            return
        self.row = min(self.row, self.packing.rows - 1)
        self.canvas.update()
        self.show_content()

    def choose(self, row: int) -> None:
        """Frame a row; emits no signal."""
        if row != self.row:
            self.row = row
            self.canvas.update()

    def describe(self, row: int) -> str | None:
        packing = self.packing
        if packing is None or not 0 <= row < packing.rows:
            return None
        inside = packing.pieces_of(row)
        pieces = inside.stop - inside.start
        lines = [
            tr_plural("row {row:,}: {count} piece", "row {row:,}: {count} pieces", count=pieces, row=row),
            tr("{used:,} of {capacity:,} tokens", used=int(packing.row_lengths[row]), capacity=packing.capacity),
        ]
        begun = int(np.count_nonzero(packing.start[inside]))
        if begun:
            lines.append(tr_plural("{count} continues a document", "{count} continue a document", count=begun))
        return "\n".join(map(str, lines))

    def data_table(self) -> DataTable | None:
        """One row per piece of a document; `row` and `offset` say where it lies."""
        packing = self.packing
        if packing is None:
            return None
        return table_of(
            {
                "row": packing.row,
                "offset": packing.offset,
                "document": packing.document,
                "start": packing.start,
                "tokens": packing.length,
            }
        )

    def restyle(self, theme: Theme) -> None:
        self.canvas.update()

    def minimumSizeHint(self) -> QSize:
        return self.canvas.minimumSizeHint()


class _Bars(Canvas):
    def __init__(self, figure: PackedBars) -> None:
        super().__init__()
        self._figure = figure
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        show_text(self.setAccessibleName, tr("Packed rows: arrows go from one to the next"))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def minimumSizeHint(self) -> QSize:
        return QSize(80, 2 * _PITCH_PX)

    @property
    def shown(self) -> int:
        """How many rows are shown, from the first."""
        packing = self._figure.packing
        rows = 0 if packing is None else packing.rows
        return min(rows, _MOST_ROWS, max(1, int(self.height() // _PITCH_PX)))

    def row_at(self, point: QPointF) -> int:
        row = int(point.y() // _PITCH_PX)
        return row if 0 <= row < self.shown else -1

    def paint(self, painter: QPainter, theme: Theme) -> None:
        packing = self._figure.packing
        if packing is None:
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        scale = (self.width() - 2) / packing.capacity
        inks = [QColor(mix(theme.sunken, theme.series[index], 0.55)) for index in _SHADES]
        padding = QColor(mix(theme.sunken, theme.border, 0.7))
        for row in range(self.shown):
            top = row * _PITCH_PX
            painter.fillRect(QRectF(1, top + 1, self.width() - 2, _PITCH_PX - 3), padding)
            inside = packing.pieces_of(row)
            for piece in range(inside.start, inside.stop):
                left = 1 + float(packing.offset[piece]) * scale
                width = max(1.0, float(packing.length[piece]) * scale - 1)
                painter.fillRect(
                    QRectF(left, top + 1, width, _PITCH_PX - 3), inks[int(packing.document[piece]) % len(inks)]
                )
            if row == self._figure.row:
                painter.setPen(QPen(QColor(theme.accent if self.hasFocus() else theme.tiles["current"]), 1))
                painter.drawRect(QRectF(0, top, self.width() - 1, _PITCH_PX - 2))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        where = self.mapTo(self._figure, event.position().toPoint())
        self._figure.tip.show_at(where, self._figure.describe(self.row_at(event.position())))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        row = self.row_at(event.position())
        if row >= 0 and event.button() is Qt.MouseButton.LeftButton:
            self._figure.picked.emit(row)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = STEPS.get(Qt.Key(event.key()))
        if step is None or not step[0] or not self.shown:
            super().keyPressEvent(event)
        else:
            self._figure.picked.emit(min(self.shown - 1, max(0, self._figure.row + step[0])))

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        self._figure.tip.hide()
        super().focusOutEvent(event)
        self.update()

    def event(self, event: object) -> bool:  # type: ignore[override]
        return keeps_arrows(event) or super().event(event)  # type: ignore[arg-type]
