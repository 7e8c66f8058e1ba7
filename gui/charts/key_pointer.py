"""A pointer that the arrow keys move over a plot: what the mouse reads out and picks, the keyboard does too."""

from __future__ import annotations

from typing import Any, Protocol

from PySide6.QtCore import QEvent, QPoint, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QKeyEvent, QPainter, QPen

from gui import theme as themes
from gui.widgets.keyboard_nav import PICKS, STEPS, keeps_arrows

_STEPS_ACROSS = 40
"""Key presses from one edge of a plot to the other."""
_ZOOM = 0.8
_ZOOMS = {Qt.Key.Key_Plus: _ZOOM, Qt.Key.Key_Equal: _ZOOM, Qt.Key.Key_Minus: 1 / _ZOOM}
_CROSS_PX = 7.0
_BY_KEY = (Qt.FocusReason.TabFocusReason, Qt.FocusReason.BacktabFocusReason, Qt.FocusReason.ShortcutFocusReason)
"""How the focus comes by keyboard. A plot that was clicked leaves the arrows to the player of its page."""
_OF_THE_WINDOW = (Qt.FocusReason.ActiveWindowFocusReason, Qt.FocusReason.PopupFocusReason)
"""Another window or a menu is in front for a while: the focus comes back as it was."""


class Plot(Protocol):
    """What the pointer needs of a plot (`gui.charts.chart.Chart`): its signals, and where its data are."""

    hovered: Any
    left: Any
    clicked: Any

    def data_at(self, position: QPoint) -> QPointF | None: ...

    def go_home(self) -> None: ...

    def getViewBox(self) -> Any: ...

    def viewport(self) -> Any: ...


class KeyPointer:
    """Arrows move it and read out, Return picks, + and - zoom around it, Home undoes the zoom."""

    def __init__(self, chart: Plot) -> None:
        self._chart = chart
        self._share: tuple[float, float] | None = None
        """Where it is, as shares of the width and height of the plot area; None before the first arrow."""
        self.is_active = False
        """Whether the focus came by keyboard."""

    def keeps(self, event: QEvent) -> bool:
        """Claim the arrow keys while the pointer is used."""
        return self.is_active and keeps_arrows(event)

    def press(self, event: QKeyEvent) -> bool:
        """Handle a key; False for one that is nothing to the pointer."""
        key = Qt.Key(event.key())
        if key in STEPS and self.is_active:
            self._move(*STEPS[key])
        elif key in PICKS and self._share is not None:
            point = self._chart.data_at(self._place.toPoint())
            if point is not None:
                self._chart.clicked.emit(point.x(), point.y())
        elif key in _ZOOMS:
            self._zoom(_ZOOMS[key])
        elif key == Qt.Key.Key_Home:
            self._chart.go_home()
        else:
            return False
        return True

    def enter(self, reason: Qt.FocusReason) -> None:
        """The focus has come to the plot."""
        if reason not in _OF_THE_WINDOW:
            self.is_active = reason in _BY_KEY

    def leave(self, reason: Qt.FocusReason) -> None:
        """The focus has left the plot."""
        if reason in _OF_THE_WINDOW:
            return
        if self.is_active and self._share is not None:
            self._chart.left.emit()
        self.is_active, self._share = False, None

    def paint(self, painter: QPainter) -> None:
        """Draw the pointer, once it was moved."""
        if self._share is not None:
            painter.setPen(QPen(QColor(themes.current().text), 1.4))
            place, across, down = self._place, QPointF(_CROSS_PX, 0), QPointF(0, _CROSS_PX)
            painter.drawLine(place - across, place + across)
            painter.drawLine(place - down, place + down)

    @property
    def _area(self) -> QRectF:
        return self._chart.getViewBox().sceneBoundingRect()

    @property
    def _place(self) -> QPointF:
        x, y = self._share or (0.5, 0.5)
        return QPointF(self._area.left() + x * self._area.width(), self._area.top() + y * self._area.height())

    def _move(self, down: int, right: int) -> None:
        """The first arrow shows the pointer in the middle; it stays inside the plot area, off its edges."""
        edge, x, y = 0.5 / _STEPS_ACROSS, *(self._share or (0.5, 0.5))
        if self._share is not None:
            x, y = x + right / _STEPS_ACROSS, y + down / _STEPS_ACROSS
        self._share = (min(max(x, edge), 1 - edge), min(max(y, edge), 1 - edge))
        place = self._place.toPoint()
        point = self._chart.data_at(place)
        if point is not None:
            self._chart.hovered.emit(point.x(), point.y(), place)
        self._chart.viewport().update()

    def _zoom(self, share: float) -> None:
        box = self._chart.getViewBox()
        x_zooms, y_zooms = box.mouseEnabled()
        centre = box.mapSceneToView(self._place)
        box.scaleBy(x=share if x_zooms else None, y=share if y_zooms else None, center=centre)
