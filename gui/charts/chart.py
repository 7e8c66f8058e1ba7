"""One pyqtgraph plot dressed in the theme: axes that write units, hover and click in data coordinates."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import pyqtgraph as pg
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt, Signal
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QWidget

from gui import theme as themes
from gui.charts.ticks import short_quantity
from gui.theme import Theme
from gui.widgets.figure import Figure

_BOTTOM_PX = 34
"""Ticks and a name below a plot, closer together than pyqtgraph puts them."""
Steps = Literal["any", "whole", "powers"]
_TICK_ROOM_PX = {"whole": 26, "powers": 40}
"""Least width that one tick's text takes along a horizontal axis; a long number takes more."""
_DIGIT_PX, _TICK_GAP_PX = 6, 10


class QuantityAxis(pg.AxisItem):
    """An axis whose ticks carry their unit ('20 MB', '1.5 ms').

    `steps` says where ticks may stand: 'whole' numbers for counts, 'powers' of two for tokens and tiles.
    In log mode only decades are named.
    """

    def __init__(self, side: str, unit: str = "", steps: Steps = "any") -> None:
        super().__init__(side)
        self.unit = unit
        self.steps = steps
        self.enableAutoSIPrefix(False)

    def tickSpacing(self, minVal: float, maxVal: float, size: float) -> list[tuple[float, float]]:
        if self.steps == "any" or maxVal <= minVal:
            return super().tickSpacing(minVal, maxVal, size)
        longest = len(short_quantity(float(f"{maxVal:.1g}"), self.unit))
        room = max(_TICK_ROOM_PX[self.steps], _DIGIT_PX * longest + _TICK_GAP_PX) if self.isHorizontal() else 30
        fitting = max(1.0, size / room)
        raw = max(1.0, (maxVal - minVal) / fitting)
        if self.steps == "powers":
            return [(2.0 ** math.ceil(math.log2(raw)), 0.0)]
        power = 10.0 ** math.floor(math.log10(raw))
        return [(next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw), 0.0)]

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:
        if self.logMode:
            return self.logTickStrings(values, scale, spacing)
        return [short_quantity(float(f"{value:.6g}"), self.unit) for value in values]

    def logTickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:
        return [
            short_quantity(10.0**value, self.unit) if math.isclose(value, round(value), abs_tol=1e-6) else ""
            for value in values
        ]

    def logTickValues(
        self, minVal: float, maxVal: float, size: float, stdTicks: list[tuple[float, list[float]]]
    ) -> list[tuple[float | None, list[float]]]:
        """Decades as major ticks, thinned to what fits, and nothing in between."""
        length = max(1.0, size)
        step = max(1, math.ceil((maxVal - minVal) / max(1.0, length / (52 if self.isHorizontal() else 24))))
        first = math.ceil(minVal)
        return [(1.0, [float(v) for v in range(first, math.floor(maxVal) + 1) if (v - first) % step == 0])]

    def isHorizontal(self) -> bool:
        return self.orientation in ("top", "bottom")


class Chart(pg.PlotWidget):
    """A plot without pyqtgraph's menus and buttons. Positions in the signals are data coordinates.

    The wheel zooms and a drag pans within `set_home`'s ranges; a double click shows them whole again.
    """

    hovered = Signal(float, float, QPoint)
    left = Signal()
    clicked = Signal(float, float)

    def __init__(
        self,
        *,
        x_label: str = "",
        y_label: str = "",
        x_unit: str = "",
        y_unit: str = "",
        x_steps: Steps = "any",
        y_steps: Steps = "any",
        parent: QWidget | None = None,
    ) -> None:
        axes = {"bottom": QuantityAxis("bottom", x_unit, x_steps), "left": QuantityAxis("left", y_unit, y_steps)}
        super().__init__(parent=parent, axisItems=axes, enableMenu=False)
        self._labels = {"bottom": x_label, "left": y_label}
        self._home: tuple[tuple[float, float], tuple[float, float]] | None = None
        self.hideButtons()
        self.setFrameShape(self.Shape.NoFrame)
        self.getPlotItem().setContentsMargins(2, 6, 14, 2)
        self.getViewBox().setDefaultPadding(0.0)
        self.scene().sigMouseClicked.connect(self._on_click)

    def freeze(self, *, x: bool = True, y: bool = True) -> None:
        """Switch off pan and zoom along an axis that has nothing beyond its limits."""
        self.setMouseEnabled(x=not x, y=not y)

    def set_home(self, x_range: tuple[float, float], y_range: tuple[float, float]) -> None:
        """Show these ranges, and never anything beyond them."""
        self._home = (x_range, y_range)
        self.getViewBox().setLimits(xMin=x_range[0], xMax=x_range[1], yMin=y_range[0], yMax=y_range[1])
        self.go_home()

    def go_home(self) -> None:
        """Undo zoom and pan."""
        if self._home is not None:
            self.setRange(xRange=self._home[0], yRange=self._home[1], padding=0)

    def label(self, side: str, text: str) -> None:
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

    def _write_label(self, side: str, theme: Theme) -> None:
        text = self._labels.get(side, "")
        if text:
            size = themes.FONT_SIZES_PX["small"]
            if side == "bottom":
                self.getAxis(side).setHeight(_BOTTOM_PX)
            self.getAxis(side).setLabel(text, **{"color": theme.muted, "font-size": f"{size}px"})


def read_out(chart: Chart, figure: Figure, describe: Callable[[float, float], str | None]) -> None:
    """Show what `describe` says of the data coordinates under the pointer in the figure's tip."""

    def show(x: float, y: float, position: QPoint) -> None:
        figure.tip.show_at(chart.mapTo(figure, position), describe(x, y))

    chart.hovered.connect(show)
    chart.left.connect(figure.tip.hide)
