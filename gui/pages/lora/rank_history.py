"""The ranks over the steps, below it the total and the budget on the same axis, and a player for both."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSignalBlocker, Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from core.contracts.text import tr
from gui.charts.axis import Axis
from gui.charts.line_chart import LineChart
from gui.charts.row_grid import RowGrid
from gui.charts.row_map import RowMap
from gui.charts.series import Mark, Series
from gui.widgets.player import Player
from gui.zoom import Px

_CURVES_PX = Px(122)
_BEFORE_RUN = tr("Run (F5) to train a small model. Each matrix becomes a row here, coloured by its rank.")
_NO_BUDGET = tr("The curves appear here once a run starts.")


class RankHistoryView(QWidget):
    """`matrix_picked` and `step_picked` report the user's selection in any part. Steps count from 1."""

    matrix_picked = Signal(int)
    step_picked = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.map = RowMap(_BEFORE_RUN, tr("Ranks by matrix and step"), steps=True, has_axis=False)
        self.curves = LineChart(_NO_BUDGET, Axis(tr("step"), steps="whole"), Axis(tr("triplets")))
        self.player = Player()
        self.curves.setMinimumHeight(_CURVES_PX)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(self.map, 5)
        column.addWidget(self.curves, 2)
        column.addWidget(self.player)
        self.map.picked.connect(self._on_map)
        self.curves.x_picked.connect(self._on_curves)
        self.player.step_changed.connect(lambda index: self.step_picked.emit(index + 1))
        self.map.aligned.connect(self._align)
        boxes = self.map.chart.getViewBox(), self.curves.chart.getViewBox()
        for box, other in (boxes, boxes[::-1]):
            box.sigXRangeChanged.connect(lambda _, x_range, other=other: _follow(other, x_range))

    @property
    def done(self) -> int:
        """The number of steps that can be played."""
        return self.player.steps

    def set_planned(self, budget: Series, marks: Sequence[Mark], steps: int) -> None:
        """Before a run: show the planned budget. Emits no signal."""
        self.map.set_grid(None)
        self._set_totals([budget], marks, steps)
        self._grow(0)

    def set_history(self, grid: RowGrid | None, totals: Sequence[Series], marks: Sequence[Mark], steps: int) -> None:
        """Show ranks and totals on an axis of `steps` steps. Emits no signal."""
        self.map.set_grid(grid)
        self._set_totals(totals, [Mark(mark.x, "") for mark in marks], steps)  # the map shows their names
        self._grow(0 if grid is None else grid.last_column + 1)

    def select(self, matrix: int | None, step: int | None) -> None:
        """Show the selection. Emits no signal."""
        self.map.select(matrix, None if step is None else step - 1)
        self.curves.select_x(step)
        if step is not None and step - 1 != self.player.step:
            with QSignalBlocker(self.player):
                self.player.set_step(step - 1)

    def _set_totals(self, totals: Sequence[Series], marks: Sequence[Mark], steps: int) -> None:
        self.curves.set_series(totals, x_range=(0.5, steps + 0.5), marks=marks, from_zero=True)

    def _grow(self, done: int) -> None:
        """Give the player more steps. Its position stays, and it keeps playing."""
        player = self.player
        if done == player.steps:
            return
        playing, step = player.is_playing, player.step
        with QSignalBlocker(player):
            player.set_steps(done, max(0, step))
            if playing and step < done - 1:
                player.play()

    def _on_map(self, matrix: int, column: int) -> None:
        if matrix >= 0:
            self.matrix_picked.emit(matrix)
        if column >= 0:
            self.step_picked.emit(column + 1)

    def _on_curves(self, step: int) -> None:
        if self.done:
            self.step_picked.emit(min(step, self.done))

    def _align(self) -> None:
        """Align the plot area of the curves with that of the map."""
        left, right = self.map.insets
        self.curves.chart.getPlotItem().setContentsMargins(2, 6, right, 2)
        self.curves.chart.getAxis("left").setWidth(left - 2)


def _follow(box: object, x_range: tuple[float, float]) -> None:
    """Take over another plot's range, unless this plot has it already."""
    low, high = box.viewRange()[0]  # type: ignore[attr-defined]
    if abs(low - x_range[0]) + abs(high - x_range[1]) > 1e-6 * abs(x_range[1] - x_range[0]):
        box.setXRange(*x_range, padding=0)  # type: ignore[attr-defined]
