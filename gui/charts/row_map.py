"""A heat map with named rows, a column per step, block or layer, and a colour bar."""

from __future__ import annotations

import math

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QFontMetrics, QPen, QResizeEvent
from PySide6.QtWidgets import QGraphicsRectItem, QHBoxLayout, QWidget

from core.contracts.text import Text
from gui import theme as themes
from gui.charts.axis import Axis
from gui.charts.chart import Chart, read_out
from gui.charts.palette import colour_map
from gui.charts.row_grid import RowGrid, pooled
from gui.charts.row_labels import RowLabels, group_spans
from gui.theme import Theme, colour
from gui.widgets.data_table import DataTable, Value
from gui.widgets.figure import Figure
from gui.widgets.keyboard_nav import ArrowPad
from gui.zoom import Px

_LEAST_ROWS, _LEAST_STEPS = 4, 8
_LEFT_PX, _RIGHT_PX, _TOP_PX = Px(12), Px(6), Px(6)  # half of a first tick such as 0% lies left of the cells
_BAR_PX, _BAR_GAP_PX, _BAR_FRAME_PX, _BAR_LABEL_PX = Px(10), Px(5), Px(6), Px(18)
_FIRST_NAME, _NEXT_NAME = 0.05, 0.08
"""Where the names of vertical lines are, as shares of the map's height."""
_EDGE_MARK = 0.02
"""The height of marks at the lower edge, as a share of the map's height."""


