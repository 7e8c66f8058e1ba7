"""The online softmax of one query row: running maximum, running sum and accumulator, tile after tile."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QWidget

from core.contracts.text import Text, tr, tr_in, verbatim
from core.format import format_quantity
from core.topics.flash_attention.softmax import RowSoftmax
from gui import theme as themes
from gui import translation
from gui.charts.axis import Axis, QuantityAxis
from gui.charts.chart import Chart, read_out
from gui.theme import Theme, colour
from gui.widgets.data_table import DataTable, table_of
from gui.widgets.figure import Figure
from gui.zoom import Px

_KV_TILE, _HEAD_DIM = tr("KV tile"), tr_in("axis", "dim")
_ACC, _ACC_NORM = tr_in("axis", "acc"), verbatim("‖acc‖")
_BOTH_PX = Px(220)
"""Below this width there is room for m and l only: the card's data still has the accumulator."""


class SoftmaxState(Figure):
    """Left, m and l over the tiles (each on its own axis); right, the accumulator's values at the current tile."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(tr("Select a tile to follow the online softmax of one of its rows."), parent)
        self._state: RowSoftmax | None = None
        self._iteration = 0
        self.scalars = Chart(Axis(_KV_TILE, steps="whole"))
        self.scalars.freeze()
        self._sum_box = self._add_right_axis()
        self._max_ahead, self._max_done = _line(), _line()
        self._sum_ahead, self._sum_done = _line(), _line()
        self._max_dot, self._sum_dot = pg.ScatterPlotItem(size=8), pg.ScatterPlotItem(size=8)
        self._now = pg.InfiniteLine(angle=90)
        for item in (self._max_ahead, self._max_done, self._max_dot, self._now):
            self.scalars.addItem(item, ignoreBounds=True)
        for item in (self._sum_ahead, self._sum_done, self._sum_dot):
            self._sum_box.addItem(item, ignoreBounds=True)
        self.values = Chart(Axis(_HEAD_DIM, steps="powers"), Axis(_ACC))
        self.values.freeze()
        self._bars = pg.BarGraphItem(x=[0], height=[0], width=0.8)
        self._norm_line = _line()
        self._norm_dot = pg.ScatterPlotItem(size=8)
        for item in (self._bars, self._norm_line, self._norm_dot):
            self.values.addItem(item, ignoreBounds=True)
        content = QWidget()
        row = QHBoxLayout(content)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        row.addWidget(self.scalars, 3)  # its two y axes leave less room for the plot
        row.addWidget(self.values, 2)
        read_out(self.scalars, self, self.describe_scalars)
        read_out(self.values, self, self.describe_value)
        self.set_content(content)
        translation.notifier().changed.connect(self._retranslate)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.values.setVisible(event.size().width() >= _BOTH_PX)

    @property
    def state(self) -> RowSoftmax | None:
        return self._state

    @property
    def iteration(self) -> int:
        return self._iteration

    def set_row(self, state: RowSoftmax | None, iteration: int = 0, sentence: Text | None = None) -> None:
        """Show another row; None (or a row that sees no key) shows the empty state, with `sentence` if given."""
        self._state = state if state is not None and state.iterations else None
        if self._state is None:
            self.show_empty(sentence)
            return
        last = max(1, self._state.iterations - 1)
        margin = 0.05 * last
        self.scalars.setXRange(-margin, last + margin, padding=0)
        self.scalars.setYRange(*_span(self._state.maximum), padding=0)
        self._sum_box.setYRange(*_span(self._state.total, zero=True), padding=0)
        self._max_ahead.setData(*_points(self._state.maximum, self._state.iterations))
        self._sum_ahead.setData(*_points(self._state.total, self._state.iterations))
        self._prepare_values(self._state)
        self.show_content()
        self.set_iteration(iteration)

    def set_iteration(self, iteration: int) -> None:
        """Go to another KV tile of the same row."""
        state = self._state
        if state is None:
            return
        now = self._iteration = min(max(0, iteration), state.iterations - 1)
        self._max_done.setData(*_points(state.maximum, now + 1))
        self._sum_done.setData(*_points(state.total, now + 1))
        self._max_dot.setData(*_dot(now, state.maximum))
        self._sum_dot.setData(*_dot(now, state.total))
        self._now.setValue(now)
        if state.accumulator is not None:
            self._bars.setOpts(height=state.accumulator[now])
        elif state.accumulator_norm is not None:
            self._norm_dot.setData(*_dot(now, state.accumulator_norm))

    def data_table(self) -> DataTable | None:
        """One row per KV tile: m and l after it, and the accumulator, one column per dimension, or else its norm."""
        state = self._state
        if state is None:
            return None
        tiles = slice(state.iterations)
        columns: dict[str, Iterable[Any]] = {
            "row": [state.row] * state.iterations,
            "kv_tile": range(state.iterations),
            "m": state.maximum[tiles],
            "l": state.total[tiles],
        }
        if state.accumulator is not None:
            columns |= {f"acc_{dim}": values for dim, values in enumerate(state.accumulator[tiles].T)}
        elif state.accumulator_norm is not None:
            columns["acc_norm"] = state.accumulator_norm[tiles]
        return table_of(columns)

    def describe_scalars(self, x: float, y: float) -> str | None:
        """m and l after the KV tile nearest to `x`."""
        state = self._state
        if state is None:
            return None
        iteration = min(max(0, round(x)), state.iterations - 1)
        m, total = (
            format_quantity(float(state.maximum[iteration]), digits=5),
            format_quantity(float(state.total[iteration]), digits=5),
        )
        lines = (
            tr("row {row:,} after KV tile {tile}", row=state.row, tile=iteration),
            tr("running maximum m = {value}", value=m),
            tr("running sum l = {value}", value=total),
        )
        return "\n".join(map(str, lines))

    def describe_value(self, x: float, y: float) -> str | None:
        """The accumulator's element (or norm) nearest to `x`."""
        state = self._state
        if state is None:
            return None
        if state.accumulator is not None:
            element = min(max(0, round(x)), state.accumulator.shape[1] - 1)
            value = float(state.accumulator[self._iteration, element])
            output = value / float(state.total[self._iteration])
            lines = (
                tr(
                    "row {row:,}, element {element} after KV tile {tile}",
                    row=state.row,
                    element=element,
                    tile=self._iteration,
                ),
                tr("accumulator = {value}", value=format_quantity(value, digits=5)),
                tr("divided by l = {value}", value=format_quantity(output, digits=5)),
            )
            return "\n".join(map(str, lines))
        if state.accumulator_norm is not None:
            iteration = min(max(0, round(x)), state.iterations - 1)
            norm = format_quantity(float(state.accumulator_norm[iteration]), digits=5)
            where = tr("row {row:,} after KV tile {tile}", row=state.row, tile=iteration)
            return "\n".join(map(str, (where, tr("‖accumulator‖ = {value}", value=norm))))
        return None

    def restyle(self, theme: Theme) -> None:
        for chart in (self.scalars, self.values):
            chart.restyle(theme)
        colours = {"max": theme.series[7], "sum": theme.series[4]}
        small = f"{themes.font_px('small')}px"
        for side, name, text in (("left", "max", tr("max m")), ("right", "sum", tr("sum l"))):
            axis = self.scalars.getAxis(side)
            axis.setLabel(str(text), **{"color": colours[name], "font-size": small})
            axis.setTextPen(colours[name])
        for name, ahead, done, dot in (
            ("max", self._max_ahead, self._max_done, self._max_dot),
            ("sum", self._sum_ahead, self._sum_done, self._sum_dot),
        ):
            ahead.setPen(pg.mkPen(colour(colours[name], 0.45), width=1, style=Qt.PenStyle.DotLine))
            done.setPen(pg.mkPen(colours[name], width=2))
            dot.setBrush(pg.mkBrush(colours[name]))
            dot.setPen(pg.mkPen(theme.sunken, width=1.5))
        self._now.setPen(pg.mkPen(colour(theme.tiles["current"], 0.7), width=1))
        self._bars.setOpts(brush=colour(theme.tensor("O"), 0.9), pen=None)
        self._norm_line.setPen(pg.mkPen(theme.tensor("O"), width=2))
        self._norm_dot.setBrush(pg.mkBrush(theme.tensor("O")))

    def _retranslate(self) -> None:
        self.restyle(themes.current())

    def _prepare_values(self, state: RowSoftmax) -> None:
        whole = state.accumulator is not None
        self._bars.setVisible(whole)
        self._norm_line.setVisible(not whole)
        self._norm_dot.setVisible(not whole)
        self.values.label("bottom", _HEAD_DIM if whole else _KV_TILE)
        self.values.label("left", _ACC if whole else _ACC_NORM)
        if state.accumulator is not None:
            width = state.accumulator.shape[1]
            reach = float(np.nanmax(np.abs(state.accumulator))) or 1.0
            self._bars.setOpts(x=np.arange(width), height=state.accumulator[0], width=0.8)
            self.values.setRange(xRange=(-1, width), yRange=(-1.08 * reach, 1.08 * reach), padding=0)
        elif state.accumulator_norm is not None:
            self._norm_line.setData(*_points(state.accumulator_norm, state.iterations))
            self.values.setRange(
                xRange=(-0.3, state.iterations), yRange=_span(state.accumulator_norm, zero=True), padding=0
            )

    def _add_right_axis(self) -> pg.ViewBox:
        """A second view box over the first, with its own y axis at the right."""
        plot = self.scalars.getPlotItem()
        axis = QuantityAxis("right")
        plot.setAxisItems({"right": axis})
        plot.showAxis("right")
        box = pg.ViewBox(enableMouse=False, enableMenu=False)
        plot.scene().addItem(box)
        axis.linkToView(box)
        box.setXLink(plot.vb)
        plot.vb.sigResized.connect(lambda main: box.setGeometry(main.sceneBoundingRect()))
        return box


def _line() -> pg.PlotCurveItem:
    """A line with gaps where there is no value."""
    return pg.PlotCurveItem(connect="finite")


def _points(values: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    return np.arange(count, dtype=float), np.asarray(values[:count], dtype=float)


def _dot(iteration: int, values: np.ndarray) -> tuple[list[float], list[float]]:
    """The value at an iteration as one point, or no point if there is no value."""
    value = float(values[iteration])
    return ([float(iteration)], [value]) if np.isfinite(value) else ([], [])


def _span(values: np.ndarray, *, zero: bool = False) -> tuple[float, float]:
    """A range with a margin around the finite values, starting at zero if `zero`."""
    finite = values[np.isfinite(values)]
    low, high = (0.0 if zero else float(finite.min())), float(finite.max())
    margin = 0.12 * (high - low) or 0.5
    return (low if zero else low - margin), high + margin
