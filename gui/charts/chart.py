"""A pyqtgraph plot in the colours of the theme: axes with units, hover and click in data coordinates."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QEvent, QPoint, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QFocusEvent, QFontMetrics, QKeyEvent, QMouseEvent, QPainter, QShowEvent
from PySide6.QtWidgets import QWidget

from core.contracts.text import Text, tr
from gui import theme as themes
from gui import translation
from gui.charts.axis import UNNAMED, Axis, PlainAxis, QuantityAxis
from gui.charts.key_pointer import KeyPointer
from gui.theme import Theme
from gui.translation import show_text
from gui.widgets.figure import Figure, frame_focus
from gui.widgets.keyboard_nav import ArrowPad
from gui.zoom import Px

_LEAST_NAME_PX = Px(40)
_BOTTOM_PX = Px(36)
"""Ticks and a name below a plot, closer together than pyqtgraph puts them."""


class Chart(pg.PlotWidget):
    """A plot without pyqtgraph's menus and buttons. Positions in the signals are data coordinates.

    The wheel zooms and a drag pans within the ranges of `set_home`; a double click shows all of them again. Reached by
    Tab, it has a pointer that the arrow keys move.
    """

    hovered = Signal(float, float, QPoint)
    left = Signal()
    clicked = Signal(float, float)

    def __init__(self, x: Axis = UNNAMED, y: Axis = UNNAMED, parent: QWidget | None = None) -> None:
        axes = {
            side: QuantityAxis(side, axis.unit, axis.steps, log=axis.log) for side, axis in (("bottom", x), ("left", y))
        }
        unused = {side: PlainAxis(side) for side in ("top", "right")}
        self._focused: QWidget = self
        self.pointer = KeyPointer(self)  # Qt sends events while it builds the widget
        super().__init__(parent=parent, axisItems=axes | unused, enableMenu=False)
        for side in unused:
            self.hideAxis(side)
        self._labels: dict[str, Text | str] = {"bottom": x.name, "left": y.name}
        self._short = {x.name: x.short, y.name: y.short}
        self._home: tuple[tuple[float, float], tuple[float, float]] | None = None
        show_text(self.setAccessibleName, _name(x, y))
        show_text(self.setAccessibleDescription, _WHAT_KEYS_DO)
        self.hideButtons()
        self.setFrameShape(self.Shape.NoFrame)
        self.getPlotItem().setContentsMargins(2, 6, 14, 2)
        self.getViewBox().setDefaultPadding(0.0)
        self.scene().sigMouseClicked.connect(self._on_click)
        self.getViewBox().sigResized.connect(self._fit_labels)
        translation.notifier().changed.connect(self._retranslate)

    def leave_focus_to(self, pad: ArrowPad) -> None:
        """The pad around the plot takes the focus and the keys for it; the plot shows that."""
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._focused = pad
        pad.focus_changed.connect(self.viewport().update)

    def freeze(self, *, x: bool = True, y: bool = True) -> None:
        """Disable pan and zoom along an axis."""
        self.setMouseEnabled(x=not x, y=not y)

    def set_home(self, x_range: tuple[float, float], y_range: tuple[float, float], *, keep_zoom: bool = False) -> None:
        """Show these ranges, and never anything beyond them.

        `keep_zoom`: as long as the x range is the same, an axis that is zoomed in stays as it is.
        """
        old, box = self._home, self.getViewBox()
        shown = [tuple(ends) for ends in box.viewRange()]
        self._home = (x_range, y_range)
        box.setLimits(xMin=x_range[0], xMax=x_range[1], yMin=y_range[0], yMax=y_range[1])
        x, y = self._home
        if keep_zoom and old is not None and old[0] == x_range:
            zoomed = [not np.allclose(ends, before) for ends, before in zip(shown, old, strict=True)]
            x, y = (
                ends if is_zoomed else home for ends, is_zoomed, home in zip(shown, zoomed, self._home, strict=True)
            )
        self.setRange(xRange=x, yRange=y, padding=0)

    def go_home(self) -> None:
        """Undo zoom and pan."""
        if self._home is not None:
            self.setRange(xRange=self._home[0], yRange=self._home[1], padding=0)

    def label(self, side: str, text: Text | str) -> None:
        """Name an axis ('bottom', 'left', 'right', 'top') with its unit."""
        if self._labels.get(side) != text:
            self._labels[side] = text
            self._write_label(side, themes.current())

    def restyle(self, theme: Theme) -> None:
        self.setBackground(theme.sunken)
        font = themes.ui_font("small")
        for side in ("bottom", "left", "right", "top"):
            axis = self.getAxis(side)
            axis.setPen(theme.border_strong)
            axis.setTextPen(theme.muted)
            axis.setTickPen(theme.border)
            axis.setStyle(tickFont=font, tickTextOffset=4, tickLength=-3, hideOverlappingLabels=False)
            self._write_label(side, theme)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._fit_labels()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if not self.pointer.press(event):
            super().keyPressEvent(event)

    def event(self, event: QEvent) -> bool:
        return self.pointer.keeps(event) or super().event(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        self.pointer.enter(event.reason())
        super().focusInEvent(event)
        self.viewport().update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        self.pointer.leave(event.reason())
        super().focusOutEvent(event)
        self.viewport().update()

    def drawForeground(self, painter: QPainter, rect: QRectF | None) -> None:
        super().drawForeground(painter, rect)
        self.pointer.paint(painter)
        if self._focused.hasFocus():
            frame_focus(painter, self)

    def leaveEvent(self, event: QEvent) -> None:
        self.left.emit()
        super().leaveEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        super().mouseMoveEvent(event)
        if event.buttons() != Qt.MouseButton.NoButton:
            return
        position = event.position().toPoint()
        point = self.data_at(position)
        if point is None:
            self.left.emit()
        else:
            self.hovered.emit(point.x(), point.y(), position)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        super().mouseDoubleClickEvent(event)
        self.go_home()

    def data_at(self, position: QPoint) -> QPointF | None:
        """The data coordinates under a position of the widget, or None outside the plot area."""
        box = self.getViewBox()
        scene = self.mapToScene(position)
        return box.mapSceneToView(scene) if box.sceneBoundingRect().contains(scene) else None

    def _on_click(self, event: pg.GraphicsScene.mouseEvents.MouseClickEvent) -> None:
        box = self.getViewBox()
        if event.button() == Qt.MouseButton.LeftButton and box.sceneBoundingRect().contains(event.scenePos()):
            point = box.mapSceneToView(event.scenePos())
            self.clicked.emit(point.x(), point.y())

    def _retranslate(self) -> None:
        self._fit_labels()
        for side in ("bottom", "left"):
            self.getAxis(side).retranslate()

    def _fit_labels(self) -> None:
        """Write the names that are others now: in another language, or cut to another length of their axis."""
        for side in self._labels:
            if self._fitted(side) != self.getAxis(side).labelText:
                self._write_label(side, themes.current())

    def _fitted(self, side: str) -> str:
        """The name of an axis, or its short name where it is longer than the axis; with an ellipsis if that is too."""
        name, box = self._labels.get(side, ""), self.getViewBox()
        text = str(name)
        room = int(box.width() if side in ("bottom", "top") else box.height())
        if not self.isVisible() or room < _LEAST_NAME_PX:
            return text  # not laid out yet, or for texts of another language
        metrics = QFontMetrics(themes.ui_font("small"))
        if metrics.horizontalAdvance(text) > room:
            text = str(self._short.get(name) or text)
        return metrics.elidedText(text, Qt.TextElideMode.ElideRight, room)

    def _write_label(self, side: str, theme: Theme) -> None:
        text, axis = self._fitted(side), self.getAxis(side)
        if text:
            size = themes.font_px("small")
            if side == "bottom":
                axis.setHeight(_BOTTOM_PX)
            axis.setLabel(text, **{"color": theme.muted, "font-size": f"{size}px"})
            axis.label.setToolTip(str(self._labels[side]))


_WHAT_KEYS_DO = tr("Arrow keys move a pointer that reads out, Return picks, + and - zoom, Home shows everything.")


def _name(x: Axis, y: Axis) -> Text:
    """What a screen reader calls a plot, until it is named otherwise."""
    if x.name and y.name:
        return tr("Plot of {y} over {x}", x=x.name, y=y.name)
    return tr("Plot over {x}", x=x.name) if x.name else tr("Plot")


def read_out(chart: Chart, figure: Figure, describe: Callable[[float, float], str | None]) -> None:
    """Show `describe(x, y)` of the point under the pointer in the figure's tip."""

    def show(x: float, y: float, position: QPoint) -> None:
        figure.tip.show_at(chart.mapTo(figure, position), describe(x, y))

    chart.hovered.connect(show)
    chart.left.connect(figure.tip.hide)
