"""Lights one widget of the window and dims the rest, with a bubble beside it that moves from stop to stop."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QObject, QPoint, QRect, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPainterPath, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QPushButton, QWidget

from gui import theme
from gui.tour.bubble import Bubble
from gui.tour.stop import Stop

_AROUND_PX, _GAP_PX, _EDGE_PX = 4, 12, 10
_VEIL = 0.55
_NEXT = (Qt.Key.Key_Right, Qt.Key.Key_PageDown)
_BACK = (Qt.Key.Key_Left, Qt.Key.Key_PageUp)


class Spotlight(QWidget):
    """Covers `window` while a tour goes on. Right goes on, Left goes back, Escape ends it; a click on the veil goes on.
    The buttons `beside` work meanwhile, such as that of the language.

    `ended` is emitted once, however the tour ends. The focus returns to where it was.
    """

    ended = Signal()

    def __init__(self, window: QWidget, stops: Sequence[Stop], beside: Sequence[QAbstractButton] = ()) -> None:
        super().__init__(window)
        self._beside = tuple(beside)
        self._stops = tuple(stops)
        self.index = 0
        self._target: QWidget | None = None
        focused = window.focusWidget()
        self._focused = focused
        self.bubble = Bubble(self)
        self.bubble.next_requested.connect(self.next)
        self.bubble.back_requested.connect(self.back)
        self.bubble.end_requested.connect(self.end)
        self.setFocusProxy(self.bubble)
        self._settle = QTimer(self, interval=0, singleShot=True)
        self._settle.timeout.connect(self._place)
        for watched in (window, *self.bubble.buttons):
            watched.installEventFilter(self)
        self.setGeometry(window.rect())
        self.show()
        self.raise_()
        self._show_stop()

    @property
    def lit(self) -> QRect:
        """Where the light is, in the coordinates of the window; empty where nothing is lit."""
        target = self._target
        if target is None or not target.isVisible():
            return QRect()
        place = _visible_part(target, self.parentWidget())
        return place.adjusted(-_AROUND_PX, -_AROUND_PX, _AROUND_PX, _AROUND_PX).intersected(self.rect())

    def next(self) -> None:
        """The next stop; after the last one, the end."""
        if self.index + 1 < len(self._stops):
            self.index += 1
            self._show_stop()
        else:
            self.end()

    def back(self) -> None:
        if self.index:
            self.index -= 1
            self._show_stop()

    def end(self) -> None:
        """Take everything away again."""
        if self.isHidden():
            return
        self.hide()
        self.parentWidget().removeEventFilter(self)
        if self._focused is not None and self._focused.isVisible():
            self._focused.setFocus()
        self.ended.emit()
        self.deleteLater()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Follow the size of the window, and take the keys of the tour from the buttons of the bubble."""
        if event.type() in (QEvent.Type.Resize, QEvent.Type.LayoutRequest):
            self._settle.start()
        if event.type() == QEvent.Type.KeyPress and isinstance(event, QKeyEvent) and isinstance(watched, QPushButton):
            return self._press(Qt.Key(event.key()), watched)
        return super().eventFilter(watched, event)

    def event(self, event: QEvent) -> bool:
        """Take the keys of the tour from the shortcuts of the window."""
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            event.accept()
            return True
        return super().event(event)

    def _press(self, key: Qt.Key, button: QPushButton) -> bool:
        """False for a key that the button knows itself."""
        if key in _NEXT:
            self.next()
        elif key in _BACK:
            self.back()
        elif key == Qt.Key.Key_Escape:
            self.end()
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            button.click()
        else:
            return False
        return True

    def mousePressEvent(self, event: QMouseEvent) -> None:
        event.accept()
        for button in self._beside:
            if _visible_part(button, self.parentWidget()).contains(event.position().toPoint()):
                button.click()
                self._settle.start()
                return
        self.next()

    def paintEvent(self, event: QPaintEvent) -> None:
        colours, lit = theme.current(), QRectF(self.lit)
        veil = QPainterPath()
        veil.addRect(QRectF(self.rect()))
        if not lit.isEmpty():
            hole = QPainterPath()
            hole.addRoundedRect(lit, theme.RADIUS, theme.RADIUS)
            veil -= hole
        for button in self._beside:
            clear = QPainterPath()
            clear.addRoundedRect(QRectF(_visible_part(button, self.parentWidget())), theme.RADIUS, theme.RADIUS)
            veil -= clear
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.fillPath(veil, theme.colour("#000000", _VEIL if colours.is_dark else _VEIL * 0.7))
            if not lit.isEmpty():
                painter.setPen(QPen(QColor(colours.accent), 2))
                painter.drawRoundedRect(lit.adjusted(1, 1, -1, -1), theme.RADIUS, theme.RADIUS)

    def _show_stop(self) -> None:
        stop = self._stops[self.index]
        self._target = stop.target()
        self.bubble.show_stop(stop, self.index, len(self._stops))
        self._place()
        self._settle.start()  # once more, when a page that was opened for this stop has been laid out

    def _place(self) -> None:
        self.setGeometry(self.parentWidget().rect())
        size = self.bubble.fitted()
        self.bubble.setGeometry(QRect(_beside(self.lit, size, self.rect()), size))
        self.raise_()
        self.update()
        if not self.bubble.isAncestorOf(self.window().focusWidget() or self):
            self.bubble.take_focus()


def _visible_part(target: QWidget, window: QWidget) -> QRect:
    """What is not scrolled out of view, in the coordinates of the window."""
    place, part = target.rect(), target
    while part is not window:
        place = place.translated(part.pos())
        part = part.parentWidget()
        place = place.intersected(part.rect())
    return place


def _beside(lit: QRect, size: QSize, room: QRect) -> QPoint:
    """Where a bubble of that size hides nothing that is lit: right, left, below, above; else in the lower right corner
    of what is lit, or in the middle of the window where nothing is."""
    inside = room.adjusted(_EDGE_PX, _EDGE_PX, -_EDGE_PX, -_EDGE_PX)
    if lit.isEmpty():
        return room.center() - QPoint(size.width() // 2, size.height() // 2)
    top = min(max(lit.top(), inside.top()), inside.bottom() - size.height())
    left = min(max(lit.left(), inside.left()), inside.right() - size.width())
    for place in (
        QPoint(lit.right() + _GAP_PX, top),
        QPoint(lit.left() - _GAP_PX - size.width(), top),
        QPoint(left, lit.bottom() + _GAP_PX),
        QPoint(left, lit.top() - _GAP_PX - size.height()),
    ):
        if inside.contains(QRect(place, size)):
            return place
    corner = lit.intersected(inside)
    return QPoint(corner.right() - size.width() - _GAP_PX, corner.bottom() - size.height() - _GAP_PX)
