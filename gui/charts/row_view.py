"""The picture of a row chart: its panels and words, and what pointer and keyboard do on them."""

from __future__ import annotations

from typing import Any, Protocol

import pyqtgraph as pg
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFocusEvent, QKeyEvent, QMouseEvent, QPainter, QResizeEvent, QWheelEvent
from PySide6.QtWidgets import QGraphicsRectItem, QSizePolicy

from core.contracts.text import Text
from gui import theme as themes
from gui.charts.row_chart_spec import Row, RowSpec, Segment
from gui.charts.row_layout import Strip, fixed_px, lay_out
from gui.charts.row_panel import Panel
from gui.charts.row_words import Word, paint_words, words_of
from gui.theme import Theme
from gui.translation import show_text
from gui.widgets.figure import HoverTip, frame_focus
from gui.widgets.keyboard_nav import PICKS, STEPS, keeps_arrows
from gui.zoom import Px

_PICKS = (*PICKS, Qt.Key.Key_Space)
_ROW_PX, _LEAST_ROW_PX, _LEAST_ROWS = Px(23), Px(13), 4


class Rows(Protocol):
    """What the picture needs of its chart (`gui.charts.row_chart.RowChart`)."""

    spec: RowSpec | None
    chosen: str | None
    tip: HoverTip
    picked: Any

    @property
    def rows(self) -> tuple[Row, ...]: ...

    def describe(self, index: int) -> str: ...