class RowMap(Figure):
    """The wheel zooms, a drag pans, a double click shows all.

    `picked` carries the row and the column that were clicked or reached by keyboard, -1 for one that was not picked.
    If columns are steps of time, both axes zoom, the arrow keys walk over rows and steps separately, and the selected
    step is a line across all rows. Otherwise only the rows zoom, and the selection is a cell or a row.

    `aligned` is emitted when the space beside the cells changes: a plot that shares the axis follows `insets`.
    """

    picked = Signal(int, int)
    aligned = Signal()

    def __init__(
        self,
        empty: Text | str,
        name: Text | str,
        *,
        steps: bool = False,
        has_axis: bool = True,
        parent: QWidget | None = None,
    ) -> None:
        """`name` is for screen readers; without `has_axis`, a plot below shows the numbers of the columns."""
        super().__init__(empty, parent)
        self.grid: RowGrid | None = None
        self.row: int | None = None
        self.column: int | None = None
        self._steps = steps
        self.chart = self._new_chart(has_axis=has_axis)
        self._image = pg.ImageItem(axisOrder="row-major")
        self._group_edges, self._edge_marks = (pg.PlotCurveItem(connect="pairs", antialias=False) for _ in range(2))
        self._cursor, self._frame = pg.InfiniteLine(angle=90), QGraphicsRectItem()
        items = self._image, self._group_edges, self._edge_marks, self._cursor, self._frame
        for depth, item in enumerate(items):
            item.setZValue(depth)
            self.chart.addItem(item, ignoreBounds=True)
        self._lines: list[pg.InfiniteLine] = []
        self.bar = pg.ColorBarItem(width=_BAR_PX, interactive=False, colorMapMenu=False)
        self.bar.setImageItem(self._image, insert_in=self.chart.getPlotItem())
        self.pad = ArrowPad(name, self.walk)
        self.labels = RowLabels(self.chart, self.pad)
        self.pad.focus_changed.connect(self.labels.update)
        line = QHBoxLayout(self.pad)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(0)
        line.addWidget(self.labels)
        line.addWidget(self.chart, 1)
        self.chart.clicked.connect(self._on_click)
        self.labels.row_clicked.connect(lambda row: self.picked.emit(row, -1))
        self.chart.getViewBox().sigRangeChanged.connect(lambda *_: self._draw())
        read_out(self.chart, self, self.describe)
        self.set_content(self.pad)

    @property
    def insets(self) -> tuple[int, int]:
        """Pixels to the left and to the right of the cells."""
        return self.labels.width() + _LEFT_PX, int(self.bar.minimumWidth()) + _BAR_GAP_PX + _RIGHT_PX

    def set_grid(self, grid: RowGrid | None) -> None:
        """Show this grid. A zoom stays if rows and axis are the same. Without rows or columns, the empty state."""
        before, self.grid = self.grid, grid
        if grid is None or not grid.rows or grid.last_column < 0:
            self.grid = None
            self.show_empty()
            return
        self.show_content()
        axis = self.chart.getAxis("bottom")
        axis.unit = grid.x_unit
        axis.setTicks([list(grid.x_ticks)] if grid.x_ticks else None)
        self.chart.label("bottom", grid.x_name)
        self.labels.set_rows(grid.names, grid.groups, grid.highlighted)
        if before is None or (before.rows, before.x_range) != (grid.rows, grid.x_range):
            least = {"minXRange": min(_LEAST_STEPS, grid.columns)} if self._steps else {}
            self.chart.getViewBox().setLimits(minYRange=min(_LEAST_ROWS, grid.rows), **least)
            self.chart.set_home(grid.x_range, (0, grid.rows))
        self._set_lines(grid.lines)
        self._dress(themes.current())
        self._align()
        self._draw()
        self._place_selection()

    def select(self, row: int | None, column: int | None) -> None:
        """Frame a row, scroll it into view, and mark a column; None for neither. Emits no signal."""
        if (row, column) != (self.row, self.column):
            moved = row != self.row
            self.row, self.column = row, column
            if moved:
                self._bring_into_view()
            self._place_selection()

    def describe(self, x: float, y: float) -> str | None:
        """The read-out of the cell at a point."""
        cell = self._cell(x, y)
        return None if self.grid is None or cell is None else self.grid.read(*cell)

    def data_table(self) -> DataTable | None:
        """One row per known cell, with the middle of its column on the axis."""
        grid = self.grid
        if grid is None or self.is_empty:
            return None
        groups = grid.groups or ("",) * grid.rows
        middles = [grid.x_range[0] + (column + 0.5) * grid.column_width for column in range(grid.columns)]
        rows: list[tuple[Value, ...]] = [
            (groups[row], grid.names[row], column, middles[column], value)
            for row, values in enumerate(grid.values[:, : grid.last_column + 1].tolist())
            for column, value in enumerate(values)
            if math.isfinite(value)
        ]
        return DataTable(("group", "row", "column", "x", "value"), tuple(rows))

    def walk(self, down: int, right: int) -> None:
        """Pick the neighbour of the selection; if nothing is selected, the first row or step."""
        grid = self.grid
        if grid is None:
            return
        row = -1 if self.row is None else self.row
        column = -1 if self.column is None else self.column
        if self._steps:
            next_row = min(grid.rows - 1, max(0, row + down)) if down else -1
            next_column = min(grid.last_column, max(0, column + right)) if right else -1
            if (down and next_row != row) or (right and next_column != column):
                self.picked.emit(next_row, next_column)
            return
        first = row if row >= 0 or down else 0
        next_row = min(grid.rows - 1, max(0, first + down))
        next_column = min(grid.last_column, max(0, column + right)) if column >= 0 else -1
        if (next_row, next_column) != (
            row,
            column,
        ):  # at an edge: picking the same cell again would clear the selection
            self.picked.emit(next_row, next_column)

    def restyle(self, theme: Theme) -> None:
        self.chart.restyle(theme)
        self._group_edges.setPen(pg.mkPen(theme.sunken, width=1.5))
        self._edge_marks.setPen(pg.mkPen(_accent(theme), width=1))
        self._cursor.setPen(pg.mkPen(colour(theme.tiles["current"], 0.95), width=1.5))
        pen = QPen(colour(theme.tiles["current"]) if self._steps else colour(_accent(theme)), 2.0)
        pen.setCosmetic(True)
        self._frame.setPen(pen)
        self._dress(theme)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._align()
        self._draw()

    def _new_chart(self, *, has_axis: bool) -> Chart:
        chart = Chart(Axis(steps="whole"))
        chart.freeze(x=not self._steps, y=False)
        chart.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        chart.hideAxis("left")
        chart.getAxis("bottom").setVisible(has_axis)
        chart.getPlotItem().setContentsMargins(_LEFT_PX, _TOP_PX, _RIGHT_PX, 0 if has_axis else _TOP_PX)
        chart.getViewBox().invertY(True)
        return chart

    def _draw(self) -> None:
        """Draw the rows in view, pooled to no more rows than pixels."""
        grid = self.grid
        if grid is None:
            return
        box = self.chart.getViewBox()
        low, high = box.viewRange()[1]
        first, last = max(0, int(low)), min(grid.rows, int(np.ceil(high)))
        if first >= last:
            return
        self._image.setImage(pooled(grid.values, first, last, max(32, int(box.height()))), autoLevels=False)
        start, end = grid.x_range
        self._image.setRect(QRectF(start, first, end - start, last - first))
        edges = np.array([row for _, row, _ in group_spans(grid.groups)][1:], dtype=float)
        self._group_edges.setData(np.tile([start, end], edges.size), np.repeat(edges, 2))
        heights = np.tile([grid.rows, grid.rows * (1 - _EDGE_MARK)], len(grid.edge_marks))
        self._edge_marks.setData(np.repeat(np.array(grid.edge_marks, dtype=float), 2), heights)
        self.labels.update()

    def _align(self) -> None:
        """Give the labels and the colour bar the widths that they need."""
        before, grid = self.insets, self.grid
        if grid is None:
            return
        self.labels.fit(self.width())
        metrics = QFontMetrics(themes.ui_font("small"))
        label = _BAR_LABEL_PX if grid.scale.label else 0
        ticks = max(metrics.horizontalAdvance(text) for _, text in grid.scale.ticks) + 10
        self.bar.axis.setWidth(ticks)
        self.bar.getAxis("left").setWidth(label)
        width = label + _BAR_PX + ticks + _BAR_FRAME_PX
        self.bar.setMinimumWidth(width)
        self.bar.setMaximumWidth(width)
        if before != self.insets:
            self.aligned.emit()

    def _dress(self, theme: Theme) -> None:
        """Colours of the cells, their scale and the lines."""
        if self.grid is None:
            return
        scale, font = self.grid.scale, themes.ui_font("small")
        self.bar.setColorMap(colour_map(theme, scale.colour_map, scale.steps))
        self.bar.setLevels(scale.limits)
        self.bar.setToolTip(scale.tip)
        self.bar.axis.setTicks([list(scale.ticks)])
        for side in ("left", "right", "top", "bottom"):
            axis = self.bar.getAxis(side)
            axis.setPen(theme.border_strong)
            axis.setTextPen(theme.muted)
            axis.setStyle(tickFont=font, tickTextOffset=4, tickLength=-3, hideOverlappingLabels=False)
        left = self.bar.getAxis("left")
        left.showLabel(bool(scale.label))
        if scale.label:
            left.setLabel(scale.label, **{"color": theme.muted, "font-size": f"{themes.font_px('small')}px"})
        for line in self._lines:
            line.setPen(pg.mkPen(colour(theme.text, 0.8), width=1, style=Qt.PenStyle.DashLine))
            line.label.setColor(theme.text)
            line.label.fill = pg.mkBrush(colour(theme.sunken, 0.75))
            line.label.setFont(font)

    def _set_lines(self, lines: tuple[tuple[float, str], ...]) -> None:
        while len(self._lines) < len(lines):
            # One name below the other: the lines may be close together.
            height = _FIRST_NAME + _NEXT_NAME * len(self._lines)
            line = pg.InfiniteLine(angle=90, label="", labelOpts={"position": height, "anchors": [(0, 0.5), (1, 0.5)]})
            line.setZValue(5)  # its name stays readable over the frame
            self._lines.append(line)
            self.chart.addItem(line, ignoreBounds=True)
        while len(self._lines) > len(lines):
            self.chart.removeItem(self._lines.pop())
        for line, (x, name) in zip(self._lines, lines, strict=True):
            line.setValue(x)
            line.label.setFormat(name)

    def _place_selection(self) -> None:
        grid, row, column = self.grid, self.row, self.column
        framed = grid is not None and row is not None and row < grid.rows
        self._frame.setVisible(framed)
        self._cursor.setVisible(self._steps and grid is not None and column is not None)
        if grid is not None and column is not None:
            self._cursor.setValue(grid.x_range[0] + (column + 0.5) * grid.column_width)
        if grid is not None and row is not None and framed:
            (start, end), wide = grid.x_range, grid.column_width
            whole = self._steps or column is None
            left, width = (start, end - start) if whole or column is None else (start + column * wide, wide)
            self._frame.setRect(QRectF(left, row, width, 1))
        self.labels.select(row)

    def _bring_into_view(self) -> None:
        if self.row is None or self.grid is None:
            return
        low, high = self.chart.getViewBox().viewRange()[1]
        if self.row < low or self.row + 1 > high:
            half = (high - low) / 2
            self.chart.setYRange(self.row + 0.5 - half, self.row + 0.5 + half, padding=0)

    def _cell(self, x: float, y: float) -> tuple[int, int] | None:
        """(row, column) at a point, or None outside."""
        grid = self.grid
        if grid is None or not (0 <= y < grid.rows and grid.x_range[0] <= x < grid.x_range[1]):
            return None
        return int(y), grid.column_at(x)

    def _on_click(self, x: float, y: float) -> None:
        cell = self._cell(x, y)
        if cell is not None and self.grid is not None:
            self.picked.emit(cell[0], min(cell[1], self.grid.last_column))


def _accent(theme: Theme) -> str:
    return theme.accent_strong if theme.is_dark else theme.accent
