"""Rows painted by hand, one under another: the pointer and the arrows read them out, a click or Return picks one."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QFocusEvent, QKeyEvent, QMouseEvent, QPainter, QPen

from gui import theme as themes
from gui.theme import Theme
from gui.widgets.figure import Canvas, Figure
from gui.widgets.keyboard_nav import STEPS, keeps_arrows

_PICKS = (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space)


class SelectableRows(Canvas):
    """A subclass says where its rows lie, what each is, and paints them. `picked` carries the index of a row."""

    picked = Signal(int)

    def __init__(self, figure: Figure) -> None:
        super().__init__()
        self._figure = figure
        self._at: int | None = None
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setFont(themes.ui_font("small"))

    def row_boxes(self) -> Sequence[QRectF]:
        """Where each row lies, from the top down."""
        raise NotImplementedError

    def describe(self, index: int) -> str:
        """The read-out of a row."""
        raise NotImplementedError

    def row_at(self, y: float) -> int | None:
        return next((index for index, box in enumerate(self.row_boxes()) if box.top() <= y < box.bottom()), None)

    def paint_focus(self, painter: QPainter, theme: Theme) -> None:
        """The row that the arrows are on, and a frame, while the keyboard is here."""
        boxes = self.row_boxes()
        if not self.hasFocus() or not boxes:
            return
        if self._at is not None and self._at < len(boxes):
            painter.fillRect(boxes[self._at], QColor(theme.hover))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(QColor(theme.accent), 1))
        painter.drawRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        super().mouseMoveEvent(event)
        index = self.row_at(event.position().y())
        text = None if index is None else self.describe(index)
        self._figure.tip.show_at(self.mapTo(self._figure, event.position().toPoint()), text)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        super().mousePressEvent(event)
        index = self.row_at(event.position().y())
        if index is not None and event.button() == Qt.MouseButton.LeftButton:
            self._at = index
            self.picked.emit(index)
            self.update()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        down, boxes = STEPS.get(Qt.Key(event.key()), (0, 0))[0], self.row_boxes()
        if down and boxes:
            self._at = min(max(0, down + (self._at if self._at is not None else -1)), len(boxes) - 1)
            where = self.mapTo(self._figure, boxes[self._at].center().toPoint())
            self._figure.tip.show_at(where, self.describe(self._at))
            self.update()
        elif Qt.Key(event.key()) in _PICKS and self._at is not None and self._at < len(boxes):
            self.picked.emit(self._at)
        else:
            super().keyPressEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """What the keyboard read out goes with it."""
        self._figure.tip.hide()
        super().focusOutEvent(event)

    def event(self, event: QEvent) -> bool:
        return keeps_arrows(event) or super().event(event)