class RowView(pg.GraphicsView):
    """The picture of a row chart. Its items are made once per column and band, and then updated."""

    def __init__(self, chart: Rows, name: Text | str) -> None:
        super().__init__(background=None)
        self.setAntialiasing(True)
        self._chart = chart
        self.strips: list[Strip] = []
        self.words: list[Word] = []
        self.panels: list[Panel] = []
        self.row: int | None = None
        """The row that the keyboard is on; `_segment` is the segment of its bars."""
        self._segment: int | None = None
        self._is_walked = False
        self._lit_row = QGraphicsRectItem()
        self._lit_row.setZValue(-1000)
        self._lit_row.setPen(Qt.PenStyle.NoPen)
        self.scene().addItem(self._lit_row)
        show_text(self.setAccessibleName, name)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    # What is where.

    @property
    def row_boxes(self) -> list[QRectF]:
        """The boxes of the rows, from the top down."""
        return [box for strip in self.strips for box in strip.boxes]

    def row_at(self, y: float) -> int | None:
        return next((index for index, box in enumerate(self.row_boxes) if box.top() <= y < box.bottom()), None)

    def segments(self) -> list[tuple[int, Segment, QRectF]]:
        """(row, segment, box) of every segment, row by row."""
        parts = [
            (part.segment, part.box) for strip in self.strips for i in range(len(strip.axes)) for part in strip.parts(i)
        ]
        placed = [(self.row_at(box.center().y()), segment, box) for segment, box in parts]
        return [(row, segment, box) for row, segment, box in placed if row is not None]

    def segment_at(self, position: QPointF) -> Segment | None:
        """The segment under a position, if it can be picked."""
        hit = (s for _, s, box in self.segments() if s.key is not None and box.adjusted(-1, 0, 1, 0).contains(position))
        return next(hit, None)

    def describe_at(self, position: QPointF) -> str | None:
        """The read-out under a position: that of a segment if it has one, else that of the row."""
        segment, row = self.segment_at(position), self.row_at(position.y())
        if segment is not None and segment.read_out:
            return segment.read_out
        return None if row is None else self._chart.describe(row) or None

    # Drawing.

    def sizeHint(self) -> QSize:
        return self._size(440, _ROW_PX)

    def minimumSizeHint(self) -> QSize:
        return self._size(240, _LEAST_ROW_PX)

    def height_of(self, row: int) -> int:
        """The height with rows of that height."""
        return self._size(0, row).height()

    def _size(self, width: int, row: int) -> QSize:
        spec = self._chart.spec
        return (
            QSize(width, row * _LEAST_ROWS + 34)
            if spec is None
            else QSize(width, row * max(_LEAST_ROWS, len(spec.rows)) + fixed_px(spec))
        )

    def draw(self) -> None:
        """Lay the spec out and set every item."""
        spec, theme = self._chart.spec, themes.current()
        if spec is None:
            return
        self.strips = lay_out(spec, self.width(), self.height())
        self._make_panels(len(self.strips) * len(spec.columns), theme)
        panels = iter(self.panels)
        for strip in self.strips:
            for index in range(len(spec.columns)):
                next(panels).draw(strip, index, theme, self._chart.chosen)
        self.words = words_of(spec, self.strips, theme, self._chart.chosen)
        self._light_row(theme)
        self.viewport().update()

    def restyle(self, theme: Theme) -> None:
        self.setBackground(theme.surface)
        for panel in self.panels:
            panel.restyle(theme)
        self.draw()

    def _make_panels(self, count: int, theme: Theme) -> None:
        while len(self.panels) > count:
            self.panels.pop().remove_from(self.scene())
        while len(self.panels) < count:
            self.panels.append(Panel(self.scene()))
            self.panels[-1].restyle(theme)

    def _light_row(self, theme: Theme) -> None:
        boxes = self.row_boxes
        shown = self.hasFocus() and self.row is not None and self.row < len(boxes)
        self._lit_row.setVisible(shown)
        if shown and self.row is not None:
            self._lit_row.setRect(boxes[self.row])
            self._lit_row.setBrush(QColor(theme.hover))

    def drawForeground(self, painter: QPainter, rect: QRectF) -> None:
        theme = themes.current()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        paint_words(painter, self.words, theme)
        if self.hasFocus():
            frame_focus(painter, self)

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        super().resizeEvent(event)
        if event is not None:  # pyqtgraph calls it without one while this view is being built
            self.draw()

    # Pointer and keyboard.

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        position = event.position()
        text, segment, row = self.describe_at(position), self.segment_at(position), self.row_at(position.y())
        pickable = segment is not None or (row is not None and self._chart.rows[row].key is not None)
        self.setCursor(Qt.CursorShape.PointingHandCursor if pickable else Qt.CursorShape.ArrowCursor)
        self._read_out(position, text)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        row, segment = self.row_at(event.position().y()), self.segment_at(event.position())
        if event.button() != Qt.MouseButton.LeftButton or row is None:
            return
        self.row, self._segment, self._is_walked = row, None, False
        self._pick(segment)
        self.draw()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        event.accept()

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()  # the page scrolls

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key, last = Qt.Key(event.key()), len(self._chart.rows) - 1
        down, right = STEPS.get(key, (0, 0))
        if last < 0:
            super().keyPressEvent(event)
        elif down or key in (Qt.Key.Key_Home, Qt.Key.Key_End):
            row = {Qt.Key.Key_Home: 0, Qt.Key.Key_End: last}.get(key, down + (-1 if self.row is None else self.row))
            self._walk_to(min(max(0, row), last), None)
        elif right and self.row is not None and self._keyed_segments():
            segment = right + (-1 if self._segment is None else self._segment)
            self._walk_to(self.row, min(max(0, segment), len(self._keyed_segments()) - 1))
        elif key in _PICKS and self.row is not None and self.row <= last:
            self._pick(dict(enumerate(segment for segment, _ in self._keyed_segments())).get(self._segment))
        else:
            super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self._show_focus()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Hide the read-out of the keyboard too."""
        self._chart.tip.hide()
        super().focusOutEvent(event)
        self._show_focus()

    def event(self, event: QEvent) -> bool:
        return (not self._leaves(event) and keeps_arrows(event)) or super().event(event)

    def _leaves(self, event: QEvent) -> bool:
        """Left and Right step the player of the page, unless the keyboard is on a row with segments."""
        is_sideways = isinstance(event, QKeyEvent) and STEPS.get(Qt.Key(event.key()), (0, 0))[1] != 0
        return is_sideways and not (self._is_walked and self._keyed_segments())

    def _walk_to(self, row: int, segment: int | None) -> None:
        self.row, self._segment, self._is_walked = row, segment, True
        box, text = self.row_boxes[row], self._chart.describe(row)
        if segment is not None:
            part, box = self._keyed_segments()[segment]
            text = part.read_out or text
        self._show_focus()
        self._read_out(box.center(), text)

    def _read_out(self, position: QPointF, text: str | None) -> None:
        tip = self._chart.tip
        tip.show_at(self.mapTo(tip.parentWidget(), position.toPoint()), text)

    def _keyed_segments(self) -> list[tuple[Segment, QRectF]]:
        """The segments of the row that the keyboard is on."""
        return [(s, box) for row, s, box in self.segments() if row == self.row and s.key is not None]

    def _pick(self, segment: Segment | None) -> None:
        key = segment.key if segment is not None else None if self.row is None else self._chart.rows[self.row].key
        if key is not None:
            self._chart.picked.emit(key)

    def _show_focus(self) -> None:
        self._light_row(themes.current())
        self.viewport().update()
