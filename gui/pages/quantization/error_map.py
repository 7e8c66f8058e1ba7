"""Errors of many tensors as a map: where they are large, which tensors are worst, with names and a scale of colours."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QPen, QResizeEvent
from PySide6.QtWidgets import QGraphicsRectItem, QHBoxLayout, QWidget

from gui import theme as themes
from gui.charts.chart import Chart, read_out
from gui.charts.error_grid import ErrorGrid, Place, colours, picture, pooled
from gui.pages.quantization.error_axis_labels import ColourBar, RowNames
from gui.theme import Theme, colour
from gui.widgets.figure import Figure
from gui.widgets.keyboard_nav import ArrowPad

_LEAST_ROWS = 4


class ErrorMap(Figure):
    """The wheel zooms along the rows, a drag pans, a double click shows all.

    `key_picked` carries the key (a tensor, say) of the place that was clicked, or that the arrows reached.
    """

    key_picked = Signal(str)

    def __init__(self, empty: str, parent: QWidget | None = None) -> None:
        super().__init__(empty, parent)
        self.grid: ErrorGrid | None = None
        self.place: Place | None = None
        self._table = colours(themes.current())
        self.chart = Chart(x_steps="whole")
        self.chart.freeze(x=True, y=False)
        self.chart.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.chart.hideAxis("left")
        self.chart.getPlotItem().setContentsMargins(10, 4, 14, 0)
        self.chart.getViewBox().invertY(True)
        self._image = pg.ImageItem(axisOrder="row-major")
        self._mark = QGraphicsRectItem()
        for depth, item in enumerate((self._image, self._mark)):
            item.setZValue(depth)
            self.chart.addItem(item, ignoreBounds=True)
        self.names, self.bar = RowNames(self), ColourBar(self)
        self.pad = ArrowPad("Error map", self.step)
        self.pad.focus_changed.connect(self.names.update)
        line = QHBoxLayout(self.pad)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(0)
        line.addWidget(self.names)
        line.addWidget(self.chart, 1)
        line.addWidget(self.bar)
        self.chart.clicked.connect(self._on_click)
        self.names.row_clicked.connect(lambda row: self._pick((row, -1)))
        self.chart.getViewBox().sigRangeChanged.connect(lambda *_: self._draw())
        read_out(self.chart, self, self.describe)
        self.set_content(self.pad)

    def set_grid(self, grid: ErrorGrid | None) -> None:
        """Show other errors; the zoom stays where the grid has the same size. None, or no row, is empty."""
        before, self.grid = self.grid, grid
        if grid is None or not grid.rows:
            self.grid = None
            self.show_empty()
            return
        self.chart.getAxis("bottom").unit = grid.x_unit
        self.chart.label("bottom", grid.x_name)
        self.chart.getAxis("bottom").setTicks([list(grid.x_ticks)] if grid.x_ticks else None)
        same = before is not None and (before.rows, before.x_range) == (grid.rows, grid.x_range)
        self.names.fit()
        self.show_content()
        if not same:
            self.chart.getViewBox().setLimits(minYRange=min(_LEAST_ROWS, grid.rows))
            self.chart.set_home(grid.x_range, (0, grid.rows))
        self._draw()
        self._place_mark()

    def select_key(self, key: str | None) -> None:
        """Frame the place of a key, in view; one that is not there, or None, frames nothing. Emits nothing."""
        place = None if self.grid is None or key is None else self.grid.places.get(key)
        if place != self.place:
            self.place = place
            self._show_place()
            self._place_mark()

    def describe(self, x: float, y: float) -> str | None:
        """The read-out of the cell at a point."""
        grid = self.grid
        if grid is None or not (0 <= y < grid.rows and grid.x_range[0] <= x < grid.x_range[1]):
            return None
        return grid.read(int(y), grid.column_at(x))

    def restyle(self, theme: Theme) -> None:
        self.chart.restyle(theme)
        self._table = colours(theme)
        pen = QPen(colour(theme.accent_strong if theme.is_dark else theme.accent), 2.0)
        pen.setCosmetic(True)
        self._mark.setPen(pen)
        self._draw()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.names.fit()
        self._draw()

    def step(self, down: int, right: int) -> None:
        """Pick the place beside the one that is picked; the first one where none is."""
        grid = self.grid
        if grid is None:
            return
        row, column = self.place if self.place is not None else (-1 if down else 0, -1)
        row = min(grid.rows - 1, max(0, row + down))
        if column >= 0:
            column = min(grid.columns - 1, max(0, column + right))
        if (row, column) != self.place:  # at an edge: picking it again would let it go
            self._pick((row, column))

    def _draw(self) -> None:
        """What is in view, no more rows than pixels."""
        grid = self.grid
        if grid is None:
            return
        box = self.chart.getViewBox()
        low, high = box.viewRange()[1]
        first, last = max(0, int(low)), min(grid.rows, int(np.ceil(high)))
        if first >= last:
            return
        values = pooled(grid.values, first, last, max(32, int(box.height())))
        self._image.setImage(picture(values, grid.limits, self._table), autoLevels=False, levels=None)
        start, end = grid.x_range
        self._image.setRect(QRectF(start, first, end - start, last - first))
        self.names.update()
        self.bar.update()

    def _place_mark(self) -> None:
        grid, place = self.grid, self.place
        self._mark.setVisible(grid is not None and place is not None)
        if grid is not None and place is not None:
            start, end = grid.x_range
            row, column = place
            wide = (end - start) / grid.columns
            left, width = (start, end - start) if column < 0 else (start + column * wide, wide)
            self._mark.setRect(QRectF(left, row, width, 1))
        self.names.update()

    def _show_place(self) -> None:
        """Scroll so far that the framed row is in view."""
        if self.place is None:
            return
        low, high = self.chart.getViewBox().viewRange()[1]
        row = self.place[0]
        if row < low or row + 1 > high:
            middle, half = row + 0.5, (high - low) / 2
            self.chart.setYRange(middle - half, middle + half, padding=0)

    def _on_click(self, x: float, y: float) -> None:
        grid = self.grid
        if grid is not None and 0 <= y < grid.rows and grid.x_range[0] <= x < grid.x_range[1]:
            self._pick((int(y), grid.column_at(x)))

    def _pick(self, place: Place) -> None:
        key = None if self.grid is None else self.grid.key(*place)
        if key:
            self.key_picked.emit(key)
