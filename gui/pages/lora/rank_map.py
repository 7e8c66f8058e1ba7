"""Who has the rank: a row a matrix, a column a step, the colour being how many triplets the matrix keeps."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QPen, QResizeEvent
from PySide6.QtWidgets import QGraphicsRectItem, QHBoxLayout, QWidget

from gui import theme as themes
from gui.charts.chart import Chart, read_out
from gui.charts.step_curves import Mark
from gui.pages.lora.rank_axis_labels import RankBar, RankGrid, RankNames, colours
from gui.theme import Theme, colour
from gui.widgets.figure import Figure
from gui.widgets.keyboard_nav import ArrowPad

_LEAST_ROWS, _LEAST_STEPS = 4, 8
_CHART_LEFT_PX, _CHART_RIGHT_PX = 4, 6
_FIRST_NAME, _NEXT_NAME = 0.05, 0.08
"""Of the map's height, where the names of marks stand."""
_TICK_SHARE = 0.02
"""Of the map's height, that the marks of allocations take at its lower edge."""


class RankMap(Figure):
    """The wheel zooms, a drag pans, a double click shows all. `matrix_picked` and `step_picked` say what was clicked
    or reached with the arrows: up and down walk over matrices, left and right over steps. `has_axis` False leaves the
    numbers of the steps to a plot below.

    `aligned` says that the room beside the map has changed: what shares its axis follows `margins`.
    """

    matrix_picked = Signal(int)
    step_picked = Signal(int)
    aligned = Signal()

    def __init__(self, empty: str, *, has_axis: bool = True, parent: QWidget | None = None) -> None:
        super().__init__(empty, parent)
        self.grid: RankGrid | None = None
        self.matrix: int | None = None
        self.step: int | None = None
        self._about: Callable[[int, int], str] = lambda _matrix, _step: ""
        self.chart = Chart(x_steps="whole")
        self.chart.freeze(x=False, y=False)
        self.chart.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.chart.hideAxis("left")
        self.chart.getAxis("bottom").setVisible(has_axis)
        self.chart.getPlotItem().setContentsMargins(_CHART_LEFT_PX, 2, _CHART_RIGHT_PX, 2)
        self.chart.getViewBox().invertY(True)
        self._image = pg.ImageItem(axisOrder="row-major")
        self._groups = pg.PlotCurveItem(connect="pairs", antialias=False)
        self._ticks = pg.PlotCurveItem(connect="pairs", antialias=False)
        self._cursor, self._frame = pg.InfiniteLine(angle=90), QGraphicsRectItem()
        self._mark_lines: list[pg.InfiniteLine] = []
        for depth, item in enumerate((self._image, self._groups, self._ticks, self._cursor, self._frame)):
            item.setZValue(depth)
            self.chart.addItem(item, ignoreBounds=True)
        self.pad = ArrowPad("Ranks by matrix and step", self.walk)
        self.pad.focus_changed.connect(lambda: self.names.update())
        self.names, self.bar = RankNames(self), RankBar(self)
        line = QHBoxLayout(self.pad)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(0)
        line.addWidget(self.names)
        line.addWidget(self.chart, 1)
        line.addWidget(self.bar)
        self.chart.clicked.connect(self._on_click)
        self.names.row_clicked.connect(self.matrix_picked)
        self.chart.getViewBox().sigRangeChanged.connect(self._update_margins)
        read_out(self.chart, self, self.describe)
        self.set_content(self.pad)

    @property
    def margins(self) -> tuple[int, int]:
        """Pixels to the left and to the right of the cells."""
        return self.names.width() + _CHART_LEFT_PX, self.bar.width() + _CHART_RIGHT_PX

    def set_ranks(self, grid: RankGrid | None, about: Callable[[int, int], str], *, marks: Sequence[Mark] = ()) -> None:
        """Show other ranks; a zoom stays while rows and steps do. None, or no step yet, is empty.

        `about` is what is read out of a matrix at a step (counted from 1), after its name.
        """
        before, self.grid, self._about = self.grid, grid, about
        if grid is None or not grid.rows or not grid.done:
            self.grid = None
            self.show_empty()
            return
        self.show_content()
        self.chart.label("bottom", "step")
        if before is None or (before.groups, before.names) != (grid.groups, grid.names):
            self.names.fit()
            self.aligned.emit()
        if before is None or (before.rows, before.steps) != (grid.rows, grid.steps):
            limits = {"minXRange": min(_LEAST_STEPS, grid.steps), "minYRange": min(_LEAST_ROWS, grid.rows)}
            self.chart.getViewBox().setLimits(**limits)
            self.chart.set_home((0.5, grid.steps + 0.5), (0, grid.rows))
        self._set_marks(marks)
        self._draw(themes.current())

    def select_matrix(self, matrix: int | None) -> None:
        """Frame a row, in view; None frames nothing. Emits nothing."""
        if matrix != self.matrix:
            self.matrix = matrix
            self._bring_into_view()
            self._place_marks()

    def select_step(self, step: int | None) -> None:
        """Stand at a step. Emits nothing."""
        if step != self.step:
            self.step = step
            self._place_marks()

    def describe(self, x: float, y: float) -> str | None:
        """The read-out of the cell at a point."""
        cell = self._cell(x, y)
        grid = self.grid
        if grid is None or cell is None:
            return None
        row, step = cell
        if step > grid.done:
            return f"step {step:,}: not done"
        rank = int(grid.ranks[step - 1, row])
        return f"{grid.groups[row]} {grid.names[row]}, step {step:,}\nrank {rank} of {grid.most}\n" + self._about(
            row, step
        )

    def walk(self, down: int, right: int) -> None:
        """Pick the matrix or the step beside the one that is picked; the first one where none is."""
        grid = self.grid
        if grid is None:
            return
        if down:
            row = min(grid.rows - 1, max(0, (-1 if self.matrix is None else self.matrix) + down))
            if row != self.matrix:
                self.matrix_picked.emit(row)
        if right:
            step = min(grid.done, max(1, (0 if self.step is None else self.step) + right))
            if step != self.step:
                self.step_picked.emit(step)

    def restyle(self, theme: Theme) -> None:
        self.chart.restyle(theme)
        self._groups.setPen(pg.mkPen(theme.sunken, width=1.5))
        self._ticks.setPen(pg.mkPen(theme.accent_strong if theme.is_dark else theme.accent, width=1))
        self._cursor.setPen(pg.mkPen(colour(theme.tiles["current"], 0.95), width=1.5))
        pen = QPen(colour(theme.tiles["current"]), 2.0)
        pen.setCosmetic(True)
        self._frame.setPen(pen)
        self._dress_marks(theme)
        self._draw(theme)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._update_margins()

    def _draw(self, theme: Theme) -> None:
        grid = self.grid
        if grid is None:
            return
        table = np.column_stack([colours(theme, grid.most), np.full(grid.most + 1, 255, np.uint8)])
        self._image.setImage(table[np.clip(grid.ranks.T, 0, grid.most)], autoLevels=False, levels=None)
        self._image.setRect(QRectF(0.5, 0, grid.done, grid.rows))
        edges = np.array([first for _, first, _ in grid.spans()][1:], dtype=float)
        x = np.tile([0.5, grid.steps + 0.5], edges.size)
        self._groups.setData(x, np.repeat(edges, 2))
        at = np.repeat(np.array(grid.allocations, dtype=float), 2)
        self._ticks.setData(at, np.tile([grid.rows, grid.rows * (1 - _TICK_SHARE)], len(grid.allocations)))
        self._place_marks()

    def _set_marks(self, marks: Sequence[Mark]) -> None:
        while len(self._mark_lines) < len(marks):
            # One name below the other: they may be close to each other.
            height = _FIRST_NAME + _NEXT_NAME * len(self._mark_lines)
            options = {"position": height, "anchors": [(0, 0.5), (1, 0.5)]}
            line = pg.InfiniteLine(angle=90, label="", labelOpts=options)
            line.setZValue(5)  # its name stays readable over the frame
            self._mark_lines.append(line)
            self.chart.addItem(line, ignoreBounds=True)
        while len(self._mark_lines) > len(marks):
            self.chart.removeItem(self._mark_lines.pop())
        for line, mark in zip(self._mark_lines, marks, strict=True):
            line.setValue(mark.x)
            line.label.setFormat(mark.label)
        self._dress_marks(themes.current())

    def _dress_marks(self, theme: Theme) -> None:
        for line in self._mark_lines:
            line.setPen(pg.mkPen(colour(theme.text, 0.8), width=1, style=Qt.PenStyle.DashLine))
            line.label.setColor(theme.text)
            line.label.fill = pg.mkBrush(colour(theme.sunken, 0.75))
            line.label.setFont(themes.ui_font("small"))

    def _place_marks(self) -> None:
        grid, matrix, step = self.grid, self.matrix, self.step
        framed = grid is not None and matrix is not None and matrix < grid.rows
        self._frame.setVisible(framed)
        if grid is not None and matrix is not None and framed:
            self._frame.setRect(QRectF(0.5, matrix, grid.steps, 1))
        self._cursor.setVisible(step is not None)
        if step is not None:
            self._cursor.setValue(step)
        self.names.update()
        self.bar.update()

    def _bring_into_view(self) -> None:
        if self.matrix is None:
            return
        low, high = self.chart.getViewBox().viewRange()[1]
        if self.matrix < low or self.matrix + 1 > high:
            half = (high - low) / 2
            self.chart.setYRange(self.matrix + 0.5 - half, self.matrix + 0.5 + half, padding=0)

    def _cell(self, x: float, y: float) -> tuple[int, int] | None:
        """(row, step from 1) at a point, or None outside."""
        grid = self.grid
        if grid is None or not (0 <= y < grid.rows and 0.5 <= x < grid.steps + 0.5):
            return None
        return int(y), int(x + 0.5)

    def _on_click(self, x: float, y: float) -> None:
        cell = self._cell(x, y)
        if cell is not None and self.grid is not None:
            self.matrix_picked.emit(cell[0])
            self.step_picked.emit(min(cell[1], self.grid.done))

    def _update_margins(self, *_: object) -> None:
        self.names.update()
        self.bar.update()
